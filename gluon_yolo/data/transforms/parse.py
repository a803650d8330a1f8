"""Parse augmentations from text, such as ``mosaic,light`` or ``affine(degrees=10),flip,letterbox``."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from gluon_yolo.data.transforms.base import Compose, Transform
from gluon_yolo.data.transforms.color import ColorDistort
from gluon_yolo.data.transforms.crop import RandomCrop
from gluon_yolo.data.transforms.geometry import (
    LetterBox,
    RandomAffine,
    RandomExpand,
    RandomFlip,
    Resize,
    ResizeRandomInterp,
)
from gluon_yolo.data.transforms.mosaic import Mosaic
from gluon_yolo.data.transforms.view import AREA, CUBIC, LINEAR
from gluon_yolo.errors import SettingError
from gluon_yolo.text import did_you_mean


def yolo3_train() -> Compose:
    """Return GluonCV's training augmentation of YOLOv3, with its ranges.

    It is strong: hues are drawn from the full circle (GluonCV multiplies its "18 degrees" by pi, which gives
    nine rotations in both directions), and objects are scaled from a quarter to three times their size. It is
    made for thousands of images and 200 epochs.
    """
    return Compose(ColorDistort(), RandomExpand(), RandomCrop(), ResizeRandomInterp(), RandomFlip())


def light_train(vertical_flip: bool = False) -> Compose:
    """Return a light augmentation, for a few hundred images or a few dozen epochs.

    Colours change little, because in small data sets colour often separates classes. Objects are scaled by
    0.7 to 1.4 and moved by up to a tenth of the image.

    Args:
        vertical_flip: whether images have no fixed upper side, as from a microscope or from above.
    """
    return Compose(
        ColorDistort(brightness=16, contrast=(0.8, 1.25), saturation=(0.8, 1.25), hue_degrees=9),
        RandomAffine(scale=(0.7, 1.4), translate=0.1),
        RandomFlip(horizontal=0.5, vertical=0.5 if vertical_flip else 0.0),
        ResizeRandomInterp((LINEAR, CUBIC, AREA)),
    )


PRESETS: dict[str, Callable[[], Transform]] = {
    "yolo3": yolo3_train,
    "light": light_train,
    "overhead": lambda: light_train(vertical_flip=True),
    "none": Resize,
}


TRANSFORMS: dict[str, Callable[..., Transform]] = {
    "color": ColorDistort,
    "expand": RandomExpand,
    "crop": RandomCrop,
    "affine": RandomAffine,
    "flip": RandomFlip,
    "resize": Resize,
    "resize-any": ResizeRandomInterp,
    "letterbox": LetterBox,
    "mosaic": Mosaic,
}
"""The transforms that a text can name; their arguments are given in brackets."""

_RESIZERS = (Resize, ResizeRandomInterp, LetterBox)
_STEP = re.compile(r"\s*([\w-]+)\s*(?:\(([^()]*)\))?\s*(?:,|$)")
_SYNTAX = (
    "expected names with commas between, each perhaps with arguments as in affine(degrees=10,scale=0.5:1.5)"
)


def augmentation(text: str) -> Transform:
    """Parse a text into a training transform.

    The text is a list of presets and transforms, which are applied in order and drawn once. ``mosaic``,
    anywhere in it, combines four images, each changed by all the other transforms. Of several resizing
    transforms the last one counts; without one, images are stretched to the input size at the end.

    Args:
        text: such as ``light``, ``mosaic,light``, ``color(hue_degrees=9),affine(scale=0.5:1.5),letterbox``.

    Raises:
        UserError: a name or an argument is unknown, or a value is invalid.
    """
    steps = [step for name, arguments in _words(text) for step in _steps(text, name, arguments)]
    mosaics = [step for step in steps if isinstance(step, Mosaic)]
    if len(mosaics) > 1:
        raise SettingError(f"{{augment}} {text!r}: mosaic is there twice")
    resizers = [step for step in steps if isinstance(step, _RESIZERS)] or [Resize()]
    chain = [step for step in steps if step not in mosaics and step not in resizers[:-1]]
    chain += [] if resizers[-1] in chain else resizers[-1:]
    tile = chain[0] if len(chain) == 1 else Compose(*chain)
    if not mosaics:
        return tile
    mosaics[0].tile = tile
    return mosaics[0]


def keeps_shape(transform: Transform) -> bool:
    """Return whether a transform keeps the images' aspect ratio, as :class:`LetterBox` does."""
    if isinstance(transform, Mosaic):
        return keeps_shape(transform.tile)
    return any(isinstance(step, LetterBox) for step in getattr(transform, "transforms", (transform,)))


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Yield each name of a text with the content of its brackets."""
    rest = text.strip(" ,")
    if not rest:
        raise SettingError(f"{{augment}} {text!r}: {_SYNTAX}")
    while rest:
        match = _STEP.match(rest)
        if match is None:
            raise SettingError(f"{{augment}} {text!r}: {rest!r} is not understood; {_SYNTAX}")
        yield match[1], match[2] or ""
        rest = rest[match.end() :]


def _steps(text: str, name: str, arguments: str) -> tuple[Transform, ...]:
    """Return the transforms of one name."""
    if name in PRESETS:
        if arguments:
            raise SettingError(f"{{augment}} {text!r}: the preset {name} takes no arguments; name its parts")
        whole = PRESETS[name]()
        return whole.transforms if isinstance(whole, Compose) else (whole,)
    if name not in TRANSFORMS:
        meant = did_you_mean(name, [*PRESETS, *TRANSFORMS])
        presets, transforms = ", ".join(PRESETS), ", ".join(TRANSFORMS)
        raise SettingError(
            f"{{augment}} {text!r}: no augmentation is called {name!r}; {meant}the presets are {presets}; "
            f"the transforms are {transforms}"
        )
    make = TRANSFORMS[name]
    given = [word.strip() for word in arguments.split(",") if word.strip()]
    known = {key: value for key, value in inspect.signature(make).parameters.items() if key != "tile"}
    values: dict[str, Any] = {"tile": None} if name == "mosaic" else {}
    for word in given:
        key, _, value = (part.strip() for part in word.partition("="))
        if key not in known:
            meant = did_you_mean(key, known)
            raise SettingError(
                f"{{augment}} {text!r}: {name} has no {key!r}; {meant}it has {', '.join(known)}"
            )
        values[key] = _value(text, word, value, known[key].default)
    try:
        return (make(**values),)
    except ValueError as error:
        raise SettingError(f"{{augment}} {text!r}: {name}: {error}") from error


def _value(text: str, word: str, value: str, default: Any) -> Any:
    """Parse ``10`` or ``0.5:1.5`` into a number or a range, whichever the default is."""
    try:
        numbers = [float(part) if re.search("[.eE]", part) else int(part) for part in value.split(":")]
    except ValueError:
        numbers = []
    fits = len(numbers) > 1 if isinstance(default, tuple) else len(numbers) == 1
    if not fits or not all(map(math.isfinite, numbers)):
        wanted = "numbers with colons between, as 0.5:1.5" if isinstance(default, tuple) else "one number"
        raise SettingError(f"{{augment}} {text!r}: {word}: expected {wanted}")
    return tuple(numbers) if isinstance(default, tuple) else numbers[0]
