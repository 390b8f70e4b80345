"""Changes to pictures that leave what they show as it is, drawn at random for each picture of a batch.

    x = pl.augment.random_flip(key, pl.augment.random_shift(other_key, x, 4))

Pictures are (n, height, width, channels). Everything follows from the key (pl.random.key(0)): the same key gives the same
bits. All of it is made of array operations, so it runs inside a compiled step as well as outside. In a network,
pl.nn.Augment does this in training. What was beyond a border is zero; results have x's type; random_rotate, brightness,
contrast, saturation and mixup take floating x alone. Everything raises ValueError where x is no such batch, or a setting is
out of range.
"""

from ._core.augment import *  # noqa: F403

__all__ = [n for n in globals() if not n.startswith("_")]
