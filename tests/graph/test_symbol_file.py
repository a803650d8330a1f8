"""Files of graphs: what mxnet writes passes; numbers that lead nowhere never reach mxnet's reader."""

from __future__ import annotations

import json

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.graph import symbol_file
from gluon_yolo.mxnet_compat import mx


def written(**changes):
    data = mx.sym.var("data")
    record = json.loads(mx.sym.relu(data * 2, name="last").tojson())
    return json.dumps({**record, **changes})


NODES = json.loads(written())["nodes"]


def with_node(**changes):
    return written(nodes=[*NODES[:-1], {**NODES[-1], **changes}])


BAD = {
    "no JSON": ("{", "Expecting property name"),
    "nested": ("[" * 100_000, "its lists and objects are nested too deeply"),
    "a list": ("[]", "it has no list of nodes"),
    "no nodes": (written(nodes=[]), "it has no list of nodes"),
    "a node without a name": (with_node(name=None), "its node 2 has no op and name"),
    "attributes that are numbers": (with_node(attrs={"a": 1}), "its node 2 has attrs that are no words"),
    "a node that reads itself": (with_node(inputs=[[2, 0, 0]]), "its node 2 reads node 2, of 2 that are"),
    "a node that reads what is not there": (with_node(inputs=[[2**40, 0, 0]]), "reads node 1099511627776"),
    "a node before the first": (
        with_node(inputs=[[-1, 0, 0]]),
        "its node 2 reads node -1, of 2",
    ),
    "an output far away": (with_node(inputs=[[0, 2**31, 0]]), "its node 2 reads [0, 2147483648, 0]"),
    "an input that is no list": (with_node(inputs=[1]), "its node 2 reads: expected a list"),
    "a head that is not there": (written(heads=[[3, 0, 0]]), "it returns node 3, of 3 that are there"),
    "an argument that is not there": (written(arg_nodes=[9]), "it has an argument 9 of 3 nodes"),
    "rows of other nodes": (written(node_row_ptr=[0, 1]), "its node_row_ptr does not fit its nodes"),
}


@pytest.mark.parametrize("name", BAD)
def test_damage_is_an_error_before_mxnet_reads_it(name, tmp_path):
    text, message = BAD[name]
    path = tmp_path / "x-symbol.json"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        symbol_file.checked_text(path)
    assert str(error.value).startswith(f"{path}: is damaged or no mxnet file (") and message in str(
        error.value
    )


def test_what_mxnet_writes_is_read(tmp_path):
    path = tmp_path / "x-symbol.json"
    path.write_text(written())
    assert mx.sym.load_json(symbol_file.checked_text(path)).list_arguments() == ["data"]
