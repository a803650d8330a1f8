"""The table of docs/choosing.md: the family by size, FLOPs, milliseconds here, and published numbers.

With ``--measure``, each network, with random weights, is built and measured by ``gluon_yolo.benchmark`` in
every installed runtime, in float32, with one thread and with two; the numbers are kept in choosing.json, with
the processor. A network that is there already is measured again only by its name. Without it, the tables
between the markers of the page are written anew from what is kept.

    python benchmarks/choosing.py --measure [--only NAME,NAME] [--data DIR]
    python benchmarks/choosing.py
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import page_tables

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
PAGE, KEPT = ROOT / "docs" / "choosing.md", Path(__file__).with_suffix(".json")
MOBILENETV2_YOLOV3 = "https://github.com/dog-qiuqiu/MobileNetv2-YOLOV3"
YOLO_FASTEST = "https://github.com/dog-qiuqiu/Yolo-Fastest"
YOLO_FASTESTV2 = "https://github.com/dog-qiuqiu/Yolo-FastestV2"
GLUONCV = "https://cv.gluon.ai/model_zoo/detection.html"
DARKNET = "https://pjreddie.com/darknet/yolo"
HEADS = 0.1
SETTLING = 60  # passes after which running statistics are those of an image
KIRIN, SNAPDRAGON = "Kirin 990, 4 cores", "Snapdragon 888, 4 cores"


@dataclasses.dataclass(frozen=True)
class Choice:
    """A network of the table.

    Args:
        name: in the table.
        network: of the zoo, or a cfg below the shared data's ``darknet/``.
        size: of the input, as ``--size`` takes it.
        use: when to take it.
        published: accuracy, as its author has it.
        phone: milliseconds on a phone, as its author has them.
        source: of the published numbers.
    """

    name: str
    network: str
    size: str
    use: str
    published: str = ""
    phone: str = ""
    source: str = ""


CHOICES = (
    Choice(
        "yoloface-100k",
        "yoloface-100k/yoloface-100k.cfg",
        "112",
        "one face near the camera, on the smallest boards",
        phone=f"ncnn 0.8 ({KIRIN})",
        source=MOBILENETV2_YOLOV3,
    ),
    Choice(
        "yoloface-500k",
        "yoloface-500k/yoloface-500k.cfg",
        "256x320",
        "faces, also in groups, at video rate on a board",
        "WIDER FACE Easy 72.8, Medium 68.2, Hard 43.1",
        f"ncnn 5.5 ({KIRIN})",
        MOBILENETV2_YOLOV3,
    ),
    Choice(
        "yoloface-500k-v2",
        "yoloface-500k-v2/yoloface-500k-v2.cfg",
        "288x352",
        "the same, a little better on small faces; squeeze-excite, so not in every old runtime",
        "WIDER FACE Easy 76.8, Medium 72.9, Hard 49.0",
        f"ncnn 4.7 ({KIRIN})",
        MOBILENETV2_YOLOV3,
    ),
    Choice(
        "MobileNetV2-YOLO-Fastest",
        "fastest-voc/MobileNetV2-YOLO-Fastest-voc.cfg",
        "320",
        "few classes and plain scenes, where every millisecond counts",
        "VOC AP50 46.6",
        f"ncnn 8.2 ({KIRIN})",
        MOBILENETV2_YOLOV3,
    ),
    Choice(
        "Yolo-FastestV2",
        "yolo_fastestv2_coco",
        "352",
        "many classes on a phone's CPU, by a PyTorch recipe that many boards know",
        "COCO AP50 23.6",
        f"ncnn 3.2 ({SNAPDRAGON})",
        YOLO_FASTESTV2,
    ),
    Choice(
        "Yolo-Fastest 1.1",
        "yolo-fastest-1.1/yolo-fastest-1.1.cfg",
        "320",
        "as Yolo-FastestV2, from a darknet cfg",
        "COCO AP50 24.4",
        f"ncnn 5.6 ({SNAPDRAGON})",
        YOLO_FASTESTV2,
    ),
    Choice(
        "Yolo-Fastest 1.1 XL",
        "yolo-fastest-1.1-xl/yolo-fastest-1.1-xl.cfg",
        "320",
        "when Yolo-Fastest 1.1 misses too much, and up to twice its time is there",
        "COCO AP50 34.3",
        "",
        YOLO_FASTEST,
    ),
    Choice(
        "MobileNetV2-YOLOv3-Nano",
        "nano-voc/MobileNetV2-YOLOv3-Nano-voc.cfg",
        "320",
        "the best of the small ones on a few hundred pictures of one's own, from darknet's weights",
        "VOC AP50 65.3, COCO AP50 30.1",
        f"ncnn 10.2 ({KIRIN})",
        MOBILENETV2_YOLOV3,
    ),
    Choice(
        "MobileNetV2-YOLOv3-Lite",
        "cfg/MobileNetV2-YOLOv3-Lite-voc.cfg",
        "320",
        "a phone that has 30 ms a picture",
        "VOC AP50 73.3, COCO AP50 37.4",
        f"ncnn 28.4 ({KIRIN})",
        MOBILENETV2_YOLOV3,
    ),
    Choice(
        "MobileNet0.25-YOLOv3",
        "yolo3_mobilenet0.25_voc",
        "320",
        "to try things: it trains in minutes on a CPU",
    ),
    Choice(
        "MobileNetV2-YOLOv3",
        "yolo3_mobilenetv2_1.0_voc",
        "416",
        "three scales and ImageNet weights, in about three quarters of MobileNet1.0's time",
    ),
    Choice(
        "MobileNet1.0-YOLOv3",
        "yolo3_mobilenet1.0_voc",
        "416",
        "the usual choice on a PC's or a server's CPU, or a phone's GPU",
        "COCO AP 28.6",
        "",
        GLUONCV,
    ),
    Choice(
        "YOLOv3-tiny",
        "cfg/yolov3-tiny.cfg",
        "416",
        "what exists with it already: networks above are both smaller and better",
        "COCO AP50 33.1",
        "",
        DARKNET,
    ),
    Choice(
        "YOLOv3-DarkNet53",
        "yolo3_darknet53_voc",
        "416",
        "a GPU, or a teacher of a smaller network (`--teacher`)",
        "COCO AP 36.0",
        "",
        GLUONCV,
    ),
)


def main() -> int:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measure", action="store_true", help="measure, and keep the numbers")
    parser.add_argument("--only", metavar="NAME,NAME", help="measure these anew")
    parser.add_argument("--data", default=str(DATA), metavar="DIR", help="with darknet/")
    args = parser.parse_args()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if args.measure:
        only = args.only.split(",") if args.only else [one.name for one in CHOICES if one.name not in kept]
        for choice in CHOICES:
            if choice.name in only:
                print(f"{choice.name} ...", flush=True)
                kept[choice.name] = measure(choice, Path(args.data))
                KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), kept), encoding="utf-8")
    print(f"the tables are in {PAGE}")
    return 0


def measure(choice: Choice, data: Path) -> dict[str, Any]:
    """Return the numbers of a network with random weights."""
    import gluon_yolo
    from gluon_yolo.models.build import find_architecture
    from gluon_yolo.mxnet_compat import mx

    cfg = data / "darknet" / choice.network
    known = find_architecture(str(cfg) if choice.network.endswith(".cfg") else choice.network)
    net = known.build(known.spec.class_names)
    net.initialize_weights(seed=0)
    image = mx.nd.random.uniform(0, 255, (1, 96, 96, 3)).astype("uint8")
    for _ in range(SETTLING):  # else a deep network's outputs are so large that no two runtimes agree on them
        with mx.autograd.record():
            total = sum(raw.mean() for raw in net(image))
        total.backward()  # mxnet writes the statistics in the backward pass
    for place, parameter in net._collect_params_with_prefix().items():
        if place.startswith("heads."):  # small outputs: the size of a box is an exponential
            parameter.set_data(parameter.data() * HEADS)
    counts = gluon_yolo.summary(net, choice.size)
    found = gluon_yolo.benchmark(
        net, precision="float32", threads=(1, 2), size=choice.size, say=lambda line: print(f"  {line}")
    )
    return {
        "parameters": counts.parameters,
        "flops": counts.flops,
        "processor": found.about["processor"],
        "runtimes": {
            row.runtime: {"MB": row.files / 1e6, "ms": [row.milliseconds[1], row.milliseconds[2]]}
            for row in found.rows
        },
    }


def with_tables(page: str, kept: dict[str, Any]) -> str:
    """Return the page with its tables written anew."""
    tables = {"family": family(kept), "runtimes": runtimes(kept)}
    return page_tables.with_tables(page, tables, "benchmarks/choosing.py")


def family(kept: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the first table: networks, ascending by FLOPs."""
    titles = "network|input|parameters|GFLOPs|ms here, 1 and 2 threads|ms on a phone|published|take it for"
    cells = [titles.split("|")]
    for choice in sorted((c for c in CHOICES if c.name in kept), key=lambda c: kept[c.name]["flops"]):
        found = kept[choice.name]
        best = [min((one["ms"][place], name) for name, one in found["runtimes"].items()) for place in (0, 1)]
        here = " and ".join(f"{shown(took)} ({name})" for took, name in best)
        name = f"[{choice.name}]({choice.source})" if choice.source else choice.name
        numbers = [f"{found['parameters'] / 1e6:.2f} M", f"{found['flops'] / 1e9:.3g}"]
        cells.append(
            [name, choice.size, *numbers, here, choice.phone or "-", choice.published or "-", choice.use]
        )
    return cells


def runtimes(kept: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the second table: milliseconds with one and two threads, by runtime."""
    names = list(dict.fromkeys(name for found in kept.values() for name in found["runtimes"]))
    cells = [["network", *names]]
    for choice in sorted((c for c in CHOICES if c.name in kept), key=lambda c: kept[c.name]["flops"]):
        measured = kept[choice.name]["runtimes"]
        times = [
            f"{shown(measured[name]['ms'][0])}, {shown(measured[name]['ms'][1])}" if name in measured else "-"
            for name in names
        ]
        cells.append([f"{choice.name}, {choice.size}", *times])
    return cells


def shown(milliseconds: float) -> str:
    """Return a time with two or three digits."""
    return f"{milliseconds:.2g}" if milliseconds < 10 else f"{milliseconds:.0f}"


if __name__ == "__main__":
    sys.exit(main())
