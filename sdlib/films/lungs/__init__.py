"""The lungs of a film: where a small network finds them, and films with them shown or hidden.

- :mod:`sdlib.films.lungs.network`: the network, a U-Net, and its weights on disk.
- :mod:`sdlib.films.lungs.prediction`: probabilities for films, and masks of lungs from them.
- :mod:`sdlib.films.lungs.hiding`: films of which only the lungs, or only their surroundings, show.
"""

from sdlib.films.lungs.hiding import VISIBLE, show_part
from sdlib.films.lungs.network import LUNG_SIZE, LungUNet, load_lung_network, lung_weights_file
from sdlib.films.lungs.prediction import lung_mask_of, predict_lungs

__all__ = [
    "LUNG_SIZE",
    "VISIBLE",
    "LungUNet",
    "load_lung_network",
    "lung_mask_of",
    "lung_weights_file",
    "predict_lungs",
    "show_part",
]
