"""The names that NumPy removed, answered again to mxnet's and gluoncv's own modules and to nobody else.

mxnet 1.9.1 and gluoncv 0.10.5 were written for NumPy 1.19 and will not be mended upstream. Putting
``numpy.bool`` back for everyone would change what other packages see of NumPy, so the answer depends on who
asks.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

_ASKERS = ("mxnet", "gluoncv")


def _removed_names() -> dict[str, Any]:
    """Return the removed names, each with what NumPy advises in its place."""
    names: dict[str, Any] = {
        name: getattr(builtins, name) for name in ("bool", "float", "int", "object", "str")
    }
    names.update(float_=np.float64, unicode_=np.str_)
    names.update(dict.fromkeys(("NAN", "NaN"), np.nan))
    names.update(dict.fromkeys(("Inf", "infty", "PINF"), np.inf))
    names.update(NINF=-np.inf, PZERO=0.0, NZERO=-0.0)
    names.update(product=np.prod, cumproduct=np.cumprod, alltrue=np.all, sometrue=np.any)
    names.update(in1d=_in1d, row_stack=np.vstack, msort=_msort, round_=np.round)
    names["trapz"] = vars(np).get("trapezoid") or vars(np)["trapz"]
    # mxnet.numpy.fallback reads these at import, and calls them only when a user asks for mxnet.np.npv and
    # the like.
    names.update({name: _financial(name) for name in ("mirr", "npv", "pmt", "ppmt", "pv", "rate")})
    return names


def _in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False) -> np.ndarray:
    return np.isin(np.ravel(ar1), ar2, assume_unique=assume_unique, invert=invert)


def _msort(a: Any) -> np.ndarray:
    return np.sort(a, axis=0)


def _financial(name: str) -> Callable[..., Any]:
    def absent(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"numpy.{name} left NumPy in 1.20: use the package numpy-financial")

    absent.__name__ = name
    return absent


def restore() -> None:
    """Make NumPy answer its removed names to mxnet and gluoncv; calling it again changes nothing.

    Names that the installed NumPy still has are found before a module's ``__getattr__`` is asked, so they
    stay its own.
    """
    own = np.__dict__.get("__getattr__")
    if getattr(own, "answers_removed_names", False):
        return
    removed = _removed_names()

    def answer(name: str) -> Any:
        if name in removed:
            asker = sys._getframe(1).f_globals.get("__name__") or ""
            if asker.partition(".")[0] in _ASKERS:
                return removed[name]
        if own is None:
            raise AttributeError(f"module 'numpy' has no attribute {name!r}")
        return own(name)

    vars(answer)["answers_removed_names"] = True
    vars(np)["__getattr__"] = answer
