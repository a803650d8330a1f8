"""A model's folder from a stranger is data: its files name only what is in it, and nothing of it runs."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon_yolo import Predictor
from gluon_yolo.errors import UserError
from gluon_yolo.inference.runtimes.registry import RUNTIMES
from tests.trust.planted import Bomb

OLD = Path(__file__).resolve().parents[1] / "old_work"
PIXELS = np.zeros((64, 64, 3), np.uint8)


def needs(runtime: str) -> None:
    if not RUNTIMES[runtime].installed:
        pytest.skip(f"{runtime} is not installed")


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD / "exported", tmp_path / "model"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD / "run", tmp_path / "run"))


def refused(path: Path, runtime: str, said: str) -> None:
    """Check that a model is refused in one sentence that names a file of it."""
    with pytest.raises(UserError) as caught:
        Predictor.load(path, runtime=runtime)
    text = str(caught.value)
    assert text.startswith(str(path)) and said in text and "\n" not in text, text


# What NAME.json says.


@pytest.mark.parametrize("name", ["../elsewhere/x", "/tmp/x", "a/b", "..", "C:x", "a\\b", "", 3])
def test_the_name_of_a_model_is_no_path(name: Any, exported: Path) -> None:
    needs("ncnn")
    other = exported.parent / "elsewhere"
    other.mkdir()
    for ending in (".param", ".bin"):
        shutil.copy(exported / f"tiny{ending}", other / f"x{ending}")
    edit(exported / "tiny.json", lambda record: record.update(name=name))
    refused(exported, "ncnn", "a field is missing or wrong (name ")


@pytest.mark.parametrize("kind", ["symbol", "onnx", "ncnn", "mnn"])
@pytest.mark.parametrize("place", ["../elsewhere/{}", "{absolute}", "sub/{}", "..\\{}"])
def test_the_files_of_a_format_lie_in_the_folder(kind: str, place: str, exported: Path) -> None:
    (exported / "sub").mkdir()
    other = exported.parent / "elsewhere"
    shutil.copytree(exported, other)

    def change(record: dict[str, Any]) -> None:
        files = record["graphs"][kind]["files"]
        record["graphs"][kind]["files"] = [
            place.format(file, absolute=other / file) if number == 0 else file
            for number, file in enumerate(files)
        ]

    edit(exported / "tiny.json", change)
    runtime = {"symbol": "mxnet", "onnx": "onnxruntime", "ncnn": "ncnn", "mnn": "mnn"}[kind]
    refused(exported, runtime, "a field is missing or wrong (files ")


@pytest.mark.parametrize(("kind", "file"), [("onnx", "tiny.pt"), ("onnx", "tiny.xml"), ("mnn", "tiny.so")])
def test_a_format_has_its_own_kinds_of_files(kind: str, file: str, exported: Path) -> None:
    """A runtime that chooses its reader by the ending would take another one."""
    (exported / file).write_bytes((exported / "tiny.onnx").read_bytes())
    edit(exported / "tiny.json", lambda record: record["graphs"][kind].update(files=[file]))
    refused(exported, "onnxruntime", f"of {kind}: expected .{kind}")


@pytest.mark.parametrize("of_which", ["absolute", "relative"])
def test_the_network_of_a_run_is_no_path(of_which: str, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = run.parent / "outside.cfg"
    (run / "network.cfg").rename(outside)
    monkeypatch.chdir(run.parent)
    network = str(outside) if of_which == "absolute" else outside.name
    edit(run / "model.json", lambda record: record.update(network=network))
    refused(run, "mxnet", "network.cfg: no such file")


@pytest.mark.parametrize("name", ["{absolute}", "../../../outside.params", "sub/net.params", "..", None])
def test_the_last_weights_lie_in_their_folder(name: str | None, run: Path) -> None:
    outside = run.parent / "outside.params"
    shutil.copy(run / "weights" / "last" / "net-a.params", outside)
    (run / "weights" / "best.params").unlink()
    state = run / "weights" / "last" / "state.json"
    given = name and name.format(absolute=outside)
    edit(state, lambda record: record["files"]["net"].update(name=given))
    refused(run, "mxnet", "names a file that is not beside it")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.json")
    with pytest.raises(UserError, match="holds no model"):
        Predictor.load(tmp_path)


def test_what_is_no_parameter_file_is_not_unpickled(run: Path) -> None:
    mark = run.parent / "mark"
    (run / "weights" / "best.params").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(UserError):
        Predictor.load(run, runtime="mxnet")
    assert not mark.exists()


# What is in an ONNX file.


def onnx_model(folder: Path) -> Any:
    return pytest.importorskip("onnx").load(folder / "tiny.onnx")


def leave_values(tensor: Any, place: str) -> bytes:
    """Let a tensor have its values in another file, and return them."""
    values = bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", place
    return values


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "place", ["{absolute}", "../outside.bin", "link.bin", "inside.bin", "sub/../inside.bin"]
)
def test_onnx_keeps_its_values_in_itself(place: str, runtime: str, exported: Path) -> None:
    needs(runtime)
    outside = exported.parent / "outside.bin"
    model = onnx_model(exported)
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = leave_values(tensor, place.format(absolute=outside))
    outside.write_bytes(values)
    (exported / "inside.bin").write_bytes(values)
    (exported / "link.bin").symlink_to(outside)
    (exported / "tiny.onnx").write_bytes(model.SerializeToString())
    refused(exported, runtime, "keeps weights in another file")


@pytest.mark.parametrize("where", ["constant", "subgraph", "function", "sparse"])
def test_onnx_keeps_its_values_in_itself_everywhere(where: str, exported: Path) -> None:
    needs("onnxruntime")
    onnx = pytest.importorskip("onnx")
    model = onnx_model(exported)
    tensor = onnx.numpy_helper.from_array(np.ones(4, np.float32), "x")
    leave_values(tensor, "/etc/passwd")
    constant = onnx.helper.make_node("Constant", [], ["x"], value=tensor)
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    if where == "constant":
        model.graph.node.append(constant)
    elif where == "subgraph":
        model.graph.node.append(
            onnx.helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        )
    elif where == "function":
        opset = [onnx.helper.make_opsetid("", 13)]
        model.functions.append(onnx.helper.make_function("d", "f", [], ["x"], [constant], opset))
    else:
        sparse = model.graph.sparse_initializer.add()
        sparse.values.CopyFrom(tensor)
    (exported / "tiny.onnx").write_bytes(model.SerializeToString())
    refused(exported, "onnxruntime", "keeps weights in another file")


@pytest.mark.parametrize(
    "junk", [b"", b"\x00", b"\x3b", b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x3a\x05"]
)
def test_what_is_no_onnx_is_one_sentence(junk: bytes, exported: Path) -> None:
    """Of these 0x3b begins a group, in which a reader that knows none would miss what follows."""
    needs("onnxruntime")
    (exported / "tiny.onnx").write_bytes(junk)
    refused(exported, "onnxruntime", "is damaged or no ONNX file")


def test_a_whole_onnx_is_read(exported: Path) -> None:
    needs("onnxruntime")
    Predictor.load(exported, runtime="onnxruntime")(PIXELS)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_an_operator_of_a_foreign_library_is_refused(runtime: str, exported: Path) -> None:
    needs(runtime)
    model = onnx_model(exported)
    model.graph.node[3].domain = "of.the.attacker"
    model.opset_import.add(domain="of.the.attacker", version=1)
    (exported / "tiny.onnx").write_bytes(model.SerializeToString())
    refused(exported, runtime, "is damaged or no ONNX file")


# What is in the files of the others.


def openvino_folder(exported: Path) -> Path:
    """Convert the ONNX file to OpenVINO's own, and return the xml."""
    openvino = pytest.importorskip("openvino")
    xml = exported / "tiny-openvino.xml"
    openvino.save_model(openvino.Core().read_model(exported / "tiny.onnx"), xml, compress_to_fp16=False)
    (exported / "tiny.onnx").unlink()

    def change(record: dict[str, Any]) -> None:
        graph = record["graphs"].pop("onnx")
        record["graphs"] = {"openvino": {**graph, "files": [xml.name, "tiny-openvino.bin"]}}

    edit(exported / "tiny.json", change)
    Predictor.load(exported, runtime="openvino")(PIXELS)
    return xml


def test_openvino_loads_no_extension(exported: Path) -> None:
    xml = openvino_folder(exported)
    text = xml.read_text()
    at = text.index('type="Convolution"')
    changed = f'{text[:at]}type="Evil"{text[at + len("type=") + len("Convolution") + 2 :]}'
    for version in ("opset1", "extension", str(exported / "libevil.so")):
        (exported / "libevil.so").write_bytes(b"\x7fELF")
        xml.write_text(changed.replace('type="Evil" version="opset1"', f'type="Evil" version="{version}"'))
        refused(exported, "openvino", "is damaged")


def test_openvino_takes_its_weights_from_the_file_beside_it(exported: Path) -> None:
    xml = openvino_folder(exported)
    (exported / "tiny-openvino.bin").write_bytes(b"")  # each constant lies beyond its end
    refused(exported, "openvino", "is damaged")
    assert xml.exists()


@pytest.mark.parametrize("what", ["entities", "file"])
def test_an_xml_expands_nothing(what: str, tmp_path: Path) -> None:
    """A record is looked for in an ``.xml`` by Python's own parser."""
    secret = tmp_path / "secret"
    secret.write_text("of the user")
    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12)
    )
    declared, used = (entities, "&m;") if what == "entities" else (f'<!ENTITY x SYSTEM "{secret}">', "&x;")
    (tmp_path / "model.xml").write_text(
        f'<!DOCTYPE net [{declared}]><net><rt_info><gluon_yolo value="1"/>{used}</rt_info></net>'
    )
    refused(tmp_path / "model.xml", "openvino", "")


def test_ncnn_has_no_layer_of_a_library(exported: Path) -> None:
    needs("ncnn")
    param = exported / "tiny.param"
    param.write_text(param.read_text().replace("Convolution ", "Evil ", 1))
    with pytest.raises(UserError) as caught:
        Predictor.load(exported, runtime="ncnn")
    assert str(caught.value).startswith(f"{param}: is damaged or no file of ncnn's")


@pytest.mark.parametrize("layer", ["Python", "Custom", "Evil"])
def test_caffe_runs_no_layer_of_python(layer: str, tmp_path: Path) -> None:
    pytest.importorskip("google.protobuf")
    from gluon_yolo.models.caffe.network import build

    mark = tmp_path / "mark"
    (tmp_path / "evil.py").write_text(f"open({os.fspath(mark)!r}, 'w')")
    path = tmp_path / "network.prototxt"
    path.write_text(
        'name: "x"\ninput: "data"\ninput_dim: 1\ninput_dim: 3\ninput_dim: 8\ninput_dim: 8\n'
        f'layer {{ name: "l" type: "{layer}" bottom: "data" top: "y" '
        'python_param { module: "evil" layer: "Evil" } }\n'
    )
    with pytest.raises(UserError, match="network.prototxt"):
        build(path, "x", "rgb", [0, 0, 0], [1, 1, 1])
    assert not mark.exists()
