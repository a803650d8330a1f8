"""The gradients of training on the CPU against float64, for every network.

Each network's training graph (planned by mxnet, batch normalisation fused with ReLU where the package does
so) and its loss get two batches of real images with different sizes. Every parameter's gradient is compared
with that in float64, where mxnet uses other kernels (``tests/float64.py``). The numbers are the norm of the
difference over the norm of float64's gradient.

together   all parameters as one vector
worst      the parameter with the largest difference, and its name
alone      together, with every operator called by itself and no planned graph: the rounding of float32

drawn      weights with hardly any activation at the kink of a ReLU; normalisation by running statistics
trained    the network's own weights; where rounding switches a ReLU, a gradient jumps; normalisation likewise
batch      the network's own weights, normalisation by the statistics of two images, which increases rounding

Run it as: python benchmarks/gradients.py [--data DIR] [NAME ...]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
sys.path.insert(0, str(ROOT))  # for what the tests have of this

from tests.judged_networks import NETWORKS, held_to_float64  # noqa: E402

SIZES_HW = {"drawn": ((96, 160), (128, 96)), "trained": ((224, 320), (320, 224)), "batch": ((320, 320),)}
ROW = "{:18}{:9}{:>11}{:>11}{:>11}  {}"
TOLERANCE = {"drawn": 1e-4, "trained": 0.01, "batch": 0.05}  # together; a fault was 0.15 and more


def main() -> int:
    """Print a row for each network and kind of weights; return 1 where a gradient is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NETWORKS)} (default: all)")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the shared data")
    args = parser.parse_args()
    print(ROW.format("network", "weights", "together", "worst", "alone", "the worst"))
    wrong = []
    for name in args.names or NETWORKS:
        for kind, sizes_hw in SIZES_HW.items():
            if kind != "drawn" and NETWORKS[name][1] is None:
                continue
            pairs = held_to_float64(name, args.data, kind, sizes_hw)
            found, plain = max(pairs, key=lambda pair: pair[0].whole)
            numbers = (f"{number:.1e}" for number in (found.whole, found.worst, plain.whole))
            print(ROW.format(name, kind, *numbers, found.name), flush=True)
            if not found.whole < TOLERANCE[kind]:
                wrong.append(f"{name} ({kind})")
    print(f"wrong: {', '.join(wrong)}" if wrong else "all agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
