"""Every family x every format x every precision: the difference of exported files from the Gluon network.

Each model is exported as by the command and run by the format's own runtime. It and the Gluon network,
operator by operator, run on the images of the shared data, preprocessed as in training. Networks with trained
weights use these; the others random ones, with batch normalisation that keeps maps near one.

boxes    largest difference of a side over all anchors, in input pixels; for a box larger than the input it is
         scaled down. Most anchors are background, and a side is an exponential: with rounded weights this
         number tells little, and
best     is that of the 100 anchors of each image with the best scores
scores   largest difference of a score, over all anchors and classes, of 0..1
MB       size of the format's files

The table is Markdown. A format that a network does not have (a cfg of one that is not darknet's) has no row;
formats whose package is not installed are listed. `--also FOLDER=RUN` adds each format of an exported folder,
such as that of `quantize` (its OUT/int8), compared with the run or imported model that it comes from.

Run it as: python benchmarks/export_parity.py [--also FOLDER=RUN ...] [--images DIR] [--data DIR] [NAME ...]
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from alive import alive
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
sys.path.insert(0, str(ROOT))  # for the tests' random networks

from gluon_yolo.data.images.read import read_image  # noqa: E402
from gluon_yolo.errors import MissingDependency, UserError  # noqa: E402
from gluon_yolo.exporters.api import FORMATS, export  # noqa: E402
from gluon_yolo.exporters.verify import Bound, Parity, Reference, WrongResults  # noqa: E402
from gluon_yolo.inference.model_files import find_model_record, weights_of  # noqa: E402
from gluon_yolo.inference.model_record import ModelRecord  # noqa: E402
from gluon_yolo.inference.preprocess import Preprocess  # noqa: E402
from gluon_yolo.inference.runtimes import mxnet, registry  # noqa: E402
from gluon_yolo.models.build import find_architecture  # noqa: E402
from gluon_yolo.weights.load import load_weights  # noqa: E402
from tests.exporters.networks import settled  # noqa: E402

ZOO = (
    "yolo3_mobilenet1.0_voc",
    "yolo3_mobilenet0.25_voc",
    "yolo3_mobilenetv2_1.0_voc",
    "yolo3_darknet53_voc",
)
FASTESTV2 = "yolo_fastestv2_coco"
RUNTIME = {kind: name for name, runtime in registry.RUNTIMES.items() for kind in runtime.formats[:1]}
BEST = 100
IMAGES = 20


@dataclasses.dataclass(frozen=True)
class Model:
    """A network to export.

    Args:
        name: as the table calls it.
        net: with its weights.
        trained: whether these are.
        size_hw: of its input in pixels.
        fit: how images are brought to it.
    """

    name: str
    net: Any
    trained: bool
    size_hw: tuple[int, int]
    fit: str


def main() -> int:
    """Export, compare, print a row for each; return 1 where a file is out of its bound."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="of the zoo, a cfg's stem, a run (default: all)"
    )
    parser.add_argument(
        "--also", action="append", default=[], metavar="FOLDER=RUN", help="an exported folder"
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the shared data")
    parser.add_argument("--images", type=Path, metavar="DIR", help="other pictures, the first 20 of a folder")
    args = parser.parse_args()
    images = sorted((args.images or args.data / "images").glob("*.jpg"))[:IMAGES]
    if not images:
        raise UserError(f"{args.images or args.data / 'images'}: holds no .jpg")
    pictures = [read_image(path) for path in images]
    table = Table(len(pictures))
    known = known_models(args.data)
    wanted = args.names or ([] if args.also else list(known))
    for name in tqdm([*wanted, *args.also], unit="model", disable=None):
        if name in args.also:
            folder, _, run = name.partition("=")
            compare_folder(table, Path(folder), Path(run), pictures)
        else:
            compare_model(table, load_model(name, known), pictures)
    table.end()
    return 1 if table.failed else 0


def known_models(data: Path) -> dict[str, tuple[str, Path | None]]:
    """Return by name what builds each network of the shared data, and its trained weights if any."""
    known: dict[str, tuple[str, Path | None]] = {name: (name, None) for name in ZOO}
    for path in sorted((data / "darknet").glob("*/*.cfg")):
        trained = path.with_suffix(".weights")
        known[path.stem] = (str(path), trained if trained.is_file() else None)
    known[FASTESTV2] = (FASTESTV2, next((data / "fastestv2").glob("coco*.pth"), None))
    return known


def load_model(name: str, known: dict[str, tuple[str, Path | None]]) -> Model:
    """Build a network and give it its weights: by its name, or a run's folder."""
    if name not in known:
        path = Path(name)
        file = find_model_record(path)
        record = ModelRecord.read(file)
        net = mxnet.from_record(record, file.parent, weights_of(path))
        return Model(path.name, net, True, record.size_hw, record.fit)
    source, trained = known[name]
    found = find_architecture(source)
    if trained is None:
        return Model(name, settled(source), False, found.size_hw, found.fit)
    net = found.build()
    net.initialize_weights()
    load_weights(net, trained)
    return Model(name, net, True, found.size_hw, found.fit)


def compare_model(table: Table, model: Model, pictures: list[np.ndarray]) -> None:
    """Export a model in every format and precision, and add their rows."""
    reference = Reference(model.net, fitted(model, pictures))
    for kind, precision, fuse in variants(model.net):
        with tempfile.TemporaryDirectory() as folder:
            label = f"{precision}, fused" if fuse else precision
            try:
                done = export(
                    model.net,
                    folder,
                    [kind],
                    "model",
                    model.size_hw,
                    precision=precision,
                    fuse=fuse,
                    cut="decoded" if "decoded" in FORMATS[kind].cuts else None,
                    fit=model.fit,
                )
            except MissingDependency as error:
                table.leave_out(kind, str(error))
                continue
            except WrongResults as error:
                table.fail(model, kind, label, str(error))
                continue
            size = sum((Path(folder) / file).stat().st_size for file in done.files[kind])
            table.add(model, kind, label, reference, run(done, kind, model), size)


def run(done: Any, kind: str, model: Model) -> Any:
    """Return what runs an export: pixels to boxes and scores."""
    if done.record is not None:
        return registry.load(RUNTIME[kind], ModelRecord.read(done.record), done.folder)
    from gluon_yolo.weights import darknet_model

    weights_file, _, cfg = (done.folder / file for file in done.files[kind])
    return mxnet.from_block(darknet_model.load(cfg, weights_file, model.net.spec.class_names)[0])


def compare_folder(table: Table, folder: Path, run: Path, pictures: list[np.ndarray]) -> None:
    """Add a row for each format of an exported folder."""
    file = find_model_record(folder)
    record = ModelRecord.read(file)
    model = dataclasses.replace(load_model(str(run), {}), size_hw=record.size_hw, fit=record.fit)
    reference = Reference(model.net, fitted(model, pictures))
    for kind, graph in record.formats.items():
        if graph.cut == "nms" and not graph.decoded:
            table.leave_out(f"{folder} as {kind}", "ends behind suppression; write it with --cut decoded")
            continue
        network = registry.load(RUNTIME[kind], record, file.parent)
        size = sum((file.parent / name).stat().st_size for name in graph.files)
        table.add(model, kind, record.precision, reference, network, size)


def fitted(model: Model, pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Return the images at the model's size, each a batch of its own."""
    fit = Preprocess(model.fit)
    return [fit(image, model.size_hw)[0][None] for image in pictures]


def variants(net: Any) -> Iterator[tuple[str, str, bool]]:
    """Yield format, precision, and whether a symbol is fused, of all that a network can be exported as."""
    for kind, known in FORMATS.items():
        if kind == "darknet" and not hasattr(net, "plan"):
            continue
        for precision in known.precisions:
            yield kind, precision, False
            if kind == "symbol" and precision == "float32":
                yield kind, precision, True


class Table:
    """Prints rows as they come.

    Args:
        images: how many are compared.
    """

    def __init__(self, pictures: int) -> None:
        self.failed: list[str] = []
        self._left_out: dict[str, str] = {}
        tqdm.write(f"largest differences from the Gluon network on {pictures} pictures\n")
        tqdm.write("| network | weights | input | format | precision | boxes px | best px | scores | MB |")
        tqdm.write("|---|---|---|---|---|--:|--:|--:|--:|")

    def add(
        self, model: Model, kind: str, precision: str, reference: Reference, network: Any, size: int
    ) -> None:
        """Run a network, which is asked twice and computes once, and print its row."""
        held: dict[int, Any] = {}

        def once(batch: np.ndarray) -> Any:
            if id(batch) not in held:
                boxes, scores = network(batch)
                held[id(batch)] = (boxes, scores)
            return held[id(batch)]

        every, best = reference.compare(once), reference.compare(once, Bound(best=BEST))
        tqdm.write(f"{self._start(model, kind, precision)} {_figures(every, best)} | {size / 1e6:.2f} |")

    def fail(self, model: Model, kind: str, precision: str, reason: str) -> None:
        """Print the row of a file that was out of its bound."""
        self.failed.append(reason)
        tqdm.write(f"{self._start(model, kind, precision)} out of bound: {reason} | | | |")

    def leave_out(self, what: str, reason: str) -> None:
        """Remember why something has no rows."""
        self._left_out[what] = reason

    def end(self) -> None:
        """Say what is missing, and what failed."""
        for what, reason in self._left_out.items():
            tqdm.write(f"\nno rows of {what}: {reason}")
        tqdm.write(f"\nout of bound: {len(self.failed)}" if self.failed else "\nall within their bounds")

    def _start(self, model: Model, kind: str, precision: str) -> str:
        height, width = model.size_hw
        weights = "trained" if model.trained else "random"
        return f"| {model.name} | {weights} | {height}x{width} | {kind} | {precision} |"


def _figures(every: Parity, best: Parity) -> str:
    return f"{every.boxes:.2g} | {best.boxes:.2g} | {every.scores:.1e}"


if __name__ == "__main__":
    try:
        raise SystemExit(alive(main))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
