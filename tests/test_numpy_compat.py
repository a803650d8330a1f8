"""NumPy's removed names answer to mxnet and gluoncv, and to nobody else."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo import numpy_compat

NAMES = sorted(numpy_compat._removed_names())


@pytest.fixture(autouse=True)
def _restored():
    numpy_compat.restore()


def ask(name, asker):
    """Look a NumPy name up from inside a module called ``asker``."""
    space = {"__name__": asker, "np": np}
    exec(f"found = np.{name}", space)
    return space["found"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("asker", ["mxnet", "mxnet.numpy.fallback", "gluoncv.data.transforms.bbox"])
def test_they_answer_to_mxnet_and_gluoncv(name, asker):
    ask(name, asker)


def test_from_numpy_import_answers_too():
    space = {"__name__": "mxnet.somewhere"}
    exec("from numpy import float", space)
    assert space["float"] is float


@pytest.mark.parametrize("asker", [__name__, "mxnet_tools", "gluoncvx.data", ""])
def test_numpy_float_still_raises_for_everyone_else(asker):
    with pytest.raises(AttributeError, match="numpy"):
        ask("float", asker)


def test_everyone_else_gets_numpys_own_words():
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        ask("no_such_name", "mxnet")
    assert not hasattr(np, "int")


def test_names_that_this_numpy_has_stay_its_own():
    for name in set(NAMES) & set(vars(np)):
        assert ask(name, "mxnet") is vars(np)[name]


def test_twice_is_once():
    before = np.__getattr__
    numpy_compat.restore()
    assert np.__getattr__ is before


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("in1d", ([[1, 2], [3, 4]], [2, 4]), [False, True, False, True]),
        ("msort", ([[3, 1], [2, 4]],), [[2, 1], [3, 4]]),
        ("row_stack", (([1, 2], [3, 4]),), [[1, 2], [3, 4]]),
        ("product", ([2, 3],), 6),
        ("cumproduct", ([2, 3],), [2, 6]),
        ("alltrue", ([True, False],), False),
        ("sometrue", ([True, False],), True),
        ("trapz", ([1.0, 3.0],), 2.0),
        ("round_", (2.6,), 3.0),
    ],
)
def test_the_stand_ins_compute_what_numpy_did(name, arguments, expected):
    np.testing.assert_array_equal(numpy_compat._removed_names()[name](*arguments), expected)


def test_a_financial_function_says_where_it_went():
    with pytest.raises(NotImplementedError, match="numpy-financial"):
        numpy_compat._removed_names()["npv"](0.1, [1, 2])
