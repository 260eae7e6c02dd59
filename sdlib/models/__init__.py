"""Networks with one logit for a binary task, the weights they begin with, and weights on disk.

- :mod:`sdlib.models.networks`: timm's networks by name, each with one logit.
- :mod:`sdlib.models.imagenet`: the ImageNet weights that networks may begin with.
- :mod:`sdlib.models.weight_files`: weights of trained networks on disk.
"""

from sdlib.models.imagenet import initial_weights
from sdlib.models.networks import HEADS, NETWORKS, create_network
from sdlib.models.weight_files import load_weights, save_weights

__all__ = ["HEADS", "NETWORKS", "create_network", "initial_weights", "load_weights", "save_weights"]
