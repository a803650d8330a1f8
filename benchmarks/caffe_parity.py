"""Every family as Caffe's files, in OpenCV and, by MNN's own converter, in MNN, against the Gluon network.

Each network is written as by `export --format caffe`, at its default size. It and the Gluon network run on
images of the shared data. Networks with trained weights use these; the others random ones, with batch
normalisation that keeps maps near one.

OpenCV, MNN   largest difference of a raw map, as a fraction of the map's largest value (at least 1)
layers        number of Caffe's layers, and
MB            size of the caffemodel

The table is Markdown.

Run it as: python benchmarks/caffe_parity.py [--images N] [--data DIR] [NAME ...]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from export_parity import fitted, known_models, load_model  # noqa: E402

from gluon_yolo.data.images.read import read_image  # noqa: E402
from gluon_yolo.exporters.caffe.file import make_net, write_model  # noqa: E402
from gluon_yolo.exporters.ir.read_symbol import read_network  # noqa: E402
from gluon_yolo.mxnet_compat import mx  # noqa: E402
from tests.exporters.caffe import judges  # noqa: E402

BOUND = 1e-3


def main() -> int:
    """Write, run, print a row for each network; return 1 where a map is out of bound."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the zoo, or a cfg's stem (default: all)")
    parser.add_argument("--images", type=int, default=2, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the shared data")
    args = parser.parse_args()
    known = known_models(args.data)
    images = [read_image(path) for path in sorted((args.data / "images").glob("*.jpg"))[: args.images]]
    print("| network | weights | input | OpenCV | MNN | layers | MB |\n|---|---|---|--:|--:|--:|--:|")
    worst = 0.0
    for name in args.names or known:
        model = load_model(name, known)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            net = make_net(read_network(model.net), "model", model.size_hw)
            write_model(net, folder, "model")
            opencv, mnn = differences(model, folder, fitted(model, images))
            size = (folder / "model.caffemodel").stat().st_size / 1e6
        worst = max(worst, opencv, mnn)
        height, width = model.size_hw
        weights = "trained" if model.trained else "random"
        found = f"{opencv:.1e} | {mnn:.1e} | {len(net.layer)} | {size:.2f}"
        print(f"| {name} | {weights} | {height}x{width} | {found} |", flush=True)
    return int(not worst <= BOUND)


def differences(model, folder: Path, batches: list[np.ndarray]) -> tuple[float, float]:
    """Return the largest differences of OpenCV's maps and of MNN's, over images and maps."""
    outputs = [f"raw_{level}" for level in range(model.net.spec.num_levels)]
    found = [[0.0], [0.0]]
    for pixels in batches:
        expected = [raw.asnumpy() for raw in model.net(mx.nd.array(pixels, dtype="uint8"))]
        both = (judges.by_opencv(folder, "model", pixels), judges.by_mnn(folder, "model", pixels, outputs))
        for given, errors in zip(both, found):
            for output, array in zip(outputs, expected):
                errors.append(np.abs(given[output] - array).max() / max(1.0, np.abs(array).max()))
    return float(np.max(found[0])), float(np.max(found[1]))


if __name__ == "__main__":
    raise SystemExit(main())
