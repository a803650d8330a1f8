"""The pickle in a gluon trainer's file of states, read without running code from it.

A pickle can call any function that Python can import. This reader knows the few names with which mxnet
describes an optimizer and its arrays, and rejects a file with any other name.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, NamedTuple

from gluon_yolo.errors import UserError
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.weights.pth_pickle import ERRORS

_HOMES = ("mxnet.optimizer", "gluon_yolo.training")  # packages of optimizers
_AFRESH = "start again, or fine-tune from weights/best.params"


class StoredArray(NamedTuple):
    """An array as mxnet stores it.

    Args:
        content: of ``NDArray.__getstate__``; None for an array without values.
    """

    content: bytes | None

    def read(self) -> nd.NDArray:
        """Return the array, on the device that it was saved from.

        Raises:
            MXNetError: the content is damaged.
        """
        array = nd.NDArray(None)
        array.__setstate__({"handle": None if self.content is None else bytearray(self.content)})
        return array


class OptimizerState(NamedTuple):
    """What a trainer's file of states holds.

    Args:
        states: by the number of the parameter: an array, a tuple of them, or None.
        settings: the optimizer's attributes: numbers, texts, and collections of them.
    """

    states: Mapping[int, Any]
    settings: Mapping[str, Any]


def read_states(path: Path, optimizer: type) -> OptimizerState:
    """Read the file of ``Trainer.save_states``. No code of the pickle is run.

    Args:
        path: of the file.
        optimizer: the class that it has to be of. One that comes from mxnet's may be saved as that.

    Raises:
        UserError: it has other objects than an optimizer's, or is damaged.
    """
    try:
        states, settings = _Unpickler(path, optimizer).load()
        if not isinstance(states, dict) or not isinstance(settings, _Settings):
            raise ValueError("these are no states and optimizer")
        return OptimizerState(
            {int(number): _plain(state) for number, state in states.items()},
            {str(name): _plain(value) for name, value in settings.found.items()},
        )
    except ERRORS as error:
        raise UserError(f"{path}: damaged, or no optimizer's states ({error}); {_AFRESH}") from error


class _Call:
    """A function that the pickle can call. Each pickle has its own, so it can only break its own."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


class _Settings:
    """The stand-in of an optimizer: its attributes. Each pickle has subclasses of its own."""

    found: Mapping[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.found = dict(state)


class _Array:
    """The stand-in of an array, until the pickle has given its content."""

    def __init__(self) -> None:
        self.content: bytes | None = None

    def __setstate__(self, state: Any) -> None:
        content = state["handle"]
        self.content = None if content is None else bytes(content)


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows only the names with which mxnet describes optimizers and arrays."""

    def __init__(self, path: Path, optimizer: type) -> None:
        super().__init__(io.BytesIO(path.read_bytes()))
        self.path = path
        self.known: dict[str, Any] = {
            "builtins.bytearray": _Call(_bytes),
            "builtins.object": "object",
            "copyreg._reconstructor": _Call(_rebuilt),
            "mxnet.ndarray.ndarray.NDArray": _Call(_array),
        }
        for kind in optimizer.__mro__[:-1]:
            for home in _HOMES:  # a class may have moved since
                self.known[f"{home}.{kind.__name__}"] = type(kind.__name__, (_Settings,), {})

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name.

        Raises:
            UserError: the name is not known.
        """
        home = next((home for home in _HOMES if module.startswith(f"{home}.")), module)
        if f"{home}.{name}" not in self.known:
            raise UserError(
                f"{self.path}: holds a {module}.{name}; only an optimizer's numbers are read, since anything "
                f"else can run a program; {_AFRESH}"
            )
        return self.known[f"{home}.{name}"]


def _bytes(content: Any) -> bytes:
    if not isinstance(content, bytes):
        raise ValueError("an array without bytes")
    return content


def _array(handle: Any) -> _Array:
    if handle is not None:  # mxnet would take a number for an address
        raise ValueError("an array with an address")
    return _Array()


def _rebuilt(kind: Any, base: Any, state: Any) -> _Settings:
    if not (isinstance(kind, type) and issubclass(kind, _Settings)) or state is not None:
        raise ValueError("an object that is no optimizer")
    return kind()


def _plain(value: Any) -> Any:
    """Return a value with its arrays as :class:`StoredArray`.

    Raises:
        ValueError: it has something else than numbers, texts, arrays and collections.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, _Array):
        return StoredArray(value.content)
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    raise ValueError(f"a {type(value).__name__} among its numbers")
