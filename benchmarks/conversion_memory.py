"""The memory of ``import``, ``export`` and ``quantize``, as they estimate it and as measured.

    python benchmarks/conversion_memory.py [--network TEXT] [--case TEXT] [--out DIR]

Each row is a command, a process of its own, on a network with random weights: measured is the peak of its
resident memory (``ru_maxrss``), everything included. The estimate is the one that the command itself makes
before its work. The last lines are the error of the estimates and the largest peak.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from alive import alive

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared/data"))
CFGS, IMAGES = DATA / "darknet" / "cfg", DATA / "coco_mini" / "mini_val2017"
NETWORKS = ("yolov3.cfg", "yolov3-spp.cfg", "MobileNetV2-YOLOv3-Lite-coco.cfg", "yolov3-tiny.cfg")
FORMATS = ("symbol", "onnx", "openvino", "mnn", "ncnn", "tflite", "caffe", "darknet")
PRECISIONS = {"float16": ("openvino", "mnn", "ncnn", "tflite"), "bfloat16": ("openvino",)}
INT8 = ("symbol", "onnx", "tflite")
CALIBRATION, SCORING = 8, 4  # images: their number costs time, and only 3 bytes a pixel of memory
SAID = re.compile(r"memory: .*?about ([0-9.]+) (GB|MB)")


@dataclasses.dataclass(frozen=True)
class Case:
    """A command to measure.

    Args:
        name: of it.
        words: behind ``gluon-yolo``.
    """

    name: str
    words: tuple[str, ...]


def main() -> int:
    """Measure each case and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", metavar="TEXT", default="", help="networks whose name holds this")
    parser.add_argument("--case", metavar="TEXT", default="", help="cases whose name holds this")
    parser.add_argument("--out", metavar="DIR", help="keep what is written (default: a folder that goes)")
    parser.add_argument("--side", metavar="CFG", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        return make(Path(args.side), Path(args.out))
    peaks, ratios = [], []
    print(f"{'network':34}{'command':32}{'estimate MB':>12}{'measured MB':>12}{'ratio':>7}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        for network in NETWORKS:
            if args.network not in network:
                continue
            folder = Path(args.out or place) / Path(network).stem
            prepare(CFGS / network, folder)
            for case in cases(folder):
                needed = case.name == "import darknet" and not (folder / "imported").is_dir()
                if args.case not in case.name and not needed:
                    continue
                estimate, measured = measure(case.words)
                peaks.append(measured)
                shown = f"{estimate / 1e6:12.0f}" if estimate else f"{'':>12}"
                ratio = f"{estimate / measured:7.2f}" if estimate else ""
                ratios += [estimate / measured] if estimate else []
                print(f"{folder.name:34}{case.name:32}{shown}{measured / 1e6:12.0f}{ratio}", flush=True)
    if ratios:
        print(f"ratio {min(ratios):.2f}x to {max(ratios):.2f}x (estimate over measurement)")
    print(f"largest {max(peaks) / 1e9:.2f} GB")
    return 0


def cases(folder: Path) -> Iterator[Case]:
    """Yield the commands on the network of a folder that :func:`prepare` filled."""
    files = [str(folder / f"random.{ending}") for ending in ("cfg", "weights", "names")]
    imported = str(folder / "imported")
    words = ("import", "darknet", *files[:2], "--names", files[2], "--out", imported)
    yield Case("import darknet", words)
    for kind in FORMATS:
        yield Case(f"export {kind}", ("export", imported, "--format", kind, "--out", str(folder / kind)))
    for precision, kinds in PRECISIONS.items():
        for kind in kinds:
            words = ("export", imported, "--format", kind, "--out", str(folder / f"{kind}-{precision}"))
            yield Case(f"export {kind} {precision}", (*words, "--precision", precision))
    every = ",".join(FORMATS)
    yield Case("export, all at once", ("export", imported, "--format", every, "--out", str(folder / "all")))
    for kind in (*INT8, ",".join(INT8)):
        words = ("quantize", imported, "--data", str(IMAGES), "--precision", "int8", "--format", kind)
        count = ("--num", str(CALIBRATION), "--eval-num", str(SCORING), "--max-drop", "100")
        yield Case(f"quantize {kind}", (*words, *count, "--out", str(folder / f"int8-{kind[:6]}")))


def prepare(cfg: Path, folder: Path) -> None:
    """Write a cfg, random weights and class names to a folder, in a process that ends."""
    if not (folder / "random.names").is_file():
        words = [sys.executable, __file__, "--side", str(cfg), "--out", str(folder)]
        subprocess.run(words, check=True)


def make(cfg: Path, folder: Path) -> int:
    """Write the files of :func:`prepare`."""
    sys.path.insert(0, str(ROOT))
    from gluon_yolo.weights import darknet_model
    from tests.exporters.networks import settled

    darknet_model.save(settled(str(cfg)), folder, "random")
    return 0


def measure(words: tuple[str, ...]) -> tuple[float, int]:
    """Run a command; return its own estimate and the peak of its resident memory in bytes.

    The estimate is 0 where the command makes none. This process stays small, since a new process begins with
    its parent's peak.
    """
    out = Path(words[-1])
    with tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, "-m", "gluon_yolo", *words]
        if out.is_dir() and words[0] == "import":
            command[-1] = str(out.with_name("imported-again"))
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)}: status {process.returncode}\n{text}")
    found = SAID.search(text)
    return float(found[1]) * {"GB": 1e9, "MB": 1e6}[found[2]] if found else 0.0, used.ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(alive(main))
