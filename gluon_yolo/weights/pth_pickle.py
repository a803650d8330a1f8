"""The pickle in a ``.pth`` file, read without running code from it.

A pickle can call any function that Python can import. This reader knows the few names with which PyTorch
describes tensors, and rejects a file with any other name.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any, Callable, NamedTuple

from gluon_yolo.errors import UserError

BFLOAT16 = "bfloat16"  # the upper half of a float32; NumPy has no such type
ADVICE = "save it anew with torch.save(model.state_dict(), path)"
# Errors that a damaged or malicious pickle, or the array that it describes, can raise.
ERRORS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
_KINDS = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class Storage(NamedTuple):
    """A sequence of values.

    Args:
        kind: their type, NumPy's name or ``BFLOAT16``.
        key: name of the storage in the file.
        length: number of values.
    """

    kind: str
    key: str
    length: int


class Tensor(NamedTuple):
    """A view of a storage, not checked. A tuple, because a pickle can change attributes of other objects.

    Args:
        storage: its values.
        offset: index of its first value.
        shape: of the tensor.
        strides: step of each axis, in values.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pickle(pickled: bytes, source: str, storages: list[Storage] | None = None) -> Any:
    """Return the objects of a pickle: dicts, lists, numbers, strings, and tensors as :class:`Tensor`.

    Args:
        pickled: the pickle.
        source: for messages.
        storages: a list to which all storages that the pickle names are added, also unused ones.

    Raises:
        UserError: it has other objects, or is damaged. No code of the pickle is run.
    """
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            # Python allocates a memo of this size.
            if opcode.name.endswith("PUT") and int(str(argument)) > len(pickled):
                raise ValueError("a place beyond its memo")
        unpickler = _Unpickler(pickled, source)
        objects = unpickler.load()
        if storages is not None:
            storages += unpickler.storages
        return objects
    except ERRORS as error:
        raise UserError(f"{source}: what it says of its tensors is damaged ({error}); get it anew") from error


class _Mapping(dict):
    """The replacement of OrderedDict: a dict keeps the order too."""

    def __setstate__(self, state: object) -> None:
        """Ignore attributes, such as a state dict's ``_metadata``."""


class _Kind(str):
    """A type of storage."""


class _Call:
    """A function that the pickle can call. Each pickle has its own, so it can only break its own.

    Args:
        function: to call.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Tensor:
        return self.function(*arguments)


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows only the names with which PyTorch describes tensors.

    Args:
        pickled: the pickle.
        source: for messages.
    """

    def __init__(self, pickled: bytes, source: str) -> None:
        super().__init__(io.BytesIO(pickled), encoding="utf-8")
        self.source = source
        self.storages: list[Storage] = []
        self.known: dict[str, Any] = {
            "collections.OrderedDict": _Mapping,
            "torch._utils._rebuild_tensor_v2": _Call(_tensor),
            "torch._utils._rebuild_tensor": _Call(_tensor),
            "torch._utils._rebuild_parameter": _Call(_parameter),
            **{f"torch.{name}": _Kind(kind) for name, kind in _KINDS.items()},
        }

    def find_class(self, module: str, name: str) -> Any:
        """Return the replacement for a name.

        Raises:
            UserError: the name is not known.
        """
        if f"{module}.{name}" not in self.known:
            raise UserError(
                f"{self.source}: holds a {module}.{name}; only tensors are read, since anything else can "
                f"run a program; {ADVICE}"
            )
        return self.known[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> Storage:
        """Turn ``("storage", kind, key, device, length)`` into a :class:`Storage`.

        Files from before PyTorch 1.6 have a sixth entry: the part of another storage that this one is, or
        None.
        """
        word, kind, key, _, length, *part = pid
        if word != "storage" or not isinstance(kind, _Kind) or not isinstance(key, str):
            raise ValueError("a storage without kind or key")
        if part not in ([], [None]):
            raise ValueError("a storage that is a part of another one")
        self.storages.append(Storage(str(kind), key, _count(length)))
        return self.storages[-1]


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: object) -> Tensor:
    """Return a tensor; the arguments after its strides are about its gradient."""
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without a storage")
    shape, strides = tuple(map(_count, shape)), tuple(map(_count, strides))
    if len(shape) != len(strides):
        raise ValueError("a tensor whose shape and strides disagree")
    return Tensor(storage, _count(offset), shape, strides)


def _parameter(tensor: Any, *_: object) -> Tensor:
    """Return the tensor of a ``torch.nn.Parameter``."""
    if not isinstance(tensor, Tensor):
        raise ValueError("a parameter without a tensor")
    return tensor


def _count(number: Any) -> int:
    if not isinstance(number, int) or number < 0:
        raise ValueError("a count that is none")
    return number
