"""The errors that a user can cause and can put right."""

from __future__ import annotations

import re

_LIBRARY = re.compile(r"\b(lib[\w+.-]*\.so(?:\.\d+)*)")
_DEBIAN_PACKAGES = {
    "libgomp.so.1": "libgomp1",
    "libquadmath.so.0": "libquadmath0",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}
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
    if isinstance(error, ModuleNotFoundError) and name == "mxnet":
        return (
            "mxnet is not installed: run `make setup`, or pip install -r requirements.txt "
            "(on Python 3.13 also: pip install --no-deps mxnet==1.9.1)"
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


class NotWritten(UserError):
    """A file or folder cannot be written."""


class NothingToLearn(UserError):
    """The training images show nothing, or nothing that is large enough, to learn from."""

    status = 1  # what was given is understood, and nothing can come of it


class MissingDependency(UserError, ImportError):
    """A package, library or driver that the work needs is absent; the message says what to install.

    It is an ImportError too, so that ``try: ... except ImportError`` and pytest's ``importorskip`` understand
    it.
    """
