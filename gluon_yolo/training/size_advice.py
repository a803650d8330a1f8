"""Size advice: the settings that train at one size."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.text import size_word


def one_size(size_hw: Sequence[int], random_shape: bool) -> str:
    """Return the settings that train at one size only, to be added to those of a training.

    Args:
        size_hw: height and width.
        random_shape: whether the training draws sizes; ``no_random_shape`` would exclude the settings that
            may have given them.

    Returns:
        Text in which settings stand by name in braces, as in ``SettingError``.
    """
    word = size_word(size_hw)
    return f"{{data_shape}} {word}{f' {{random_shapes}} {word}' if random_shape else ''}"
