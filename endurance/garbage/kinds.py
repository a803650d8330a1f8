"""The kinds of files: a folder with a good one of each, and the command that reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

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
        words: the command, where ``{in}`` is the folder and ``{out}`` a folder that it may write to.
        good: exit statuses of a reader that has done its work; ``data check`` has 1 for wrong data.
    """

    name: str
    make: Callable[[Path], None]
    victims: Sequence[str]
    words: Sequence[str]
    good: Sequence[int] = (0,)


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


def _converted(to: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from gluon_yolo.cli import main

        source = folder.parent / f"{folder.name}-source"
        _yolo(source)
        words = ["data", "convert", str(source), str(folder), "--to", to]
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
    _yolo(folder / "data_of_it")
    settings["data"] = str(folder / "data_of_it")
    (folder / "args.json").write_text(json.dumps(settings))


def _picture(folder: Path) -> None:
    import cv2

    (folder / "pictures").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "pictures" / "one.png"), _images(folder, 1)[0])


def _safetensors(folder: Path) -> None:
    _weights(folder, "weights.safetensors")


def _pth(folder: Path) -> None:
    _weights(folder, "weights.pth")


def _weights(folder: Path, name: str) -> None:
    """Write MobileNetV1 0.25's backbone under timm's names, small enough to be read ten thousand times."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    _yolo(folder / "data")
    tensors = {}
    rng = np.random.default_rng(0)
    for number in range(6):
        tensors[f"blocks.{number}.0.conv_dw.weight"] = torch.tensor(
            rng.normal(size=(8, 1, 3, 3)).astype(np.float32)
        )
        tensors[f"blocks.{number}.0.bn1.num_batches_tracked"] = torch.tensor(3)
    if name.endswith(".pth"):
        torch.save(tensors, folder / name)
        return
    header, content = {}, b""
    for key, tensor in tensors.items():
        data = tensor.numpy().tobytes()
        dtype = "F32" if tensor.dtype == torch.float32 else "I64"
        header[key] = {
            "dtype": dtype,
            "shape": list(tensor.shape),
            "data_offsets": [len(content), len(content) + len(data)],
        }
        content += data
    head = json.dumps(header).encode()
    (folder / name).write_bytes(len(head).to_bytes(8, "little") + head + content)


CHECK = ("data", "check", "{in}")
DEMO = ("demo", "--model", "{in}", "{in}/pictures/one.png", "--out", "{out}")
IMPORT_CAFFE = ("import", "caffe", "{in}/small.prototxt", "{in}/small.caffemodel", "--task", "landmarks")
IMPORT_CAFFE += ("--colour", "bgr", "--mean", "127.5", "--scale", "127.5", "--out", "{out}/model")
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
        for ending in ("jpg", "png", "tiff", "webp", "bmp")
    ),
    Kind("VOC XML", _converted("voc"), ["Annotations/*.xml", "ImageSets/Main/*.txt"], CHECK, RAN),
    Kind("COCO JSON", _converted("coco"), ["**/*.json"], CHECK, RAN),
    Kind("YOLO text", _yolo, ["labels/*/*.txt"], CHECK, RAN),
    Kind("data.yaml", _yolo, ["*.yaml"], CHECK, RAN),
    Kind("keras-yolo3 list", _converted("keras"), ["**/*.txt"], CHECK, RAN),
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
    Kind("safetensors", _safetensors, ["weights.safetensors"], _train("weights.safetensors")),
    Kind(".pth", _pth, ["weights.pth"], _train("weights.pth")),
    Kind("run .params", _run, ["weights/best.params"], DEMO),
    Kind("model.json", _run, ["model.json"], DEMO),
    Kind("run cfg", _run, ["network.cfg"], DEMO),
    Kind("-symbol.json", _exported, ["tiny-symbol.json"], _demo("mxnet")),
    Kind("exported .params", _exported, ["tiny-0000.params"], _demo("mxnet")),
    Kind("NAME.json", _exported, ["tiny.json"], _demo("onnxruntime")),
    Kind("ONNX", _exported, ["tiny.onnx"], _demo("onnxruntime")),
    Kind("ncnn .param", _exported, ["tiny.param"], _demo("ncnn")),
    Kind("ncnn .bin", _exported, ["tiny.bin"], _demo("ncnn")),
    Kind("MNN", _exported, ["tiny.mnn"], _demo("mnn")),
    *(
        Kind(name, _exporter(format_), [f"tiny{ending}"], _demo(runtime))
        for name, format_, ending, runtime in (
            ("TFLite", "tflite", ".tflite", "tflite"),
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
    ),
    Kind("report of a run", _run, ["metrics.csv", "args.json", "data.json"], ("report", "{in}")),
)
