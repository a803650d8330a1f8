"""DamagedWeights: a network's results are not finite numbers, which its weights are to blame for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gluon_yolo.errors import UserError

_TEXT = (
    "gives numbers that are not finite: its weights are damaged, or those of another network; "
    "nothing was written"
)


class DamagedWeights(UserError):
    """A network's results are not finite numbers.

    Args:
        place: the network or its file, with which the message begins.
        text: the fault.
    """

    def __init__(self, place: str, text: str = _TEXT) -> None:
        super().__init__(f"{place}: {text}")
        self.text = text


@contextmanager
def weights_from(place: str | os.PathLike[str]) -> Iterator[None]:
    """Name the file or folder that a network's weights are from, where they turn out to be damaged.

    Args:
        place: with which the message begins, in place of the network's name.

    Raises:
        DamagedWeights: that of the block.
    """
    try:
        yield
    except DamagedWeights as error:
        raise DamagedWeights(os.fspath(place), error.text) from error
