"""int8 ONNX on CPUs with and without VNNI: each runtime's accuracy, with and without limited weights.

A CPU without VNNI adds two products of int8 in 16 bits, which saturate. Compared are weights in the whole
range of int8, the default of quantizers, and weights of which no two can saturate, as `quantize` writes them.
The first are run as by a program that does not know of it, and as by this package. Calibration is by minimum
and maximum, every layer is in int8, and each row is an `eval` in a separate process.

The CPU must have VNNI. OpenVINO does not use it with ONEDNN_MAX_CPU_ISA=AVX2. ONNX Runtime has no such
switch; it runs under qemu-x86_64 as a Haswell, if that is installed (Debian's qemu-user), 20 times slower.

Without a MODEL the networks are two darknet networks of the shared data, with its part of COCO. Otherwise the
arguments are those of `quantize`: MODEL, --data, --val-split and so on.

Run it as: python benchmarks/int8_processors.py [MODEL --data DATA [--train-split NAMES] [--val-split NAMES]]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from gluon_yolo.api.quantize import writing_request
from gluon_yolo.cli import main as command
from gluon_yolo.cli import quantize as quantize_command
from gluon_yolo.cli.flags.data import request_of
from gluon_yolo.errors import UserError
from gluon_yolo.exporters.api import export
from gluon_yolo.exporters.onnx import int8 as onnx_int8
from gluon_yolo.exporters.quantize import search
from gluon_yolo.exporters.quantize.backends import OnnxInt8
from gluon_yolo.exporters.quantize.data import Amount, open_images, read
from gluon_yolo.exporters.source_model import load_model
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.inference.runtimes.base import has_vnni
from gluon_yolo.input_size import parse_size

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
DARKNET = ("nano-coco", "yolo-fastest-1.1")
QEMU = ["qemu-x86_64", "-cpu", "Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid"]
WITHOUT = "import gluon_yolo.inference.runtimes.base as r; r.processor_has = lambda *_: False; "
EVAL = "import sys; from gluon_yolo.cli import main; sys.exit(main(sys.argv[1:]))"
# weights, how they are computed: in which folder, and whether the processor's flags are hidden.
FORMS = (
    ("whole range", "as any program", "plain", False),
    ("whole range", "as this package", "exact", True),
    ("held", "as any program", "held", False),
)


def main() -> int:
    """Print a table for each model."""
    if not has_vnni():
        raise UserError("this processor has no VNNI, so there is nothing to compare with")
    words = sys.argv[1:]
    if "-h" in words or "--help" in words:
        print(__doc__)
        return 0
    with tempfile.TemporaryDirectory() as place:
        for model in [words] if words else shared_models(Path(place)):
            parser = argparse.ArgumentParser()
            quantize_command.add_arguments(parser)
            compare(parser.parse_args([*model, "--out", str(Path(place) / "out")]), Path(place) / "forms")
    return 0


def shared_models(place: Path) -> list[list[str]]:
    """Import the darknet networks under COCO's own names, and lay COCO's part out as two splits."""
    coco, models = place / "coco", []
    (coco / "annotations").mkdir(parents=True)
    for split, name in (("train", "tiny"), ("val", "mini")):
        source = DATA / "coco_mini" / f"{name}_instances_val2017.json"
        shutil.copy(source, coco / "annotations" / f"instances_{split}2017.json")
        (coco / f"{split}2017").symlink_to(DATA / "coco_mini" / f"{name}_val2017")
    categories = sorted(json.loads(source.read_text())["categories"], key=lambda category: category["id"])
    (place / "names").write_text("\n".join(category["name"] for category in categories))
    for name in DARKNET:
        cfg = next((DATA / "darknet" / name).glob("*.cfg"))
        words = ["import", "darknet", str(cfg), str(cfg.with_suffix(".weights"))]
        with contextlib.redirect_stdout(sys.stderr):
            command([*words, "--names", str(place / "names"), "--out", str(place / name)])
        models.append([str(place / name), "--data", str(coco)])
    return models


def compare(args: argparse.Namespace, folder: Path) -> None:
    """Write a model's forms, score them, and print the table."""
    write(args, folder)
    figures = functools.partial(score, args)
    float32 = figures(folder / "float32", "onnxruntime")
    print(f"\n{Path(args.run).name}, float32: {shown(float32)}\n")
    print("| weights | computed | runtime | with VNNI | without |\n|---|---|---|---|---|")
    for weights, computed, form, hidden in FORMS:
        for runtime in ("onnxruntime", "openvino"):
            there = figures(folder / form, runtime) if not hidden else None
            without = figures(folder / form, runtime, without_vnni=True, hidden=hidden)
            cells = " | ".join(shown(found) if found else "" for found in (there, without))
            print(f"| {weights} | {computed} | {runtime} | {cells} |", flush=True)
    shutil.rmtree(folder)


def shown(found: dict[str, float]) -> str:
    return f"{100 * found['VOC07_mAP50']:.2f}, {100 * found['AP']:.2f}"


def write(args: argparse.Namespace, folder: Path) -> None:
    """Write a model in float32 and in int8: ``plain``, ``exact``, which is the same and says so, ``held``."""
    size_hw = parse_size(args.size) if args.size else None
    model = load_model(args.run or args.network, args.weights, args.classes, size_hw)
    asked = dataclasses.replace(request_of(args), format=args.data_format)
    data = open_images(asked, model.net.spec.class_names, Amount(args.num, args.eval_num, args.seed))
    thresholds = (args.nms_threshold, args.score_threshold)
    request = writing_request(model, args.name, thresholds, args.max_detections)
    export(model.net, folder / "float32", ["onnx"], request.name, request.size_hw, fit=request.fit)
    images = read(data.calibration, range(len(data.calibration)), request.size_hw, Preprocess(request.fit))
    int8 = OnnxInt8(request)
    ranges = int8.calibrate([images], "minmax", lambda *_: None)
    choice = search.Choice("minmax", ranges, (), 0.0, True, {})
    search.write(request, folder / "held", [(int8, choice)])
    int8._int8 = SimpleNamespace(quantize=functools.partial(onnx_int8.quantize, portable=False))
    path, _ = search.write(request, folder / "plain", [(int8, choice)])
    record = ModelRecord.read(path)
    shutil.copytree(folder / "plain", folder / "exact")
    graph = dataclasses.replace(record.formats["onnx"], portable=False)
    record.of_one("onnx", graph).write(folder / "exact" / path.name)


def score(
    args: argparse.Namespace, folder: Path, runtime: str, without_vnni: bool = False, hidden: bool = False
) -> dict[str, float] | None:
    """Return what ``eval`` says of a form; None where there is no way to run it.

    Args:
        args: name the data.
        folder: of the form.
        runtime: that runs it.
        without_vnni: whether VNNI is not to be used.
        hidden: whether this package is told that the processor has none.
    """
    environment, before = dict(os.environ), []
    if without_vnni and runtime == "openvino":
        environment["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    elif without_vnni:
        if shutil.which(QEMU[0]) is None:
            return None
        before = QEMU
    with tempfile.TemporaryDirectory() as place:
        words = ["eval", "--model", str(folder), "--runtime", runtime, "--data", args.data]
        words += ["--val-split", args.val_split] if args.val_split else []
        words += ["--json", f"{place}/scores.json"]
        code = [sys.executable, "-c", (WITHOUT if hidden else "") + EVAL]
        done = subprocess.run([*before, *code, *words], capture_output=True, text=True, env=environment)
        if done.returncode:
            raise UserError(f"{folder.name} in {runtime}: {done.stderr.strip().splitlines()[-1]}")
        return json.loads(Path(place, "scores.json").read_text())


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
