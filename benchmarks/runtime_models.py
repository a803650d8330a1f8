"""The models of ``runtimes.py``, made with the package's own commands, and their images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from gluon_yolo.inference.runtimes.registry import RUNTIMES

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
MOBILENET = "yolo3_mobilenet1.0_voc"
MOBILENET_SIZE = 416
FASTESTV2 = "yolo_fastestv2"
DARKNET = {"nano-coco": "coco.names", "fastest-voc": "voc.names", "yoloface-500k": "face.names"}
NAMES = (MOBILENET, *DARKNET, FASTESTV2)
IMAGES = 8


def prepare_images(data: Path, folder: Path) -> Path:
    """Copy the shared images, or draw some where there are none; return their folder."""
    if folder.is_dir():
        return folder
    folder.mkdir(parents=True)
    shared = sorted((data / "images").glob("*.jpg"))
    if not shared:
        from gluon_yolo.data.synthetic import generate

        scenes = generate(folder.parent / "scenes", images=IMAGES, size_hw=(480, 640))
        shared = sorted((scenes / "JPEGImages").iterdir())
    for path in shared:
        shutil.copy(path, folder)
    return folder


def prepare(name: str, folder: Path, data: Path, images: Path, formats: str) -> None:
    """Make a model and all its exports in a folder, each where it is not there yet.

    Args:
        name: one of ``NAMES``, or the folder of a run or an imported model.
        folder: gets ``float32``, ``fused``, ``float16``, ``bfloat16`` and ``quantized/int8``.
        data: the shared data.
        images: to calibrate on.
        formats: of ``float32``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = Path(name) if Path(name).is_dir() else folder / "model"
    if not model.is_dir():
        _make(name, folder, data, model)
    phones = ",tflite" if RUNTIMES["tflite"].installed else ""
    jobs = {
        "float32": ("export", model, "--format", formats),
        "fused": ("export", model, "--format", "symbol", "--fuse"),
        "float16": ("export", model, "--format", f"ncnn{phones}", "--precision", "float16"),
        "bfloat16": ("export", model, "--format", "symbol,openvino", "--precision", "bfloat16"),
        # However much random weights lose: what is left in float is not what is measured here.
        "quantized": (
            *("quantize", model, "--precision", "int8", "--format", f"symbol,onnx{phones}"),
            *("--data", images, "--max-drop", 100),
        ),
    }
    for kind, words in jobs.items():
        if not (folder / kind).is_dir():
            _run("-m", "gluon_yolo", *words, "--out", folder / kind)


def darknet_files(folder: Path) -> tuple[Path, Path]:
    """Return the cfg and the weights that the model in a folder came from."""
    cfg, weights = (next((folder / "darknet").glob(f"*.{kind}")) for kind in ("cfg", "weights"))
    return cfg, weights


def _make(name: str, folder: Path, data: Path, model: Path) -> None:
    """Make one of ``NAMES`` as a folder that every command takes."""
    names = data / "darknet" / DARKNET.get(name, "coco.names")
    if name == MOBILENET:
        weights = folder / "weights.params"
        benchmark = Path(__file__).with_name("inference.py")
        _run(benchmark, "--side", "weights", "--folder", folder, "--network", MOBILENET)
        code = (
            "import sys; from gluon_yolo.exporters.model_dir import write_folder; "
            "from gluon_yolo.inference.runtimes.mxnet import from_weights; "
            "net, known = from_weights(sys.argv[1], sys.argv[2]); size = int(sys.argv[4]); "
            "write_folder(net, sys.argv[3], (size, size), known.fit)"
        )
        _run("-c", code, MOBILENET, weights, model, MOBILENET_SIZE)
    elif name == FASTESTV2:
        weights = next((data / "fastestv2").glob("coco*.pth"))
        _run("-m", "gluon_yolo", "import", "fastestv2", weights, "--names", names, "--out", model)
    elif name in DARKNET:
        shutil.copytree(data / "darknet" / name, folder / "darknet")
        files = darknet_files(folder)
        _run("-m", "gluon_yolo", "import", "darknet", *files, "--names", names, "--out", model)
    else:
        raise SystemExit(f"{name}: neither a folder nor one of {', '.join(NAMES)}")


def _run(*words: object) -> None:
    """Run a command of this package, or a script, beside what is measured."""
    command = [sys.executable, *map(str, words)]
    if words[0] == "-m":
        print(f"$ {' '.join(map(str, words[1:]))}", file=sys.stderr, flush=True)
    subprocess.run(command, check=True, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
