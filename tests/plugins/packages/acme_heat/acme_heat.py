"""Where a chip gets warm: an objective for evo_snn."""

import evo_snn


@evo_snn.objective(unit="µJ", maximise=False, log=True, needs="cost")
def hottest_layer_uj(candidate):
    """Energy of the layer that uses most."""
    return max(layer.energy_uj for layer in candidate.cost.layers)
