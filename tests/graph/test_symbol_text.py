"""The text of a symbol: mxnet's own, and nothing stays behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import gluon_yolo
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.mxnet_compat import mx
from tests.child import python
from tests.random_model import random_detector

CALLS = 200
SCRIPT = f"""
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.system import memory
from tests.random_model import random_detector
symbol = mx.sym.Group(list(random_detector()(mx.sym.var("data"))))
texts = {{len(text_of(symbol)) for _ in range(20)}}
before = memory.resident()
for _ in range({CALLS}):
    texts.add(len(text_of(symbol)))
print(len(texts), memory.resident() - before)
"""


def test_it_is_mxnets():
    symbol = mx.sym.Group(list(random_detector()(mx.sym.var("data"))))
    assert text_of(symbol) == symbol.tojson()
    halved = mx.sym.relu(mx.sym.amp_cast(mx.sym.var("x"), dtype="float16"))
    assert text_of(halved) == halved.tojson() and '"op": "amp_cast"' not in text_of(halved)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_nothing_of_it_stays_in_memory():
    """With ``tojson()`` each call keeps more than the text."""
    texts, grown = map(int, python("-c", SCRIPT).stdout.split())
    symbol = mx.sym.Group(list(random_detector()(mx.sym.var("data"))))
    assert texts == 1 and grown < 0.2 * CALLS * len(text_of(symbol))


def test_no_module_takes_the_other_way():
    package = Path(gluon_yolo.__file__).parent
    found = [path.name for path in package.rglob("*.py") if ".tojson()" in path.read_text(encoding="utf-8")]
    assert found == ["symbol_text.py"]  # its docstring
