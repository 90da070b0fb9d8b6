"""An objective of one's own: a plain function of a candidate, with its unit and direction.

Name the file and the function in a configuration:

    [objectives]
    names = ["accuracy", "area_mm2", "hottest_layer_uj"]
    plugins = ["my_objectives.py"]
"""

import evo_snn


@evo_snn.objective(unit="µJ", maximise=False, log=True)
def hottest_layer_uj(candidate):
    """Energy of the layer that uses most: a chip with an even load stays cooler."""
    return max(layer.energy_uj for layer in candidate.cost.layers)
