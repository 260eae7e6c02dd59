"""Random augmentation of training tiles.

- :mod:`sdlib.augment.pipeline`: the augmentation of a batch, by name; UniformAugment.
- :mod:`sdlib.augment.operations`: the fifteen operations of UniformAugment, and blur, by name.
- :mod:`sdlib.augment.pillow`: what those operations do to pixels.
"""

from sdlib.augment.pipeline import AUGMENTATIONS, Draws, UniformAugment, augmentation

__all__ = ["AUGMENTATIONS", "Draws", "UniformAugment", "augmentation"]
