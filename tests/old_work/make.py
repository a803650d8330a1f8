"""Make the folders beside this file with the commit before the package was rearranged (README.md)."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

COMMIT = "9dd56cf"
HERE = Path(__file__).resolve().parent
WORK = Path("/tmp/gluon_yolo_old_work")  # the run's files name it: nothing may depend on that it is there
SIDE, TRAIN, VAL = 64, 24, 8
COLOURS = ((60, 120, 240), (240, 200, 60))
EPOCHS = 24
STOPPED_AT = "epoch 22 batch 3/6"
TRAINING = (
    f"--network tiny.cfg --data data --gpus  --batch-size 4 --epochs {EPOCHS} --lr 0.02 --lr-mode cosine "
    "--warmup-epochs 1 --augment flip --no-random-shape --val-interval 6 --save-interval 0 --log-interval 3 "
    "-j 1"
).split(" ")
# Networks too large to be kept: what their checkpoints call each parameter, and its shape.
ZOO = ("mobilenet0_25", "fastestv2")
ZOO_TRAINING = (
    "--data data --data-shape 64 --pretrained-base no --no-random-shape --epochs 1 --batch-size 8 --gpus "
    " -j 1"
).split(" ")
NAMES = """
import json, sys
import gluon_yolo.compat
import mxnet as mx

for path in sys.argv[1:]:
    print(json.dumps({name: array.shape for name, array in mx.nd.load(path).items()}))
"""
# The command line with a signal at a moment that no clock decides.
STOPPED = f"""
import logging, os, signal, sys
from gluon_yolo.cli import main

class Stopper(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith({STOPPED_AT!r}):
            os.kill(os.getpid(), signal.SIGINT)

logging.getLogger("gluon_yolo").addHandler(Stopper())
sys.exit(main(["train", *sys.argv[1:]]))
"""
# The models whose numbers are kept, and what runs each of them. All runtimes find the same in float32.
# mxnet's int8 sums overflow on processors without VNNI: its numbers are kept twice, with VNNI and without.
MODELS = (
    ("run", ""),
    ("run/last", ""),
    ("exported", "mxnet"),
    ("quantized/int8", "mxnet"),
    ("quantized/int8", "mxnet AVX2"),
    ("quantized/int8", "onnxruntime"),
)
PLACES_AND_TIMES = ("model", "data", "runtime", "seconds", "pictures_per_second")


def draw(folder: Path) -> None:
    """Draw pictures of two shapes each, flat, so that a PNG of them is some 200 bytes."""
    for number in range(TRAIN + VAL):
        part = "train" if number < TRAIN else "val"
        rng = np.random.default_rng(number)
        image = np.full((SIDE, SIDE, 3), rng.integers(0, 90, 3), np.uint8)
        lines = []
        for column in (0, SIDE // 2):
            kind, half = int(rng.integers(2)), int(rng.integers(7, 13))
            cx = int(rng.integers(half + 1, 31 - half + 1)) + column
            cy = int(rng.integers(half + 1, SIDE - half - 1))
            if kind:
                cv2.circle(image, (cx, cy), half, COLOURS[1], -1)
            else:
                cv2.rectangle(image, (cx - half, cy - half), (cx + half, cy + half), COLOURS[0], -1)
            box = ((cx + 0.5) / SIDE, (cy + 0.5) / SIDE, (2 * half + 1) / SIDE, (2 * half + 1) / SIDE)
            lines.append(f"{kind} " + " ".join(f"{value:.6f}" for value in box) + "\n")
        for kind_of_file in ("images", "labels"):
            (folder / kind_of_file / part).mkdir(parents=True, exist_ok=True)
        _, png = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        (folder / "images" / part / f"{number:02d}.png").write_bytes(png.tobytes())
        (folder / "labels" / part / f"{number:02d}.txt").write_text("".join(lines))
    text = "path: .\ntrain: images/train\nval: images/val\nnames: [square, disc]\n"
    (folder / "data.yaml").write_text(text)


def call(checkout: Path, *words: str, status: int = 0, isa: str = "") -> None:
    """Run the old command line in the work's folder; ``isa`` is all that oneDNN may know of the processor."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "GLUON_YOLO_CACHE": str(WORK / "cache")}
    environment.update({"DNNL_MAX_CPU_ISA": isa} if isa else {})
    start = words if words[0] == "-c" else ("-m", "gluon_yolo", *words)
    done = subprocess.run([sys.executable, *start], cwd=WORK, env=environment)
    assert done.returncode == status, f"{words}: ended with {done.returncode}"


def expected(checkout: Path) -> dict[str, dict]:
    """Return what the old commands say of each model: eval's numbers and demo's boxes."""
    found = {}
    for model, how in MODELS:
        runtime, _, isa = how.partition(" ")
        words = ["--model", model, *(["--runtime", runtime] if runtime else [])]
        call(checkout, "eval", *words, "--data", "data", "--json", "eval.json", isa=isa)
        call(checkout, "demo", *words, "data/images/val", "--out", "seen", "--json", "demo.json", isa=isa)
        numbers = json.loads((WORK / "eval.json").read_text())
        for name in PLACES_AND_TIMES:
            del numbers[name]
        boxes = json.loads((WORK / "demo.json").read_text())
        for box in boxes:
            box["image"] = Path(box["image"]).name
        found[f"{model} {how}".strip()] = {"eval": numbers, "demo": boxes}
    return found


def zoo_names(checkout: Path) -> dict[str, dict]:
    """Return the names and shapes in the checkpoints of runs on the zoo's networks."""
    for name in ZOO:
        call(checkout, "train", "--network", name, "--name", name, *ZOO_TRAINING)
    paths = [str(WORK / "runs" / f"{name}-1" / "weights" / "best.params") for name in ZOO]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-c", NAMES, *paths], env=environment, capture_output=True, check=True
    )
    return dict(zip(ZOO, map(json.loads, done.stdout.splitlines())))


def main(checkout: Path) -> None:
    """Make all of it anew with a checkout of the old commit."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True)
    assert head.stdout.startswith(COMMIT), f"{checkout}: is not at {COMMIT}"
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    shutil.copy(HERE / "tiny.cfg", WORK)
    draw(WORK / "data")
    call(checkout, "-c", STOPPED, *TRAINING, status=130)
    (WORK / "runs" / "tiny-1").rename(WORK / "run")
    call(checkout, *"export run --name tiny --format symbol,onnx,ncnn,mnn,darknet --out exported".split())
    call(checkout, *"quantize run --name tiny --data data --precision int8 --out quantized".split())
    said = expected(checkout)
    shutil.copytree(WORK / "run", WORK / "resumed")
    call(checkout, "train", "--resume", "resumed")
    metrics = (WORK / "resumed" / "metrics.csv").read_text()
    for name in ("data", "run", "exported", "quantized"):
        shutil.rmtree(HERE / name, ignore_errors=True)
        # Curves and pictures are for people, and three times as large as all else.
        shutil.copytree(WORK / name, HERE / name, ignore=shutil.ignore_patterns("curves.png", "pictures"))
    (HERE / "expected").mkdir(exist_ok=True)
    (HERE / "expected" / "metrics.csv").write_text(metrics)
    (last,) = (WORK / "resumed" / "weights" / "last").glob("net-*.params")
    shutil.copy(last, HERE / "expected" / "last.params")
    names = json.dumps(zoo_names(checkout)).encode()
    (HERE / "expected" / "zoo.json.gz").write_bytes(gzip.compress(names, mtime=0))
    lines = (f'"{name}": {json.dumps(numbers)}' for name, numbers in said.items())
    (HERE / "expected" / "models.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
