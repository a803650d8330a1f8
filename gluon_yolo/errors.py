"""The errors that a user can cause and can put right."""

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
_ARM = ("libarmpl", "libamath.", "libastring.")  # which mxnet's wheel for aarch64 is linked to
_EXECSTACK = "executable stack"  # as glibc says it, in each of its versions
_PIP_NAMES = {"cv2": "opencv-python", "mxnet": "", "gluoncv": "gluoncv==0.10.5.post0", "PIL": "Pillow"}


def explain(error: BaseException, package: str | None = None) -> str:
    """Turn the error of a failed import into a sentence that says what to do.

    Args:
        error: what the import raised (ImportError, or OSError from a shared library).
        package: the package that was being imported; None takes it from the error.
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
    """Something the user gave is wrong; the message names it, says why, and says what to do.

    The command line prints the message after ``error: `` without a traceback and exits with its status.
    """

    status = 2


class SettingError(UserError):
    """A setting whose value cannot be meant so; the command line calls settings by their flags.

    Args:
        message: what is wrong. Settings stand in it by name in braces, the one at fault first:
            ``"{lr} -1: must be above 0"``. No other brace in the text is touched.

    Attributes:
        setting: the name of the setting at fault.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        first = _SETTING.search(message)
        self.setting = first.group(1) if first else ""

    def __str__(self) -> str:
        """Return the message with the settings' own names."""
        return self.named(str)

    def named(self, name_of: Callable[[str], str]) -> str:
        """Return the message with another name for each setting, such as its flag."""
        return _SETTING.sub(lambda found: name_of(found.group(1)), self.message)


class SettingText:
    """A text that names settings as :class:`SettingError` does, for the log.

    Args:
        message: settings stand in it by name in braces.
    """

    def __init__(self, message: str) -> None:
        self.message = message

    def __str__(self) -> str:
        """Return the text with the settings' own names."""
        return self.named(str)

    def named(self, name_of: Callable[[str], str]) -> str:
        """Return the text with another name for each setting, such as its flag."""
        return _SETTING.sub(lambda found: name_of(found.group(1)), self.message)


def extended(error: UserError, more: str, before: str = "") -> UserError:
    """Return an error that says more; one about a setting stays one.

    Args:
        error: the error.
        more: what is said behind it.
        before: what is said in front of it.
    """
    if isinstance(error, SettingError):
        return SettingError(f"{before}{error.message}{more}")
    return UserError(f"{before}{error}{more}")


class NotWritten(SettingError):
    """A file or folder cannot be written; the advice may name the setting that chose it."""


def check_within(setting: str, number: float, least: float, most: float = math.inf) -> None:
    """Demand that a setting's number lies within its range.

    Raises:
        SettingError: it does not, or is NaN.
    """
    if not least <= number <= most:
        endless = math.isinf(most)
        wanted = f"expected {least} or more" if endless else f"must lie within {least} and {most}"
        raise SettingError(f"{{{setting}}} {number}: {wanted}")


@contextmanager
def blamed(places: Mapping[str, str]) -> Iterator[None]:
    """Turn an error about a setting into one about the place that its value is from.

    Args:
        places: by setting, as messages begin.

    Raises:
        UserError: as the work within does; one that begins with a setting of ``places`` begins with its
            place.
    """
    try:
        yield
    except SettingError as error:
        place = places.get(error.setting) if error.message.startswith("{") else None
        if place is None:
            raise
        raise extended(error, "", f"{place}: as ") from error


class NothingToLearn(SettingError):
    """The training images show nothing, or nothing that is large enough, to learn from."""

    status = 1  # what was given is understood, and nothing can come of it


class MissingDependency(UserError, ImportError):
    """A package, library or driver that the work needs is absent; the message says what to install.

    It is an ImportError too, so that ``try: ... except ImportError`` and pytest's ``importorskip`` understand
    it.
    """
