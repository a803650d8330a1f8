"""The memory of training, as estimated before the first step and as measured.

    python benchmarks/train_memory.py [--steps N] [--case TEXT]

Each row is a separate process that trains for some steps on random pixels with ten objects per image, and
then validates. Measured is its peak memory minus its memory after the network is built (VmHWM, Linux only).
The last line is the error of the estimates.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from alive import alive

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

CFGS = (
    Path(os.environ.get("GLUON_YOLO_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "darknet"
)
OBJECTS = 10


@dataclasses.dataclass(frozen=True)
class Case:
    """A training to measure.

    Args:
        network: a name of the zoo, or a cfg below the shared data's ``darknet``.
        batch: images.
        sides: of the square input in pixels, in turn.
        classes: to tell apart.
        devices: CPU contexts.
        syncbn: which needs mxnet to be told beforehand.
    """

    network: str
    batch: int
    sides: tuple[int, ...]
    classes: int = 4
    devices: int = 1
    syncbn: bool = False


CASES = (
    *(Case("mobilenet0_25", batch, (320,)) for batch in (1, 4, 16)),
    Case("mobilenet0_25", 8, (608,)),
    Case("mobilenet0_25", 8, (320,), classes=80),
    *(Case("mobilenet1_0", batch, (side,)) for batch, side in ((1, 416), (4, 320), (8, 416), (4, 608))),
    Case("mobilenet1_0", 4, (320, 608, 416, 512)),
    *(Case("mobilenetv2_1_0", batch, (side,)) for batch, side in ((4, 320), (8, 416))),
    *(Case("fastestv2", batch, (352,)) for batch in (4, 16)),
    *(Case("darknet53", batch, (side,)) for batch, side in ((1, 416), (4, 320))),
    Case("cfg/yolov3-tiny.cfg", 8, (416,)),
    Case("cfg/MobileNetV2-YOLOv3-Lite-coco.cfg", 8, (320,), classes=80),
    Case("nano-coco/MobileNetV2-YOLOv3-Nano-coco.cfg", 8, (320,)),
    Case("yolo-fastest-1.1/yolo-fastest-1.1.cfg", 16, (320,)),
    Case("mobilenet0_25", 8, (320,), devices=2),
    Case("mobilenet0_25", 4, (160,), devices=2, syncbn=True),
)


def main() -> int:
    """Measure each case and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--steps", type=int, default=8, metavar="N", help="of each case (default: %(default)s)"
    )
    parser.add_argument("--case", metavar="TEXT", default="", help="cases whose network holds this")
    parser.add_argument(
        "--engine", choices=("mxnet", "torch"), default="mxnet", help="whose steps to measure"
    )
    parser.add_argument("--side", metavar="JSON", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        return measure(json.loads(args.side), args.steps, args.engine)
    head = ("network", "classes", "devices", "input", "batch", "estimate MB", "measured MB", "ratio")
    print("{:36}{:>8}{:>9}{:>18}{:>6}{:>13}{:>13}{:>7}".format(*head), flush=True)
    ratios = []
    for case in CASES:
        if args.case not in case.network or (args.engine == "torch" and case.devices > 1):
            continue
        words = [sys.executable, __file__, "--steps", str(args.steps), "--side", json.dumps(vars(case))]
        words += ["--engine", args.engine]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
        estimate, measured = (value / 1e6 for value in json.loads(done.stdout.splitlines()[-1]))
        ratios.append(estimate / measured)
        sides, devices = ",".join(map(str, case.sides)), f"{case.devices}{' sync' if case.syncbn else ''}"
        print(
            f"{Path(case.network).stem:36}{case.classes:8}{devices:>9}{sides:>18}{case.batch:6}"
            f"{estimate:13.0f}{measured:13.0f}{ratios[-1]:7.2f}",
            flush=True,
        )
    print(f"ratio {min(ratios):.2f}x to {max(ratios):.2f}x (estimate over measurement)")
    return 0


def measure(case: dict[str, Any], steps: int, engine: str) -> int:
    """Train and validate in this process; print the estimate and the measurement in bytes."""
    if case["syncbn"]:
        from gluon_yolo.system import cpu

        cpu.prepare()
    import numpy as np

    from gluon_yolo.models.build import find_architecture
    from gluon_yolo.mxnet_compat import mx, nd
    from gluon_yolo.system import memory
    from gluon_yolo.training.memory_estimate import TrainMemory
    from gluon_yolo.training.mxnet_engine.step import TrainStep

    name, sides = case["network"], case["sides"]
    known = find_architecture(str(CFGS / name) if name.endswith(".cfg") else name)
    names = [f"class {number}" for number in range(case["classes"])]
    contexts = [mx.cpu(index) for index in range(case["devices"])]
    net = known.build(names, None, "sync" if case["syncbn"] else "bn", len(contexts))
    net.initialize_weights(ctx=contexts, seed=0)
    sizes = [(side, side) for side in sides]
    estimate = TrainMemory(net, sizes[0], len(contexts), OBJECTS).at(sizes).of(case["batch"])
    if engine == "torch":
        from gluon_yolo.training.torch_engine.step import TorchStep as make

        nd.waitall()
        held = memory.resident()  # the engine's own copies of the weights count
        memory.forget_peak()
        train: Any = make(net)
    else:
        train = TrainStep(net, contexts)
        nd.waitall()
        held = memory.resident()
        memory.forget_peak()
    rng = np.random.default_rng(0)
    for step in range(steps):
        train(random_batch(rng, case["batch"], sizes[step % len(sizes)], net.spec), 1e-5)
        nd.waitall()
    train.to_net()
    predictor = train.predictor(sizes[0], score_threshold=0.01)
    for _ in range(2):
        predictor.detect_batch(rng.integers(0, 256, (8, *sizes[0], 3), dtype=np.uint8))
    print(json.dumps([estimate, memory.peak() - held]))
    return 0


def random_batch(rng: Any, count: int, size_hw: tuple[int, int], spec: Any) -> Any:
    """Return a batch of noise with objects of any size."""
    import numpy as np

    from gluon_yolo.assigners import assign
    from gluon_yolo.data.loading.collate import Batch, pad_targets
    from gluon_yolo.detections import Detections

    rows = []
    for _ in range(count):
        sides = rng.uniform(16, min(size_hw) / 3, (OBJECTS, 2))
        corners = rng.uniform(0, 1, sides.shape) * (np.array(size_hw[::-1]) - sides)
        boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
        truth = Detections(boxes, rng.integers(0, spec.num_classes, OBJECTS))
        rows.append(assign(truth, None, spec, size_hw))
    pixels = rng.integers(0, 256, (count, *size_hw, 3), dtype=np.uint8)
    return Batch(pixels, pad_targets(rows), [""] * count, [0] * count, size_hw)


if __name__ == "__main__":
    sys.exit(alive(main))
