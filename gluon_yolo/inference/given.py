"""Given: a picture as a program has it -> (H, W, 3) uint8 RGB."""

from __future__ import annotations

import os
from typing import Any, Protocol, Union

import numpy as np

from gluon_yolo.data.arrays import as_picture
from gluon_yolo.data.pictures import read_picture
from gluon_yolo.errors import UserError


class PILImage(Protocol):
    """What is used here of PIL's ``Image``, so that PIL need not be imported."""

    @property
    def mode(self) -> str:
        """What its planes are."""

    def load(self) -> Any:
        """Read its file."""

    def convert(self, mode: str) -> Any:
        """Return it in another mode."""


PathLike = Union[str, "os.PathLike[str]"]
Picture = Union[np.ndarray, PathLike, PILImage]

# PIL's modes whose arrays mean to ``as_picture`` what they mean to PIL. The others' are numbers of a palette,
# or other colours than RGB's, and PIL converts them.
_PLAIN_MODES = ("1", "L", "RGB", "RGBA", "RGBX", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")


def picture_of(given: Picture) -> np.ndarray:
    """Turn a picture into (H, W, 3) uint8 RGB.

    Args:
        given: the path of a picture file, which is turned upright as its EXIF orientation says; an array as
            :func:`gluon_yolo.data.pictures.as_picture` takes it, colours in the order RGB; or PIL's image,
            its pixels as they lie (``PIL.ImageOps.exif_transpose`` turns a photograph upright), of any mode
            but I, F and La, which have no white or no way to RGB. Opacity is left out.

    Raises:
        UserError: it is none of these, or cannot be read.
    """
    if isinstance(given, np.ndarray):
        return as_picture(given)
    if isinstance(given, (str, os.PathLike)):
        return read_picture(given)
    if isinstance(getattr(given, "mode", None), str) and callable(getattr(given, "convert", None)):
        return _of_pil(given)
    kind = f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
    raise UserError(
        f"the picture is of type {kind}; expected a path, an array (H, W, 3) of uint8 in the order RGB, or "
        "PIL's image; of an mxnet array give picture.asnumpy(), of a torch tensor picture.numpy(), with the "
        "channels last"
    )


def _of_pil(image: PILImage) -> np.ndarray:
    """Return PIL's image as (H, W, 3) uint8 RGB."""
    name = f"the PIL image {getattr(image, 'filename', '')}".rstrip()
    try:
        image.load()  # only now is a file read
        plain = image if image.mode in _PLAIN_MODES else image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{name}, mode {image.mode}, cannot be read as RGB: {error}") from error
    array = np.asarray(plain)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # I;16B is written the other way round
    return as_picture(array, f"{name}, mode {image.mode},")
