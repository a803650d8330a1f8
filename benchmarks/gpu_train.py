"""Torch's engine on a GPU, in one run of a few minutes: gradients, speed, memory, a training, inference.

1. Gradients of the engine in each precision against the CPU's in float64, norms by stored statistics: the
   norm of the difference over the norm of float64's, of all parameters together.
2. Images a second of training steps with one synthetic batch, and the memory, for each network and precision.
3. The same from a data set, through the augmentation and the loader with all cores, and the share of the time
   in which the steps wait for it. Less than 90 % of the synthetic rate is named.
4. Where a step's time goes: the operators of the first network in the last precision.
5. A real run of two epochs, its time and its mAP.
6. Milliseconds of ``Predictor`` with the runtime ``torch``: an image, and the network's part of it.

    python benchmarks/gpu_train.py [--device cuda:0] [--data DIR] [--network NAME|CFG ...]
        [--precision float32,tf32,bfloat16] [--batch-size N] [--size N] [--seconds S] [--workers N]

``--device cpu --small`` takes the same way in small, where there is no GPU. Exit status 1 when float32's
gradients are wrong.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from alive import alive
from gpu_rates import profile, speed, title
from train_sides import build
from train_step import DATA, NANO

import gluon_yolo
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.synthetic import generate
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.errors import UserError
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.models.layers import hold_statistics
from gluon_yolo.system.cpu import physical_cores
from gluon_yolo.torch_compat import torch
from gluon_yolo.training.torch_engine.precision import check_precision
from gluon_yolo.training.torch_engine.step import TorchStep
from tests.float64 import difference
from tests.judged_networks import batch_norms, drawn, make_batch

WRONG = 1e-3  # of float32's gradients, together
JUDGED_HW, SMALL_HW = (160, 160), (96, 96)


def main() -> int:
    """Take the six ways, and return 1 if a gradient is wrong."""
    args = parse()
    print_machine(args)
    data = open_data(args)
    wrong = gradients(args)
    speed(args, data)
    profile(args)
    real_run(args)
    inference(args, data)
    return int(wrong)


def parse() -> argparse.Namespace:
    """Return the arguments; ``--small`` changes their defaults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0", help="torch's name of it (default: %(default)s)")
    parser.add_argument("--data", default=str(DATA / "bccd" / "BCCD"), metavar="DIR", help="in VOC layout")
    networks = ["yolo3_mobilenet1.0_voc", *([str(NANO)] if NANO.is_file() else []), "yolo3_darknet53_voc"]
    parser.add_argument("--network", nargs="+", default=networks, metavar="NAME|CFG")
    parser.add_argument("--precision", default="float32,tf32,bfloat16", metavar="NAMES")
    parser.add_argument("--batch-size", type=int, metavar="N", help="(default: 64; small: 2)")
    parser.add_argument("--size", type=int, metavar="N", help="(default: 416; small: 96)")
    parser.add_argument("--seconds", type=float, metavar="S", help="of each rate (default: 6; small: 1)")
    parser.add_argument("--workers", type=int, default=physical_cores(), metavar="N")
    parser.add_argument("--small", action="store_true", help="the same way in small")
    args = parser.parse_args()
    usual = {"batch_size": 2, "size": 96, "seconds": 1.0}
    for name, value in (usual if args.small else {"batch_size": 64, "size": 416, "seconds": 6.0}).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    args.gpu = torch.device(args.device).index if "cuda" in args.device else None
    args.precision = [each for each in args.precision.split(",") if is_fast(each, args.device)]
    return args


def is_fast(precision: str, device: str) -> bool:
    """Return whether a device has a precision; print why not."""
    try:
        check_precision(precision, device)
    except UserError as error:
        print(f"left out: {str(error).format(precision='precision')}")
        return False
    return True


def print_machine(args: argparse.Namespace) -> None:
    """Print what computes."""
    name = f"{physical_cores()} cores"
    if args.gpu is not None:
        capability = ".".join(map(str, torch.cuda.get_device_capability(args.gpu)))
        name = f"{torch.cuda.get_device_name(args.gpu)} (compute capability {capability}), {name}"
    print(f"{args.device}: {name}; torch {torch.__version__}, its CUDA {torch.version.cuda}")


def open_data(args: argparse.Namespace) -> Dataset:
    """Return the training images: those of ``--data`` if it is there, else drawn ones."""
    if not Path(args.data).is_dir():
        args.folder = tempfile.TemporaryDirectory()  # as long as the arguments
        args.data = str(generate(Path(args.folder.name) / "drawn", images=300))
    return open_voc(Path(args.data), "trainval")


def gradients(args: argparse.Namespace) -> bool:
    """Print the errors of the gradients; return whether float32's are wrong."""
    print(
        f"\ngradients against the CPU's float64\n{'network':32}" + "".join(f"{p:>12}" for p in args.precision)
    )
    wrong = False
    for network in args.network:
        net = build(network)
        images, targets = make_batch(net.spec, SMALL_HW if args.small else JUDGED_HW, None)
        drawn(net, images)
        for norm in batch_norms(net):
            hold_statistics(norm)
        right = gradient(TorchStep(net, "cpu", dtype=torch.float64), images, targets)
        found = {
            precision: difference(
                gradient(TorchStep(net, args.device, precision=precision), images, targets), right
            ).whole
            for precision in args.precision
        }
        wrong |= found.get("float32", 0.0) > WRONG
        print(f"{title(network):32}" + "".join(f"{each:12.1e}" for each in found.values()), flush=True)
    return wrong


def gradient(step: TorchStep, images: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    """Return the gradient of each parameter for one batch, as the engine computes it."""
    step.module.train()
    losses = step._forward(step._on_device(images), step._on_device(targets))
    parameters = dict(step.module.named_parameters())
    found = torch.autograd.grad(losses.sum(), list(parameters.values()))
    return {name: each.double().cpu().numpy() for name, each in zip(parameters, found)}


def real_run(args: argparse.Namespace) -> None:
    """Train two epochs as a user does, and print the score and the time."""
    print(f"\ntwo epochs of {title(args.network[0])} on {args.data}")
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        result = gluon_yolo.train(
            network=args.network[0],
            data=args.data,
            epochs=2,
            engine="torch",
            gpus="" if args.gpu is None else str(args.gpu),
            precision=args.precision[-1],
            batch_size=args.batch_size,
            data_shape=args.size,
            no_random_shape=True,
            num_workers=args.workers,
            pretrained_base="no",
            save_prefix=f"{folder}{os.sep}",
        )
        seconds = time.perf_counter() - begin
    numbers = ", ".join(
        f"{key} {result.numbers[key]:.4f}" for key in ("VOC07_mAP50", "AP50") if key in result.numbers
    )
    print(f"{numbers}; {seconds:.0f} s with validation")


def inference(args: argparse.Namespace, data: Dataset) -> None:
    """Print the milliseconds of an image, from pixels to boxes."""
    print(f"\nPredictor, runtime torch, {args.size}x{args.size}, an image a call: milliseconds")
    images = [data.image(index, 1) for index in range(8)]
    for network in args.network:
        net = build(network)
        net.initialize_weights(seed=0)
        predictor = Predictor.from_block(net, (args.size, args.size), runtime="torch", gpu=args.gpu)
        whole: list[float] = []
        parts: list[dict[str, Any]] = []
        for number in range(3 if args.small else 40):
            begin = time.perf_counter()
            predictor(images[number % len(images)])
            whole.append(1e3 * (time.perf_counter() - begin))
            parts.append(dict(predictor.timings))
        middle = {key: statistics.median(part[key] for part in parts[1:]) for key in parts[-1]}
        words = ", ".join(f"{key} {value:.1f}" for key, value in middle.items())
        print(f"{title(network):32}{statistics.median(whole[1:]):8.1f}  ({words})", flush=True)


if __name__ == "__main__":
    sys.exit(alive(main))
