"""Every family as ONNX with a fixed size, in OpenCV's own reader, against the Gluon network.

Each network is exported as by `export --format onnx --fixed-size`, at its default size, cut raw and decoded.
It and the Gluon network run on the images of the shared data. Networks with trained weights use these; the
others random ones, with batch normalisation that keeps maps near one.

raw      largest difference of a raw map, as a fraction of the map's largest value
boxes    largest difference of a side over all anchors, as a fraction of the input's longer side; for a box
         larger than the input it is scaled down
scores   largest difference of a score, of 0..1
nms      how many of ONNX Runtime's rows with `--cut nms` this reader has as well (the same class, scores
         within 1e-3, sides within 1e-3 of the input's); random scores are nearly equal, and the choice
         between equal ones may differ

Each interpreter is one with OpenCV and NumPy; it needs nothing of this package. The table is Markdown.

Run it as: python benchmarks/opencv_parity.py [--python INTERPRETER ...] [--data DIR] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
CUTS = ("raw", "decoded", "nms")
FIGURES = ("raw", "boxes", "scores")
FAR = 1e6


def main() -> int:
    """Write, have each interpreter read, print a row for each network; return 1 where one fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the zoo, or a cfg's stem (default: all)")
    parser.add_argument(
        "--python", action="append", default=[], metavar="INTERPRETER", help="(default: this one)"
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the shared data")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        print(json.dumps(read(args.read)))
        return 0
    sys.path.insert(0, str(ROOT))
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from export_parity import known_models

    known = known_models(args.data)
    rows: dict[str, list[dict[str, str]]] = {}
    print("| network | weights | input | OpenCV | raw | boxes | scores | nms |")
    print("|---|---|---|---|--:|--:|--:|---|")
    for name in args.names or known:
        with tempfile.TemporaryDirectory() as folder:
            about = write(name, known, args.data, Path(folder))
            for interpreter in args.python or [sys.executable]:
                words = [interpreter, __file__, "--read", folder]
                done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
                found = json.loads(done.stdout)
                rows.setdefault(found["version"], []).append(found)
                print_row(f"{name} | {about}", found)
    for found in rows.values():
        print_row(f"the worst of {len(found)} | |", worst(found))
    return int(any("-" in row.values() for found in rows.values() for row in found))


def print_row(start: str, found: dict[str, str]) -> None:
    """Print a row of the table."""
    shown = " | ".join(found[key] for key in ("version", *FIGURES, "nms"))
    print(f"| {start} | {shown} |", flush=True)


def worst(found: list[dict[str, str]]) -> dict[str, str]:
    """Return the row of the largest figures; what could not be read is the worst."""
    figures = {
        key: max((row[key] for row in found), key=lambda cell: float("inf") if cell == "-" else float(cell))
        for key in FIGURES
    }
    read = [row["nms"].split(" of ") for row in found if "of" in row["nms"]]
    total = " of ".join(str(sum(map(int, numbers))) for numbers in zip(*read)) or "not read"
    return {"version": found[0]["version"], **figures, "nms": total}


def write(name: str, known: dict, data: Path, folder: Path) -> str:
    """Write a network's files, the images, and what the network makes of them; return the row's start."""
    import onnxruntime
    from export_parity import load_model

    from gluon_yolo.data.images.read import read_image
    from gluon_yolo.exporters.ir.read_symbol import read_network
    from gluon_yolo.exporters.onnx.write import make_model, write_model
    from gluon_yolo.exporters.verify import Reference
    from gluon_yolo.inference.preprocess import Preprocess
    from gluon_yolo.mxnet_compat import mx

    model = load_model(name, known)
    net, fit = model.net, Preprocess(model.fit)
    images = [read_image(path) for path in sorted((data / "images").glob("*.jpg"))]
    pixels = np.stack([fit(image, model.size_hw)[0] for image in images])
    reference = Reference(net, [image[None] for image in pixels])
    expected = {
        "boxes": [pair[0] for pair in reference.expected],
        "scores": [p[1] for p in reference.expected],
    }
    for image in pixels:
        for level, raw in enumerate(net(mx.nd.array(image[None], dtype="uint8"))):
            expected.setdefault(f"raw_{level}", []).append(raw.asnumpy())
    graph = read_network(net)
    for cut in CUTS:
        write_model(
            make_model(graph, net.spec, "model", cut, fixed=(1, *model.size_hw)), folder / f"{cut}.onnx"
        )
    session = onnxruntime.InferenceSession(str(folder / "nms.onnx"), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for image in pixels:
        for output, array in zip(names, session.run(names, {"data": image[None]})):
            expected.setdefault(f"nms_{output}", []).append(array)
    arrays = {output: np.concatenate(parts) for output, parts in expected.items()}
    np.savez(folder / "expected.npz", pixels=pixels, **arrays)
    height, width = model.size_hw
    return f"{'trained' if model.trained else 'random'} | {height}x{width}"


def read(folder: Path) -> dict[str, str]:
    """Run the files in the OpenCV of this interpreter, and return the table's cells."""
    import cv2

    expected = np.load(folder / "expected.npz")
    cells = {"version": cv2.__version__, "raw": "-", "boxes": "-", "scores": "-", "nms": "not read"}
    for cut in CUTS:
        try:
            given = run(cv2.dnn.readNetFromONNX(str(folder / f"{cut}.onnx")), expected["pixels"])
        except cv2.error:
            continue
        if cut == "raw":
            worst = max(
                np.abs(array - expected[name]).max() / max(1.0, np.abs(expected[name]).max())
                for name, array in given.items()
            )
            cells["raw"] = f"{worst:.1e}"
        elif cut == "decoded":
            side = max(expected["pixels"].shape[1:3])
            theirs, ours = (np.clip(boxes, -FAR, FAR) for boxes in (expected["boxes"], given["boxes"]))
            reach = np.maximum(1, np.abs(theirs).max(axis=2, keepdims=True) / side)
            cells["boxes"] = f"{(np.abs(ours - theirs) / reach).max() / side:.1e}"
            cells["scores"] = f"{np.abs(given['scores'] - expected['scores']).max():.1e}"
        else:
            theirs = {name: expected[f"nms_{name}"] for name in given}
            cells["nms"] = " of ".join(
                map(str, rows_in_both(theirs, given, max(expected["pixels"].shape[1:3])))
            )
    return cells


def rows_in_both(theirs: dict[str, np.ndarray], ours: dict[str, np.ndarray], side: int) -> tuple[int, int]:
    """Return how many of the rows behind suppression are in the other's as well, and how many there are."""
    shared = total = 0
    for image in range(len(theirs["ids"])):
        for ids, score, box in zip(*(theirs[name][image] for name in ("ids", "scores", "bboxes"))):
            if ids[0] >= 0:
                same = (ours["ids"][image] == ids)[:, 0] & (abs(ours["scores"][image] - score) < 1e-3)[:, 0]
                same &= (abs(ours["bboxes"][image] - box) < 1e-3 * side).all(axis=1)
                shared, total = shared + bool(same.any()), total + 1
    return shared, total


def run(net, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs by name, of images (B, H, W, 3) one by one."""
    names = net.getUnconnectedOutLayersNames()
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for image in pixels:
        net.setInput(image[None])
        for name, array in zip(names, net.forward(names)):
            parts[name].append(array)
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


if __name__ == "__main__":
    raise SystemExit(main())
