"""The makers of good files: each writes those of a kind into a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
OLD = ROOT / "tests" / "old_work"
SIDE = 64


def _images(count: int = 2) -> list[np.ndarray]:
    from gluon_yolo.data.synthetic import draw_scene

    rng = np.random.default_rng(1)
    return [draw_scene(rng, (SIDE * 5, SIDE * 5))[0][::5, ::5] for _ in range(count)]


def image_maker(ending: str) -> Callable[[Path], None]:
    """Return a maker of two images with labels in YOLO's text."""

    def make(folder: Path) -> None:
        import cv2

        (folder / "images").mkdir(parents=True)
        for number, image in enumerate(_images()):
            cv2.imwrite(str(folder / "images" / f"{number}.{ending}"), image[..., ::-1])
        labels = folder / "labels"
        labels.mkdir()
        for number in range(2):
            (labels / f"{number}.txt").write_text("0 0.5 0.5 0.25 0.25\n")
        (folder / "classes.txt").write_text("disc\n")

    return make


def make_yolo(folder: Path) -> None:
    """Copy a data set in YOLO's format, three images a part."""
    shutil.copytree(OLD / "data", folder, dirs_exist_ok=True)
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            for file in sorted((folder / kind / part).iterdir())[3:]:
                file.unlink()


def converted(to: str, *more: str) -> Callable[[Path], None]:
    """Return a maker of the same data set in another format."""

    def make(folder: Path) -> None:
        from gluon_yolo.cli import main

        source = folder.parent / f"{folder.name}-source"
        make_yolo(source)
        words = ["data", "convert", str(source), str(folder), "--to", to, *more]
        if main(words):
            raise SystemExit(f"no {to} could be made")
        shutil.rmtree(source)

    return make


def make_darknet_data(folder: Path) -> None:
    """Make the same data set with darknet's .data, lists and names."""
    make_yolo(folder)
    for part in ("train", "val"):
        names = sorted((folder / "images" / part).iterdir())
        (folder / f"{part}.txt").write_text("".join(f"images/{part}/{path.name}\n" for path in names))
    for file in folder.glob("*.yaml"):
        file.unlink()
    (folder / "obj.names").write_text("square\ndisc\n")
    (folder / "obj.data").write_text(
        "classes = 2\ntrain = train.txt\nvalid = val.txt\nnames = obj.names\nbackup = backup\n"
    )


def make_exported(folder: Path) -> None:
    """Copy a model in several formats, and draw an image."""
    shutil.copytree(OLD / "exported", folder, dirs_exist_ok=True)
    _picture(folder)


def exporter(kind: str, has_digests: bool = True) -> Callable[[Path], None]:
    """Return a maker of the old run's model in one format, with an image.

    Args:
        kind: the format.
        has_digests: whether its record keeps the digests of its files, as an older package's does not.
    """

    def make(folder: Path) -> None:
        from gluon_yolo import export

        export(OLD / "run", kind, folder, name="tiny")
        if not has_digests:
            record = json.loads((folder / "tiny.json").read_text())
            del record["files"]
            (folder / "tiny.json").write_text(json.dumps(record))
        _picture(folder)

    return make


def make_caffe(folder: Path) -> None:
    """Write a small network as Caffe does."""
    from tests import caffe_network

    folder.mkdir(parents=True)
    caffe_network.write(folder)


def make_run(folder: Path) -> None:
    """Copy a run, with its data and an image."""
    shutil.copytree(OLD / "run", folder, dirs_exist_ok=True)
    _picture(folder)
    settings = json.loads((folder / "args.json").read_text())
    shutil.copytree(OLD / "data", folder / "data_of_it")
    settings["data"] = str(folder / "data_of_it")
    (folder / "args.json").write_text(json.dumps(settings))


def _picture(folder: Path) -> None:
    import cv2

    (folder / "pictures").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "pictures" / "one.png"), _images(1)[0])


def named(name: str) -> Callable[[Path], None]:
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


def backbone(name: str) -> Callable[[Path], None]:
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
        make_yolo(folder / "data")
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


def make_wider(folder: Path) -> None:
    """Write WIDER FACE's official files, of three images."""
    from tests.evaluation.wider.official_files import write_official

    folder.parent.mkdir(parents=True, exist_ok=True)
    faces = [((3, 4, 60, 70), "emh"), ((80, 9, 20, 33), "mh"), ((9, 90, 9, 12), "h")]
    write_official(
        folder, {"0--Parade": {"0_one": faces, "0_two": faces[:1]}, "1--Rain": {"1_one": faces[1:]}}
    )


def make_alone(folder: Path) -> None:
    """Copy an ONNX file that has no record beside it, and draw an image."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(OLD / "exported" / "tiny.onnx", folder)
    _picture(folder)


def make_settings(folder: Path) -> None:
    """Write a data set with what flags can name: settings of a training, names, a class map, anchors."""
    make_yolo(folder / "data")
    settings = ["network: mobilenet0_25", "gpus: ''", "data_shape: 64", "epochs: 1", "lr: 0.001", "seed: 3"]
    settings += ["lr_decay_epoch: 160,180", "random_shape: false", "val_interval: 1", "pretrained_base: 'no'"]
    (folder / "config.yaml").write_text("".join(f"{line}\n" for line in settings))
    (folder / "map.txt").write_text("square = box\ndisc = ball\n# and no more\n")
    (folder / "own.names").write_text("square\ndisc\n")
    (folder / "anchors.txt").write_text("10,13 16,30 33,23\n")


def video_maker(ending: str, codec: str) -> Callable[[Path], None]:
    """Return a maker of a run and a video of ten frames."""

    def make(folder: Path) -> None:
        import cv2

        make_run(folder)
        path = str(folder / "pictures" / f"clip.{ending}")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*codec), 10, (SIDE, SIDE))
        for image in _images(10):
            writer.write(np.ascontiguousarray(image))
        writer.release()

    return make
