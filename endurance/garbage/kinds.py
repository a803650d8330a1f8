"""The kinds of files: a folder with a good one of each, and the command that reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from endurance.garbage.child import CALL
from endurance.garbage.makers import (
    backbone,
    converted,
    exporter,
    image_maker,
    make_alone,
    make_caffe,
    make_darknet_data,
    make_exported,
    make_run,
    make_settings,
    make_wider,
    make_yolo,
    named,
    video_maker,
)
from gluon_yolo.inference.runtimes.registry import RUNTIMES


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


CHECK, CHECK_DATA = ("data", "check", "{in}"), ("data", "check", "{in}/data")
DEMO = ("demo", "--model", "{in}", "{in}/pictures/one.png", "--out", "{out}")
IMPORT_CAFFE = ("import", "caffe", "{in}/small.prototxt", "{in}/small.caffemodel", "--task", "landmarks")
IMPORT_CAFFE += ("--colour", "bgr", "--mean", "127.5", "--scale", "127.5", "--out", "{out}/model")
OFFICIAL = (CALL, "gluon_yolo.evaluation.wider.ground_truth:read_ground_truth", "{in}")
TENSORS = (CALL, "gluon_yolo.weights.tensor_file:read")
READ_ANCHORS = "gluon_yolo.data.anchors:read_anchors"
CONVERT = ("data", "convert", "{in}/data", "{out}/voc", "--to", "voc", "--class-map", "{in}/map.txt")
READ_CONFIG = "gluon_yolo.training.config:TrainConfig.load"
VIDEO, CLIP = ("demo", "--model", "{in}", "--out", "{out}"), "{in}/pictures/clip"
RAN = (0, 1)
EXPORTED = (
    ("ncnn .param", "ncnn", ".param", "ncnn"),
    ("ncnn .bin", "ncnn", ".bin", "ncnn"),
    ("MNN", "mnn", ".mnn", "mnn"),
    ("TFLite", "tflite", ".tflite", "tflite"),
    ("OpenVINO .xml", "openvino", "-openvino.xml", "openvino"),
    ("OpenVINO .bin", "openvino", "-openvino.bin", "openvino"),
    ("prototxt", "caffe", ".prototxt", "opencv"),
    ("caffemodel", "caffe", ".caffemodel", "opencv"),
)


def _demo(runtime: str) -> tuple[str, ...]:
    return (*DEMO, "--runtime", runtime)


def _train(name: str) -> tuple[str, ...]:
    words = "train --network mobilenet0_25 --data {in}/data --gpus  --data-shape 64 --epochs 1 --batch-size 2"
    rest = f"--pretrained-base {{in}}/{name} --save-prefix {{out}}/"
    return (*words.split(" "), *rest.split(" "))


KINDS = (
    *(
        Kind(ending.upper(), image_maker(ending), [f"images/{n}.{ending}" for n in range(2)], CHECK, RAN)
        for ending in ("jpg", "png", "tiff", "webp", "bmp", "jp2", "ppm", "ras")
    ),
    Kind("VOC XML", converted("voc"), ["Annotations/*.xml", "ImageSets/Main/*.txt"], CHECK, RAN),
    Kind("COCO JSON", converted("coco"), ["**/*.json"], CHECK, RAN),
    Kind("YOLO text", make_yolo, ["labels/*/*.txt"], CHECK, RAN),
    Kind("data.yaml", make_yolo, ["*.yaml"], CHECK, RAN),
    Kind("keras-yolo3 list", converted("keras"), ["**/*.txt"], CHECK, RAN),
    Kind("WIDER text", converted("wider", "--only", "square"), ["**/*.txt"], CHECK, RAN),
    Kind(".data", make_darknet_data, ["obj.data", "train.txt"], ("data", "check", "{in}/obj.data"), RAN),
    Kind(".names", make_darknet_data, ["obj.names"], ("data", "check", "{in}/obj.data"), RAN),
    Kind("RecordIO .rec", converted("record"), ["**/*.rec"], CHECK, RAN),
    Kind("RecordIO .idx", converted("record"), ["**/*.idx"], CHECK, RAN),
    Kind("cfg", make_exported, ["tiny.cfg"], ("summary", "{in}/tiny.cfg")),
    Kind(
        ".weights",
        make_exported,
        ["tiny.weights"],
        ("import", "darknet", "{in}/tiny.cfg", "{in}/tiny.weights", "--names", "{in}/tiny.names", "--out")
        + ("{out}/model",),
    ),
    *(
        Kind(name, named(f"weights{end}"), [f"weights{end}"], (*TENSORS, f"{{in}}/weights{end}"))
        for name, end in (("safetensors", ".safetensors"), (".pth", ".pth"))
    ),
    *(
        Kind(
            f"backbone {end}",
            backbone(f"weights{end}"),
            [f"weights{end}"],
            _train(f"weights{end}"),
            part=0.02,
        )
        for end in (".safetensors", ".pth")
    ),
    Kind(".mat", make_wider, ["*.mat"], OFFICIAL),
    Kind("run .params", make_run, ["weights/best.params"], DEMO),
    Kind("model.json", make_run, ["model.json"], DEMO),
    Kind("run cfg", make_run, ["network.cfg"], DEMO),
    Kind("-symbol.json", make_exported, ["tiny-symbol.json"], _demo("mxnet")),
    Kind("exported .params", make_exported, ["tiny-0000.params"], _demo("mxnet")),
    Kind("NAME.json", make_exported, ["tiny.json"], _demo("onnxruntime")),
    Kind("ONNX", make_exported, ["tiny.onnx"], _demo("onnxruntime")),
    Kind("ONNX in OpenVINO", make_exported, ["tiny.onnx"], _demo("openvino")),
    Kind(
        "ONNX alone",
        make_alone,
        ["tiny.onnx"],
        (*DEMO[:2], "{in}/tiny.onnx", *DEMO[3:], "--runtime", "onnxruntime"),
    ),
    Kind("-symbol.json in torch", make_exported, ["tiny-symbol.json"], _demo("torch")),
    Kind("exported .params in torch", make_exported, ["tiny-0000.params"], _demo("torch")),
    *(
        Kind(name, exporter(format_), [f"tiny{ending}"], _demo(runtime))
        for name, format_, ending, runtime in EXPORTED
        if RUNTIMES[runtime].installed
    ),
    *(
        Kind(f"{name} unknown", exporter(format_, has_digests=False), [f"tiny{ending}"], _demo(runtime))
        for name, format_, ending, runtime in EXPORTED
        if RUNTIMES[runtime].installed and RUNTIMES[runtime].crashes
    ),
    Kind("imported prototxt", make_caffe, ["small.prototxt"], IMPORT_CAFFE),
    Kind("imported caffemodel", make_caffe, ["small.caffemodel"], IMPORT_CAFFE),
    Kind("class map", make_settings, ["map.txt"], CONVERT, RAN),
    Kind("own names", make_settings, ["own.names"], (*CHECK_DATA, "--classes", "{in}/own.names"), RAN),
    Kind("config.yaml", make_settings, ["config.yaml"], (CALL, READ_CONFIG, "{in}/config.yaml")),
    Kind("anchors", make_settings, ["anchors.txt"], (CALL, READ_ANCHORS, "{in}/anchors.txt")),
    *(
        Kind(
            ending.upper(),
            video_maker(ending, codec),
            [f"pictures/clip.{ending}"],
            (*VIDEO, f"{CLIP}.{ending}"),
            RAN,
            part=0.2,
        )
        for ending, codec in (("avi", "MJPG"), ("mp4", "mp4v"))
    ),
    Kind("args.json", make_run, ["args.json"], ("eval", "--model", "{in}")),
    Kind(
        "checkpoint",
        make_run,
        ["weights/last/*"],
        ("train", "--resume", "{in}", "--epochs", "25"),
    ),
    Kind(
        "report of a run", make_run, ["metrics.csv", "args.json", "data.json"], ("report", "{in}"), part=0.05
    ),
)
