"""The text of a symbol: what mxnet's ``Symbol.tojson`` returns, without the memory that it loses."""

from __future__ import annotations

import ctypes

from gluon_yolo.mxnet_compat import mx


def text_of(symbol: mx.sym.Symbol) -> str:
    """Return a symbol as JSON without the casts of mixed precision, as ``symbol.tojson()`` does.

    mxnet 1.9.1 makes a copy of the graph for that and never frees it: 75 KB for a graph of 28 KB of text.
    """
    copy = mx.base.SymbolHandle()
    mx.base.check_call(mx.base._LIB.MXSymbolRemoveAmpCast(symbol.handle, ctypes.byref(copy)))
    return mx.sym.Symbol(copy).tojson(remove_amp_cast=False)  # this one is freed with its object
