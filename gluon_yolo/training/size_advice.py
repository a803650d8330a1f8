"""Size advice: the settings for training at one input size."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.text import size_word


def one_size(size_hw: Sequence[int], random_shape: bool) -> str:
    """Return the settings for training at one input size, to be added to those of a training.

    Args:
        size_hw: height and width in pixels.
        random_shape: whether the training draws its sizes. Then ``no_random_shape`` is not advised, because
            it may conflict with the settings of the training.

    Returns:
        Text with setting names in braces, as in ``SettingError``.
    """
    word = size_word(size_hw)
    return f"{{data_shape}} {word}{f' {{random_shapes}} {word}' if random_shape else ''}"
