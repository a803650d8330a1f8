"""A symbol that names an operator that does more than compute is refused before mxnet reads it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from gluon_yolo import Predictor
from gluon_yolo.cli import main
from gluon_yolo.errors import UserError
from gluon_yolo.graph.operators import KNOWN, unknown_operator
from gluon_yolo.mxnet_compat import mx

OLD = Path(__file__).resolve().parents[1] / "old_work"
ATTACKS = {
    "_Native": {"info": "0x0"},  # mxnet 1.9.1 calls what is at this address, while it reads the file
    "_NDArray": {"info": "0x0"},
    "Custom": {"op_type": "of_the_attacker"},
    "_cvimread": {"filename": "/etc/passwd"},
    "_CachedOp": {},
    "_foreach": {},
    "of_a_library": {},
}


def symbol_with(folder: Path, operator: str, attributes: dict[str, str]) -> Path:
    """Put an operator into an exported model, in the place of an activation."""
    file = folder / "tiny-symbol.json"
    record = json.loads(file.read_text())
    node = next(node for node in record["nodes"] if node["op"] == "LeakyReLU")
    node["op"], node["attrs"] = operator, attributes
    file.write_text(json.dumps(record))
    return file


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD / "exported", tmp_path / "model"))


@pytest.mark.parametrize("operator", ATTACKS)
@pytest.mark.parametrize("runtime", ["mxnet", "torch"])
def test_an_operator_that_may_run_something_is_refused(
    operator: str, runtime: str, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if runtime == "torch":
        pytest.importorskip("torch", reason="the runtime needs it")
    file = symbol_with(exported, operator, ATTACKS[operator])
    for name in ("load", "load_json", "fromjson"):  # mxnet would crash, and this test with it
        monkeypatch.setattr(mx.sym, name, lambda *_: pytest.fail("mxnet was given the symbol"), raising=False)
    with pytest.raises(UserError) as caught:
        Predictor.load(exported, runtime=runtime)
    assert str(caught.value).startswith(f"{file}: has the operator '{operator}'")


def test_the_command_ends_with_status_2(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = symbol_with(exported, "_Native", {"info": "0x0"})
    image = OLD / "data" / "images" / "val" / "24.png"
    image = image if image.exists() else next((OLD / "data" / "images" / "val").iterdir())
    words = [
        "demo",
        "--model",
        str(exported),
        str(image),
        "--runtime",
        "mxnet",
        "--out",
        str(exported / "out"),
    ]
    assert main(words) == 2
    assert f"error: {file}: has the operator '_Native'" in capsys.readouterr().err


def test_a_graph_within_a_node_is_looked_into() -> None:
    file = OLD / "quantized" / "int8" / "tiny-symbol.json"
    record = json.loads(file.read_text())
    assert unknown_operator(record) is None
    inner = next(node["subgraphs"][0] for node in record["nodes"] if "subgraphs" in node)
    next(node for node in inner["nodes"] if node["op"] == "Convolution")["op"] = "_Native"
    assert unknown_operator(record) == "_Native"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"nodes": 3}', '{"nodes": [{"op": []}]}', '{"nodes": [3]}', "[" * 100_000],
    ids=["empty", "list", "no-nodes", "number", "list-as-operator", "number-as-node", "deep"],
)
def test_the_text_of_no_symbol_is_one_sentence(text: str, exported: Path) -> None:
    file = exported / "tiny-symbol.json"
    file.write_text(text)
    with pytest.raises(UserError, match="is damaged or no mxnet file") as caught:
        Predictor.load(exported, runtime="mxnet")
    assert str(caught.value).startswith(f"{file}: ")


def test_mxnet_reads_what_was_checked(exported: Path) -> None:
    """A second list of nodes, of which one reader takes the first and the other the last."""
    file = exported / "tiny-symbol.json"
    bad: dict[str, Any] = {"op": "_Native", "name": "x", "attrs": {"info": "0x0"}, "inputs": []}
    text = file.read_text().lstrip()
    file.write_text(f'{{"nodes": [{json.dumps(bad)}],' + text[1:])
    Predictor.load(exported, runtime="mxnet")
    rest = '"heads": [[0, 0, 0]], "arg_nodes": [], "node_row_ptr": [0, 1]'
    file.write_text(text.rstrip()[:-1] + f', "nodes": [{json.dumps(bad)}], {rest}}}')
    with pytest.raises(UserError, match="has the operator '_Native'"):
        Predictor.load(exported, runtime="mxnet")


def test_the_cpp_program_knows_the_same_operators() -> None:
    text = (OLD.parents[1] / "deploy" / "mxnet_cpp" / "symbol.cpp").read_text()
    (listed,) = re.findall(r"kKnown = \{(.*?)\};", text, re.DOTALL)
    assert re.findall(r'"(\w+)"', listed) == sorted(KNOWN)


def test_what_does_more_than_compute_is_not_known() -> None:
    dangerous = ("Custom", "_Native", "_NDArray", "_cvimread", "_cvimdecode", "_CachedOp", "_FusedOp")
    assert not KNOWN & {*dangerous, "_CustomFunction", "_foreach", "_while_loop", "_cond", "_TensorRT"}
    assert len(KNOWN) > 150
