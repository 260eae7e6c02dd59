"""Random augmentation of training tiles.

- :mod:`sdlib.augment.operations`: the fifteen operations of UniformAugment, and blur.
- :mod:`sdlib.augment.pipeline`: what a batch goes through, by name.
"""

from sdlib.augment.pipeline import AUGMENTATIONS, Draws, UniformAugment, augmentation

__all__ = ["AUGMENTATIONS", "Draws", "UniformAugment", "augmentation"]
