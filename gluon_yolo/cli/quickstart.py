"""``quickstart``: all main commands, one after the other, on drawn images."""

from __future__ import annotations

import argparse
import glob
import importlib.util
import json
import shlex
import time
from pathlib import Path

from gluon_yolo.atomic_io import writing
from gluon_yolo.cli.calling import command
from gluon_yolo.errors import UserError
from gluon_yolo.evaluation.table import f1_line

HELP = """\
Walk the whole road on drawn pictures: draw a data set, train a narrow network on it, export the model for
mxnet, ONNX Runtime and ncnn, as far as they are installed, score it, and draw what it finds. Each step is
one of the other commands, printed before it runs, so that it can be repeated with one's own folder. Exit
status 1 when the model is worse than it should be."""

IMAGES = 1600  # each is seen a few times; with fewer images and as many steps, the model makes more mistakes
TRAINING = {
    "--network": "mobilenet0_25",
    "--gpus": "",
    "--pretrained-base": "no",
    "--data-shape": "128x160",
    "--epochs": "6",
    "--batch-size": "4",
    "--lr": "0.002",
    "--lr-mode": "cosine",
    "--warmup-epochs": "0.5",
    "--augment": "light",
    "--assigner": "neighbours",
    "--val-interval": "3",
    "--save-interval": "0",
}
FORMATS = ("symbol", "onnx", "ncnn")
NAME = "shapes"  # of the run and of the exported files
SHOWN = "scene_000?4.jpg"  # ten validation images: every fifth scene is one
WANTED = 0.9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``quickstart``."""
    out_help = "folder for data, run, model and pictures (default: %(default)s)"
    parser.add_argument("--out", default="runs/quickstart", metavar="DIR", help=out_help)


def run(args: argparse.Namespace) -> int:
    """Draw, train, export, score, run the demo; return 1 if a score is not above ``WANTED``."""
    started = time.perf_counter()
    out = Path(args.out)
    with writing(out, "name another folder with --out"):
        out.mkdir(parents=True, exist_ok=True)
    data, model, images, scores = out / "data", out / "model", out / "pictures", out / "scores.json"

    step("synth", data, "--pictures", IMAGES)
    earlier = set(out.glob("*/args.json"))
    step("train", "--data", data, *(word for flag in TRAINING.items() for word in flag),
         "--no-random-shape", "--report", "--name", NAME, "--save-prefix", f"{out}/")  # fmt: skip
    (made,) = set(out.glob("*/args.json")) - earlier
    trained = made.parent
    formats = ",".join(kind for kind in FORMATS if installed(kind))
    step("export", trained, "--format", formats, "--out", model)
    step("eval", "--model", model, "--data", data, "--json", scores)
    step("demo", "--model", model, Path(glob.escape(str(data)), "JPEGImages", SHOWN), "--out", images)

    numbers = json.loads(scores.read_text(encoding="utf-8"))
    score, f1 = numbers["VOC_mAP50"] or 0, numbers["F1"] or 0
    minutes, seconds = divmod(round(time.perf_counter() - started), 60)
    print(f"""
the run, with its log, curves and weights   {trained}
its report, a page for a browser            {trained / "report.html"}
the exported model ({formats}){" " * (23 - len(formats))}{model}
its scores on the validation pictures       {scores}
pictures with what it found                 {images}

mAP50 says how well objects come before mistakes, when all are put in order; what a picture shows is what
scores above a threshold. `demo` takes the one with which F1 was best in the training's validation:
  {f1_line(numbers)}

with your own pictures, in a folder with JPEGImages/ and Annotations/ (Pascal VOC's XML):
  {command("train")} --network mobilenet1_0 --data FOLDER --gpus "" --recipe auto
""")
    good = min(score, f1) > WANTED
    verdict = "done" if good else f"NOT GOOD ENOUGH, mAP50 and F1 should be above {WANTED}"
    print(f"{verdict}: mAP50 {score:.4f}, F1 {f1:.4f}, {minutes} min {seconds:02d} s")
    return 0 if good else 1


def installed(kind: str) -> bool:
    """Return whether the packages of a format are installed."""
    from gluon_yolo.exporters.api import FORMATS as KNOWN

    return all(importlib.util.find_spec(package) for package in KNOWN[kind].packages)


def step(*words: object) -> None:
    """Print a command and run it.

    Raises:
        UserError: the command failed.
        KeyboardInterrupt: the command was stopped.
    """
    from gluon_yolo.cli import main

    argv = [str(word) for word in words]
    print(f"\n$ {command(argv[0])} {shlex.join(argv[1:])}", flush=True)
    status = main(argv)
    if status >= 128:  # a signal ended it
        raise KeyboardInterrupt(f"quickstart, at `{argv[0]}`")
    if status:
        raise UserError(f"the road ends here: `{argv[0]}` did not succeed, see above")
