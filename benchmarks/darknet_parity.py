"""Darknet networks here against OpenCV 4's own reader: sizes, costs, and the largest differences.

Both read every cfg of the shared data with its weights, or with random ones that this package wrote. Both run
it on the shared images and a random one, stretched to the input as darknet does.

layers       sections of the cfg but [net], as darknet counts them
parameters   all values of a weights file, as darknet counts them: running statistics included
trained      those with a gradient: without running means and variances
FLOPs        two for each multiply-add of a convolution, at the cfg's own input size
published    by the networks' authors, if they did
boxes        largest difference of a side, as a fraction of the input's side (1e-4 of 320 is 0.03 pixels)
objectness, scores   largest difference, of 0..1

Run it as: python benchmarks/darknet_parity.py [--data DIR] [NAME ...]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from alive import alive

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
sys.path.insert(0, str(ROOT))  # for what the tests have of this

from gluon_yolo.models.darknet.cfg import read_cfg  # noqa: E402
from gluon_yolo.models.darknet.network import build  # noqa: E402
from gluon_yolo.models.darknet.plan import make_plan  # noqa: E402
from gluon_yolo.models.summary import summarize  # noqa: E402
from tests.models.darknet.judge import TOLERANCE, differences, shared_images, write_random_weights  # noqa: E402

# GFLOPs by the authors' own words (YOLOv3's at pjreddie.com/darknet/yolo), for the input that the cfg has.
PUBLISHED = {
    "yolov3": 65.86,
    "yolov3-spp": 141.45,
    "yolov3-tiny": 5.56,
    "MobileNetV2-YOLOv3-Lite-voc": 1.811,
    "MobileNetV2-YOLOv3-Nano-voc": 0.5,
    "MobileNetV2-YOLO-Fastest-voc": 0.13,
    "MobileNetV2-YOLOv3-SPP": 5.5,
    "yoloface-500k": 0.1,
}
ROW = "{:30}{:>9}{:>8}{:>9}{:>12}{:>12}{:>9}{:>11}{:>10}{:>12}{:>10}"
TITLES = "network input layers weights parameters trained GFLOPs published boxes objectness scores".split()


def main() -> int:
    """Compare, print a row for each network, and return 1 where one differs by more than the tolerance."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="stems of cfgs (default: all)")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the shared data")
    args = parser.parse_args()
    paths = [
        path
        for path in sorted((args.data / "darknet").glob("*/*.cfg"))
        if not args.names or path.stem in args.names
    ]
    images = shared_images(args.data)
    print(f"{len(paths)} networks, {len(images)} pictures each, tolerance {TOLERANCE:g}")
    print(ROW.format(*TITLES))
    failed = [path.stem for path in paths if not compare(path, images)]
    print(f"differ: {', '.join(failed)}" if failed else "all agree")
    return 1 if failed else 0


def compare(path: Path, images: list) -> bool:
    """Print one network's row, and say whether both readers agree."""
    cfg = read_cfg(path)
    net = build(make_plan(cfg))
    size_hw = (net.plan.image.height, net.plan.image.width)
    counts = summarize(net, size_hw)
    own = next(iter(path.parent.glob(f"{path.stem}.weights")), None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if own is None:
            write_random_weights(net, [images[0], images[-1]], folder / "random.weights")
        worst = differences(cfg, own or folder / "random.weights", images, folder)
    published = PUBLISHED.get(path.stem)
    print(
        ROW.format(
            path.stem,
            f"{size_hw[0]}x{size_hw[1]}",
            len(net.plan.layers),
            "random" if own is None else "trained",
            f"{counts.parameters:,}",
            f"{counts.parameters - counts.statistics:,}",
            f"{counts.flops / 1e9:.3f}",
            "-" if published is None else f"{published:g}",
            *(f"{difference:.1e}" for difference in worst),
        ),
        flush=True,
    )
    return bool((worst < TOLERANCE).all())


if __name__ == "__main__":
    raise SystemExit(alive(main))
