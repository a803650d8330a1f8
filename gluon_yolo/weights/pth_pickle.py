"""What the pickle in a ``.pth`` file says, read without running what a pickle may ask to run.

A pickle can call any function that Python can import. The reader here knows the handful of names by which
PyTorch describes tensors, and refuses the file at any other.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any, Callable, NamedTuple

from gluon_yolo.errors import UserError

BFLOAT16 = "bfloat16"  # the upper half of a float32; NumPy has no such type
ADVICE = "save it anew with torch.save(model.state_dict(), path)"
# What a damaged or a made-up pickle, or the array that it describes, can bring up.
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
    """Numbers in a row.

    Args:
        kind: their type, by NumPy's name or ``BFLOAT16``.
        key: which of the file's storages.
        length: how many.
    """

    kind: str
    key: str
    length: int


class Tensor(NamedTuple):
    """A view of a storage, unchecked; a tuple, since a pickle can change the attributes of other objects.

    Args:
        storage: its numbers.
        offset: of its first number.
        shape: of the tensor.
        strides: numbers from one to the next along each axis.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pickle(pickled: bytes, source: str) -> Any:
    """Return what a pickle describes: dicts, lists, numbers and strings, with each tensor a :class:`Tensor`.

    Args:
        pickled: the pickle.
        source: where it comes from, for messages.

    Raises:
        UserError: it holds other things, or is damaged. Nothing in it has been run.
    """
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            # Python would set aside memory for as many places.
            if opcode.name.endswith("PUT") and int(str(argument)) > len(pickled):
                raise ValueError("a place beyond its memo")
        return _Unpickler(pickled, source).load()
    except ERRORS as error:
        raise UserError(f"{source}: what it says of its tensors is damaged ({error}); get it anew") from error


class _Mapping(dict):
    """What an OrderedDict becomes: Python's dict keeps the order too."""

    def __setstate__(self, state: object) -> None:
        """Forget attributes, such as a state dict's ``_metadata``."""


class _Kind(str):
    """A type of storage."""


class _Call:
    """A function that the pickle may call; one for each pickle, which can spoil it for itself only.

    Args:
        function: to call.
    """

    def __init__(self, function: Callable[..., Tensor]):
        """Store it."""
        self.function = function

    def __call__(self, *arguments: Any) -> Tensor:
        """Call it."""
        return self.function(*arguments)


class _Unpickler(pickle.Unpickler):
    """Know the names by which PyTorch describes tensors.

    Args:
        pickled: the pickle.
        source: where it comes from.
    """

    def __init__(self, pickled: bytes, source: str):
        """Go to the beginning."""
        super().__init__(io.BytesIO(pickled), encoding="utf-8")
        self.source = source
        self.known: dict[str, Any] = {
            "collections.OrderedDict": _Mapping,
            "torch._utils._rebuild_tensor_v2": _Call(_tensor),
            "torch._utils._rebuild_parameter": _Call(_parameter),
            **{f"torch.{name}": _Kind(kind) for name, kind in _KINDS.items()},
        }

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name here.

        Raises:
            UserError: for a name that is not known.
        """
        if f"{module}.{name}" not in self.known:
            raise UserError(
                f"{self.source}: holds a {module}.{name}; only tensors are read, since anything else can "
                f"run a program; {ADVICE}"
            )
        return self.known[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> Storage:
        """Turn ``("storage", kind, key, device, length)`` into a description."""
        word, kind, key, _, length = pid
        if word != "storage" or not isinstance(kind, _Kind) or not isinstance(key, str):
            raise ValueError("a storage without kind or key")
        return Storage(str(kind), key, _count(length))


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: object) -> Tensor:
    """Describe a tensor; what follows its strides is of the gradient."""
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
