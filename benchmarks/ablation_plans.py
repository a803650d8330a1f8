"""The plans of ablation.py: trainings to compare, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

SETS = ("bccd", "raccoon")


class Case(NamedTuple):
    """One line of a table.

    Args:
        name: of the line.
        flags: what its trainings add to the command.
        commit: the last one whose package had all of these flags; empty where it has them.
    """

    name: str
    flags: str
    commit: str = ""


class Plan(NamedTuple):
    """Trainings to compare: each case on each data set, with each seed."""

    purpose: str
    division: str
    flags: str
    cases: Sequence[Case]
    sets: Sequence[str] = SETS


FASTEST = (
    "--network {data}/darknet/fastest-voc/MobileNetV2-YOLO-Fastest-voc.cfg "
    "--weights {data}/darknet/fastest-voc/MobileNetV2-YOLO-Fastest.conv.57 --recipe small-data --anchors auto"
)
NANO = (
    "--network {data}/darknet/nano-voc/MobileNetV2-YOLOv3-Nano-voc.cfg "
    "--weights {data}/darknet/nano-voc/MobileNetV2-Nano.57 --recipe small-data --anchors auto"
)
FASTESTV2 = (
    "--network fastestv2 --pretrained-base {data}/fastestv2/backbone.pth --recipe small-data --anchors auto"
)
FASTEST_SCRATCH = re.sub("--weights [^ ]+", "", FASTEST)
FASTEST_VOC = FASTEST.replace("YOLO-Fastest.conv.57", "YOLO-Fastest-voc.weights")
NANO_VOC = NANO.replace("Nano.57", "YOLOv3-Nano-voc.weights")
NANO_COCO = NANO_VOC.replace("voc", "coco")
FASTESTV2_COCO = FASTESTV2.replace("--pretrained-base", "--weights").replace(
    "backbone", "coco2017-0.241078ap-model"
)
ONE_ANCHOR = "--assigner auto"  # YOLOv3's own; the recipe's is `overlap`
SMALL = f"{FASTEST} --data-shape 224 --epochs 20 --lr 0.003 {ONE_ANCHOR}"
TINY = "--network mobilenet0_25 --recipe small-data --pretrained-base no"
SCRATCH = f"--recipe small-data {ONE_ANCHOR} --pretrained-base no"  # the recipe as it was before
V1 = (
    "--network mobilenet1_0 --pretrained-base {data}/imagenet/mobilenetv1_100.safetensors --recipe small-data"
)
V2 = (
    "--network mobilenetv2_1_0 --pretrained-base {data}/imagenet/mobilenet_v2-b0353104.pth "
    "--recipe small-data"
)
FAST_LARGE = "--engine torch --precision bfloat16"  # 1.5 times as fast here, where the processor has it
TEACHER = "--teacher {out}/runs/large/{set}/overlap-1/*-1"
BEFORE = "a622be9"  # options that gained nothing left the package after it
EMA = "--ema --ema-decay 0.99 --ema-ramp-up 100"
OPTIONS = [
    Case("none", ""),
    Case("rate 0.0015", "--lr 0.0015"),
    Case("rate 0.006", "--lr 0.006"),
    Case("AdamW", "--optimizer adamw --lr 0.002 --wd 0.05"),
    Case("clipped at 100", "--clip-grad-norm 100", BEFORE),
    Case("EMA", EMA),
    Case("constant rate", "--lr-mode constant"),
    Case("constant rate, EMA", f"--lr-mode constant {EMA}"),
    Case("overlap", "--assigner overlap"),
    Case("neighbours", "--assigner neighbours --lr 0.0015"),
    Case("dynamic", "--assigner dynamic"),
    Case("cut-out", "--augment light,cutout", BEFORE),
    Case("mosaic", "--augment mosaic,light"),
    Case("mosaic closed", "--augment mosaic,light --no-mosaic-epochs 5"),
    Case("class balance 0.5", "--class-balance 0.5", BEFORE),  # no class is so rare: only the order changes
    Case("class balance 1", "--class-balance 1", BEFORE),
    Case("accumulate 4", "--accumulate 4 --lr 0.006", BEFORE),
    Case("without SPP", "--network {out}/data/without-spp.cfg"),
]
ALL = (
    "--assigner overlap --clip-grad-norm 100 --class-balance 1 --augment mosaic,light,cutout "
    "--no-mosaic-epochs 5"
)
PLANS = {
    "alone": Plan("each option alone, on a small network", "choose", SMALL, OPTIONS),
    "left-out": Plan(
        "all options at once, and each left out of them",
        "choose",
        f"{SMALL} {ALL}",
        [
            Case("all", EMA, BEFORE),
            Case("without overlap", f"{EMA} {ONE_ANCHOR}", BEFORE),
            Case("without EMA", "", BEFORE),
            Case("without clipping", f"{EMA} --clip-grad-norm 0", BEFORE),
            Case("without class balance", f"{EMA} --class-balance 0", BEFORE),
            Case("without mosaic", f"{EMA} --augment light,cutout --no-mosaic-epochs 0", BEFORE),
            Case("without cut-out", f"{EMA} --augment mosaic,light", BEFORE),
            Case("with accumulate 4", f"{EMA} --accumulate 4 --lr 0.006", BEFORE),
        ],
    ),
    "start": Plan(
        "a backbone's weights, or those of a whole detector",
        "choose",
        "--data-shape 224 --epochs 20 --lr 0.003 --assigner overlap",
        [
            Case("Fastest, backbone", FASTEST),
            Case("Fastest, VOC", FASTEST_VOC),
            Case("Fastest, VOC, rate 0.0015", f"{FASTEST_VOC} --lr 0.0015"),
            Case("Nano, backbone", NANO),
            Case("Nano, VOC", NANO_VOC),
            Case("Nano, COCO", NANO_COCO),
            Case("FastestV2, backbone", f"{FASTESTV2} --assigner auto"),
            Case("FastestV2, COCO", f"{FASTESTV2_COCO} --assigner auto"),
        ],
    ),
    "overlap": Plan(
        "the rate and the batch with the assigner `overlap`, on a small network",
        "choose",
        f"{SMALL} --assigner overlap",
        [
            Case("rate 0.0015", "--lr 0.0015"),
            Case("rate 0.006", "--lr 0.006"),
            Case("rate 0.012", "--lr 0.012"),
            Case("batch 2, rate 0.0015", "--batch-size 2 --lr 0.0015"),
            Case("constant rate, EMA", f"--lr-mode constant {EMA}"),
        ],
    ),
    "zoo": Plan(
        "a small network of the zoo, from scratch",
        "choose",
        f"{TINY} --data-shape 224 --epochs 20 --lr 0.003 {ONE_ANCHOR}",
        [
            Case("none", ""),
            Case("SPP", "--spp"),
            Case("CIoU", "--box-loss ciou"),
            Case("overlap", "--assigner overlap"),
            Case("CIoU, overlap", "--box-loss ciou --assigner overlap"),
        ],
    ),
    "large": Plan(
        "what MobileNet1.0 gains from, from ImageNet's weights",
        "choose",
        f"{V1} --data-shape 224 --epochs 20 {FAST_LARGE} {ONE_ANCHOR}",
        [
            Case("rate 0.0015", ""),
            Case("input 320", "--data-shape 320"),
            Case("rate 0.00075", "--lr 0.00075"),
            Case("rate 0.003", "--lr 0.003"),
            Case("EMA", EMA),
            Case("overlap", "--assigner overlap"),
            Case("overlap, AdamW", "--assigner overlap --optimizer adamw --lr 0.0005 --wd 0.05"),
            Case("overlap, CIoU", "--assigner overlap --box-loss ciou"),
        ],
    ),
    "imagenet": Plan(
        "30 epochs at 320: from scratch as before, and from ImageNet's weights",
        "report",
        f"--epochs 30 {FAST_LARGE}",
        [
            Case("MobileNet1.0, scratch", f"--network mobilenet1_0 {SCRATCH}"),
            Case("MobileNetV2, scratch", f"--network mobilenetv2_1_0 {SCRATCH}"),
            Case("MobileNet1.0, ImageNet", V1.replace("small-data", "auto")),
            Case("MobileNetV2, ImageNet", V2.replace("small-data", "auto")),
        ],
        ("raccoon",),
    ),
    "published": Plan(
        "30 epochs at 320: from published weights",
        "report",
        "--epochs 30 --augment overhead --anchors auto",
        [
            Case("MobileNet1.0", f"{V1} {FAST_LARGE}"),
            Case("Nano", f"{NANO} --lr 0.003"),
            Case("Fastest", f"{FASTEST} --lr 0.003"),
            Case("FastestV2", f"{FASTESTV2_COCO} --lr 0.003"),
        ],
        ("bccd",),
    ),
    "taught": Plan(
        "a teacher, MobileNet1.0 of the plan `large` with `overlap`, seed 1",
        "choose",
        "--data-shape 224 --epochs 20 --lr 0.003 --assigner overlap",
        [
            Case("a teacher", f"{FASTEST} {TEACHER}"),
            Case("scratch", FASTEST_SCRATCH),
            Case("scratch, a teacher", f"{FASTEST_SCRATCH} {TEACHER}"),
        ],
    ),
}
