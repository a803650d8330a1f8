"""NumPy compatibility: names that NumPy removed are restored for the modules of mxnet and gluoncv only.

mxnet 1.9.1 and gluoncv 0.10.5 were written for NumPy 1.19 and are no longer maintained. A ``numpy.bool`` for
everyone would change what other packages detect of NumPy, so ``numpy.__getattr__`` looks at its caller.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

_PACKAGES = ("mxnet", "gluoncv")


def _removed_names() -> dict[str, Any]:
    """Return the removed names with the replacements that NumPy recommends."""
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
    # mxnet.numpy.fallback reads these at import, and calls them only for a user's mxnet.np.npv and similar.
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
    """Restore NumPy's removed names for mxnet and gluoncv; a second call changes nothing.

    Python calls a module's ``__getattr__`` only for names that the module lacks, so names that the installed
    NumPy still has are unchanged.
    """
    own = np.__dict__.get("__getattr__")
    if getattr(own, "answers_removed_names", False):
        return
    removed = _removed_names()

    def answer(name: str) -> Any:
        if name in removed:
            caller = sys._getframe(1).f_globals.get("__name__") or ""
            if caller.partition(".")[0] in _PACKAGES:
                return removed[name]
        if own is None:
            raise AttributeError(f"module 'numpy' has no attribute {name!r}")
        return own(name)

    vars(answer)["answers_removed_names"] = True
    vars(np)["__getattr__"] = answer
