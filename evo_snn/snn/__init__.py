"""Architecture → network: the torch module of Norse neurons, and its deployed form.

``build`` makes the trainable *network* of an architecture, ``deploy`` folds it into what a chip
holds: integer weights with one scale and one bias a channel. Both run the same graph of layers.
"""

from evo_snn.snn.network import DeployedNetwork, Network, TrainableNetwork, build, deploy

__all__ = ["DeployedNetwork", "Network", "TrainableNetwork", "build", "deploy"]
