"""Errors that a user can cause and can fix."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Callable

_SETTING = re.compile(r"\{([a-z][a-z_]*)\}")
_LIBRARY = re.compile(r"\b(lib[\w+.-]*\.so(?:\.\d+)*)")
_DEBIAN_PACKAGES = {
    "libgomp.so.1": "libgomp1",
    "libquadmath.so.0": "libquadmath0",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}
_ARM = ("libarmpl", "libamath.", "libastring.")  # libraries that mxnet's wheel for aarch64 links to
_EXECSTACK = "executable stack"  # part of glibc's message, in each of its versions
_PIP_NAMES = {
    "cv2": "opencv-python",
    "mxnet": "",
    "gluoncv": "gluoncv==0.10.5.post0",
    "PIL": "Pillow",
    "google": "protobuf",
    "bokeh": '".[report]"',
    "jinja2": '".[report]"',
    "ai_edge_litert": "ai-edge-litert",
    "huggingface_hub": '".[hub]"',
    "tensorboardX": '".[tensorboard]"',
    "torch": '".[torch]"',
}


def explain(error: BaseException, package: str | None = None) -> str:
    """Return a sentence with the fix for a failed import.

    Args:
        error: the exception of the import (ImportError, or OSError from a shared library).
        package: the imported package. None takes it from the error.
    """
    text = str(error)
    name = (getattr(error, "name", None) or package or "").partition(".")[0]
    library = _LIBRARY.search(text)
    lacks_library = library is not None and "cannot open shared object" in text
    if library is not None and lacks_library:
        return _explain_library(library.group(1), package or name)
    if _EXECSTACK in text:
        return (
            f"{package or name} is installed and does not load, since glibc 2.41 and newer refuse the "
            "executable stack that it asks for; allow it with: export GLIBC_TUNABLES=glibc.rtld.execstack=2"
        )
    if isinstance(error, ModuleNotFoundError) and name == "mxnet":
        return (
            "mxnet is not installed: run `make setup`, or pip install -r requirements.txt "
            "(from Python 3.13 on also: pip install --no-deps mxnet==1.9.1)"
        )
    if isinstance(error, ModuleNotFoundError) and name:
        return f"{name} is not installed: pip install {_PIP_NAMES.get(name, name)}"
    if package == "mxnet" and "numpy" in text:
        return (
            f"mxnet 1.9.1 does not get on with the installed NumPy ({_first_line(text)}): "
            "pip install -r requirements.txt brings one that is known to work"
        )
    return f"{package or name or 'a package'} is installed and does not load: {_first_line(text)}"


def _explain_library(library: str, package: str) -> str:
    if library.startswith(
        ("libGL.", "libGLX", "libEGL", "libgthread", "libglib", "libSM", "libXext", "libXrender")
    ):
        return (
            f"OpenCV does not load, since {library} is missing: apt-get install libgl1 libglib2.0-0, "
            "or, on a machine without a display, pip uninstall opencv-python, "
            "then pip install opencv-python-headless"
        )
    if library == "libcuda.so.1":
        return (
            "the installed mxnet is a CUDA build and finds no NVIDIA driver (libcuda.so.1): "
            "install the driver (in a container: docker run --gpus all), or train on the CPU: "
            "pip uninstall mxnet-cu112, then pip install -r requirements.txt"
        )
    if library.startswith(_ARM):
        return (
            f"mxnet does not load, since {library} is missing: install Arm Performance Libraries, and name "
            "their folder in LD_LIBRARY_PATH; exported models run without mxnet in the other runtimes"
        )
    if library in _DEBIAN_PACKAGES:
        wanted = _DEBIAN_PACKAGES[library]
        return f"{package} does not load, since {library} is missing: apt-get install {wanted}"
    if package == "mxnet":
        return f"mxnet is a CUDA build, and {library} is missing: pip install -r requirements-gpu.txt"
    return f"{package or 'a package'} does not load, since the system's {library} is missing: install it"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason was given"


class UserError(Exception):
    """The user's input is wrong. The message names the input, the fault and the fix.

    The command line prints the message after ``error: ``, without a traceback, and exits with ``status``.
    """

    status = 2


class _NamesSettings:
    """A message with setting names in braces."""

    message: str

    def __str__(self) -> str:
        """Return the message with the names of the settings."""
        return self.named(str)

    def named(self, name_of: Callable[[str], str]) -> str:
        """Return the message with the settings renamed by a function, for example to flags."""
        return _SETTING.sub(lambda found: name_of(found.group(1)), self.message)


class SettingError(_NamesSettings, UserError):
    """The value of a setting is invalid. The command line prints the setting as its flag.

    Args:
        message: the fault. Setting names are in braces, the wrong setting first:
            ``"{lr} -1: must be above 0"``. Other braces in the text stay as they are.

    Attributes:
        setting: the name of the wrong setting.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        first = _SETTING.search(message)
        self.setting = first.group(1) if first else ""


class SettingText(_NamesSettings):
    """A text for the log that names settings like a :class:`SettingError`.

    Args:
        message: the text, with setting names in braces.
    """

    def __init__(self, message: str) -> None:
        self.message = message


def message_of(error: Exception) -> str:
    """Return the message of an error; that of a SettingError keeps the setting names in braces."""
    return error.message if isinstance(error, SettingError) else str(error)


def extended(error: UserError, more: str, before: str = "") -> UserError:
    """Return an error with more text; a SettingError stays a SettingError.

    Args:
        error: the error.
        more: text to put behind the message.
        before: text to put in front of it.
    """
    kind = SettingError if isinstance(error, SettingError) else UserError
    return kind(f"{before}{message_of(error)}{more}")


class NotWritten(SettingError):
    """A file or folder cannot be written. The message may name the setting that chose it."""


class DamagedModel(UserError):
    """A model's numbers are not finite, whatever it is given. The message names the model."""


def check_within(setting: str, number: float, least: float, most: float = math.inf) -> None:
    """Check that the value of a setting is in its range.

    Raises:
        SettingError: it is out of the range, or NaN.
    """
    if not least <= number <= most:
        endless = math.isinf(most)
        wanted = f"expected {least} or more" if endless else f"must lie within {least} and {most}"
        raise SettingError(f"{{{setting}}} {number}: {wanted}")


@contextmanager
def blamed(places: Mapping[str, str]) -> Iterator[None]:
    """Replace the setting in an error message with the place where its value is from.

    Args:
        places: the place of each setting, such as a file and a line.

    Raises:
        UserError: the error of the block. If its message begins with a setting of ``places``, the new message
            begins with the place.
    """
    try:
        yield
    except SettingError as error:
        place = places.get(error.setting) if error.message.startswith("{") else None
        if place is None:
            raise
        raise extended(error, "", f"{place}: as ") from error


@contextmanager
def named(file: str) -> Iterator[None]:
    """Begin the message of a wrong setting with the file that it does not go with.

    Raises:
        SettingError: the error of the block, with the file's name in front.
    """
    try:
        yield
    except SettingError as error:
        raise extended(error, "", f"{file}: ") from error


class NothingToLearn(SettingError):
    """The training images have no object, or none that is large enough to learn from."""

    status = 1  # the input is valid, but no training is possible


class MissingDependency(UserError, ImportError):
    """A required package, library or driver is missing. The message names what to install.

    It is also an ImportError, so that ``try: ... except ImportError`` and pytest's ``importorskip`` catch it.
    """
