"""The kinds of files: a folder with a good one of each, and the command that reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from endurance.garbage.child import CALL
from gluon_yolo.inference.runtimes.registry import RUNTIMES

ROOT = Path(__file__).resolve().parents[2]
OLD = ROOT / "tests" / "old_work"
SIDE = 64


class Kind(NamedTuple):
    """A kind of files.

    Args:
        name: of it.
        make: writes a folder with good files.
        victims: the files to damage, relative to the folder.
        words: the command, where ``{in}`` is the folder and ``{out}`` a folder that it may write to; or
            ``CALL``, a function, and what it is given.
        good: exit statuses of a reader that has done its work; ``data check`` has 1 for wrong data.
        part: of the files that are asked for: less than 1 where a command takes long.
    """

    name: str
    make: Callable[[Path], None]
    victims: Sequence[str]
    words: Sequence[str]
    good: Sequence[int] = (0,)
    part: float = 1.0


def _images(folder: Path, count: int = 2) -> list[np.ndarray]:
    from gluon_yolo.data.synthetic import draw_scene

    rng = np.random.default_rng(1)
    return [draw_scene(rng, (SIDE * 5, SIDE * 5))[0][::5, ::5] for _ in range(count)]


def _image_maker(ending: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        import cv2

        (folder / "images").mkdir(parents=True)
        for number, image in enumerate(_images(folder)):
            cv2.imwrite(str(folder / "images" / f"{number}.{ending}"), image[..., ::-1])
        labels = folder / "labels"
        labels.mkdir()
        for number in range(2):
            (labels / f"{number}.txt").write_text("0 0.5 0.5 0.25 0.25\n")
        (folder / "classes.txt").write_text("disc\n")

    return make


def _yolo(folder: Path) -> None:
    shutil.copytree(OLD / "data", folder, dirs_exist_ok=True)
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            for file in sorted((folder / kind / part).iterdir())[3:]:
                file.unlink()


def _converted(to: str, *more: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from gluon_yolo.cli import main

        source = folder.parent / f"{folder.name}-source"
        _yolo(source)
        words = ["data", "convert", str(source), str(folder), "--to", to, *more]
        if main(words):
            raise SystemExit(f"no {to} could be made")
        shutil.rmtree(source)

    return make


def _darknet_data(folder: Path) -> None:
    _yolo(folder)
    for part in ("train", "val"):
        names = sorted((folder / "images" / part).iterdir())
        (folder / f"{part}.txt").write_text("".join(f"images/{part}/{path.name}\n" for path in names))
    for file in folder.glob("*.yaml"):
        file.unlink()
    (folder / "obj.names").write_text("square\ndisc\n")
    (folder / "obj.data").write_text(
        "classes = 2\ntrain = train.txt\nvalid = val.txt\nnames = obj.names\nbackup = backup\n"
    )


def _exported(folder: Path) -> None:
    shutil.copytree(OLD / "exported", folder, dirs_exist_ok=True)
    _picture(folder)


def _exporter(kind: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from gluon_yolo import export

        export(OLD / "run", kind, folder, name="tiny")
        _picture(folder)

    return make


def _caffe(folder: Path) -> None:
    from tests import caffe_network

    folder.mkdir(parents=True)
    caffe_network.write(folder)


def _run(folder: Path) -> None:
    shutil.copytree(OLD / "run", folder, dirs_exist_ok=True)
    _picture(folder)
    settings = json.loads((folder / "args.json").read_text())
    shutil.copytree(OLD / "data", folder / "data_of_it")
    settings["data"] = str(folder / "data_of_it")
    (folder / "args.json").write_text(json.dumps(settings))


def _picture(folder: Path) -> None:
    import cv2

    (folder / "pictures").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "pictures" / "one.png"), _images(folder, 1)[0])


def _named(name: str) -> Callable[[Path], None]:
    """Return a maker of a small file of named tensors."""

    def make(folder: Path) -> None:
        rng = np.random.default_rng(0)
        arrays: dict[str, np.ndarray] = {}
        for number in range(6):
            arrays[f"blocks.{number}.0.conv_dw.weight"] = rng.normal(size=(8, 1, 3, 3)).astype(np.float32)
            arrays[f"blocks.{number}.0.bn1.num_batches_tracked"] = np.array(3)
        folder.mkdir(parents=True, exist_ok=True)
        _write_tensors(folder / name, arrays)

    return make


def _backbone(name: str) -> Callable[[Path], None]:
    """Return a maker of a file of timm's whole MobileNetV1 0.25, and of a data set to train on."""

    def make(folder: Path) -> None:
        from gluon_yolo.models.build import find_architecture
        from gluon_yolo.weights.imagenet import SOURCES, parameter_names

        net = find_architecture("mobilenet0_25").build(("disc",))
        net.initialize_weights()
        source = next(source for source in SOURCES if source.network == "yolo3_mobilenet")
        layers = [layer for layer in net.layer_names if layer.startswith(net.backbone_prefix)]
        values = net._collect_params_with_prefix()
        names = parameter_names(source, layers).items()
        _yolo(folder / "data")
        _write_tensors(folder / name, {theirs: values[ours].data().asnumpy() for theirs, ours in names})

    return make


def _write_tensors(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    if path.suffix == ".pth":
        import torch

        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
        return
    header, content = {}, b""
    for name, array in arrays.items():
        data = array.tobytes()
        offsets = [len(content), len(content) + len(data)]
        dtype = "F32" if array.dtype == np.float32 else "I64"
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets}
        content += data
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + content)


def _wider(folder: Path) -> None:
    from tests.evaluation.wider.official_files import write_official

    folder.parent.mkdir(parents=True, exist_ok=True)
    faces = [((3, 4, 60, 70), "emh"), ((80, 9, 20, 33), "mh"), ((9, 90, 9, 12), "h")]
    write_official(
        folder, {"0--Parade": {"0_one": faces, "0_two": faces[:1]}, "1--Rain": {"1_one": faces[1:]}}
    )


CHECK = ("data", "check", "{in}")
DEMO = ("demo", "--model", "{in}", "{in}/pictures/one.png", "--out", "{out}")
IMPORT_CAFFE = ("import", "caffe", "{in}/small.prototxt", "{in}/small.caffemodel", "--task", "landmarks")
IMPORT_CAFFE += ("--colour", "bgr", "--mean", "127.5", "--scale", "127.5", "--out", "{out}/model")
OFFICIAL = (CALL, "gluon_yolo.evaluation.wider.ground_truth:read_ground_truth", "{in}")
TENSORS = (CALL, "gluon_yolo.weights.tensor_file:read")
RAN = (0, 1)


def _demo(runtime: str) -> tuple[str, ...]:
    return (*DEMO, "--runtime", runtime)


def _train(name: str) -> tuple[str, ...]:
    words = "train --network mobilenet0_25 --data {in}/data --gpus  --data-shape 64 --epochs 1 --batch-size 2"
    rest = f"--pretrained-base {{in}}/{name} --save-prefix {{out}}/"
    return (*words.split(" "), *rest.split(" "))


KINDS = (
    *(
        Kind(ending.upper(), _image_maker(ending), [f"images/{n}.{ending}" for n in range(2)], CHECK, RAN)
        for ending in ("jpg", "png", "tiff", "webp", "bmp", "jp2", "ppm", "ras")
    ),
    Kind("VOC XML", _converted("voc"), ["Annotations/*.xml", "ImageSets/Main/*.txt"], CHECK, RAN),
    Kind("COCO JSON", _converted("coco"), ["**/*.json"], CHECK, RAN),
    Kind("YOLO text", _yolo, ["labels/*/*.txt"], CHECK, RAN),
    Kind("data.yaml", _yolo, ["*.yaml"], CHECK, RAN),
    Kind("keras-yolo3 list", _converted("keras"), ["**/*.txt"], CHECK, RAN),
    Kind("WIDER text", _converted("wider", "--only", "square"), ["**/*.txt"], CHECK, RAN),
    Kind(".data", _darknet_data, ["obj.data", "train.txt"], ("data", "check", "{in}/obj.data"), RAN),
    Kind(".names", _darknet_data, ["obj.names"], ("data", "check", "{in}/obj.data"), RAN),
    Kind("RecordIO .rec", _converted("record"), ["**/*.rec"], CHECK, RAN),
    Kind("RecordIO .idx", _converted("record"), ["**/*.idx"], CHECK, RAN),
    Kind("cfg", _exported, ["tiny.cfg"], ("summary", "{in}/tiny.cfg")),
    Kind(
        ".weights",
        _exported,
        ["tiny.weights"],
        ("import", "darknet", "{in}/tiny.cfg", "{in}/tiny.weights", "--names", "{in}/tiny.names", "--out")
        + ("{out}/model",),
    ),
    *(
        Kind(name, _named(f"weights{end}"), [f"weights{end}"], (*TENSORS, f"{{in}}/weights{end}"))
        for name, end in (("safetensors", ".safetensors"), (".pth", ".pth"))
    ),
    *(
        Kind(
            f"backbone {end}",
            _backbone(f"weights{end}"),
            [f"weights{end}"],
            _train(f"weights{end}"),
            part=0.02,
        )
        for end in (".safetensors", ".pth")
    ),
    Kind(
        ".mat",
        _wider,
        ["*.mat"],
        (CALL, "gluon_yolo.evaluation.wider.ground_truth:read_ground_truth", "{in}"),
    ),
    Kind("run .params", _run, ["weights/best.params"], DEMO),
    Kind("model.json", _run, ["model.json"], DEMO),
    Kind("run cfg", _run, ["network.cfg"], DEMO),
    Kind("-symbol.json", _exported, ["tiny-symbol.json"], _demo("mxnet")),
    Kind("exported .params", _exported, ["tiny-0000.params"], _demo("mxnet")),
    Kind("NAME.json", _exported, ["tiny.json"], _demo("onnxruntime")),
    Kind("ONNX", _exported, ["tiny.onnx"], _demo("onnxruntime")),
    Kind("ONNX in OpenVINO", _exported, ["tiny.onnx"], _demo("openvino")),
    Kind("ncnn .param", _exported, ["tiny.param"], _demo("ncnn")),
    Kind("ncnn .bin", _exported, ["tiny.bin"], _demo("ncnn")),
    Kind("MNN", _exported, ["tiny.mnn"], _demo("mnn")),
    *(
        Kind(name, _exporter(format_), [f"tiny{ending}"], _demo(runtime))
        for name, format_, ending, runtime in (
            ("TFLite", "tflite", ".tflite", "tflite"),
            ("OpenVINO .xml", "openvino", "-openvino.xml", "openvino"),
            ("OpenVINO .bin", "openvino", "-openvino.bin", "openvino"),
            ("prototxt", "caffe", ".prototxt", "opencv"),
            ("caffemodel", "caffe", ".caffemodel", "opencv"),
        )
        if RUNTIMES[runtime].installed
    ),
    Kind("imported prototxt", _caffe, ["small.prototxt"], IMPORT_CAFFE),
    Kind("imported caffemodel", _caffe, ["small.caffemodel"], IMPORT_CAFFE),
    Kind("args.json", _run, ["args.json"], ("eval", "--model", "{in}")),
    Kind(
        "checkpoint",
        _run,
        ["weights/last/*"],
        ("train", "--resume", "{in}", "--epochs", "25"),
        part=0.2,
    ),
    Kind("report of a run", _run, ["metrics.csv", "args.json", "data.json"], ("report", "{in}"), part=0.05),
)
