"""``data show``: draw an image grid of images with their boxes."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gluon_yolo.cli.flags.data import add_source_arguments, source_of
from gluon_yolo.cli.flags.model import parse_size
from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.images.exif import UPRIGHT, orientation_of
from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.subset import Subset
from gluon_yolo.data.transforms import augmentation
from gluon_yolo.drawing.draw import draw
from gluon_yolo.drawing.write import write_image
from gluon_yolo.errors import UserError
from gluon_yolo.evaluation.image_grids import batch_grid
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.text import counted
from gluon_yolo.visualize.grid import image_grid

HELP = """\
Draw a sheet of pictures with their boxes: as they are, or, with --augment, as training would see them. The
pictures are drawn at random by --seed; the augmented ones are those of training's own loader.

  gluon-yolo data show my_data
  gluon-yolo data show my_data --turned
  gluon-yolo data show my_data --augment mosaic,light --size 416 --out mosaic.jpg
  gluon-yolo data show my_data --augment "color(hue_degrees=9),affine(scale=0.5:1.5),flip,letterbox" --mixup
"""
_SUFFIXES = (".jpg", ".jpeg", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``data show``."""
    add_source_arguments(parser)
    parser.add_argument("--split", metavar="NAME", help="of which pictures (default: those to train on)")
    parser.add_argument("--classes", metavar="FILE", help="class names, one a line (default: the data's)")
    turned = "of the pictures that are turned by EXIF only, such as photographs of a telephone"
    parser.add_argument("--turned", action="store_true", help=turned)
    parser.add_argument("--augment", metavar="NAMES", help="as `gluon-yolo train --augment NAMES` takes it")
    parser.add_argument("--mixup", action="store_true", help="mix pairs of pictures, with --augment")
    size = "what the augmentation ends at, in pixels, height first (default: %(default)s)"
    parser.add_argument("--size", default="416", metavar="N|HxW", help=size)
    num = "pictures on the sheet (default: %(default)s)"
    parser.add_argument("--num", type=int, default=16, metavar="N", help=num)
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="other pictures (default: %(default)s)"
    )
    out = "the sheet, .jpg or .png (default: %(default)s)"
    parser.add_argument("--out", default="show.jpg", metavar="FILE", help=out)


def run(args: argparse.Namespace) -> int:
    """Draw the image grid, write it, and print its path."""
    for name, value, least in (("--num", args.num, 1), ("--seed", args.seed, 0)):
        if value < least:
            raise UserError(f"{name} {value}: expected {least} or more")
    if args.mixup and not args.augment:
        raise UserError("--mixup needs --augment: pictures are mixed as they are drawn for training")
    if Path(args.out).suffix.lower() not in _SUFFIXES:
        raise UserError(f"--out {args.out}: the name must end with .jpg or .png")
    transform, size_hw = augmentation(args.augment or "none"), parse_size(args.size)
    stride = DetectionSpec(("any",)).max_stride
    if any(side % stride for side in size_hw):
        raise UserError(f"--size {args.size}: both sides must be multiples of {stride}")
    source = source_of(args)
    class_names = read_class_names(args.classes) if args.classes else None
    split = args.split or source.split_for("train", "name one with --split")
    dataset = source.open(split, class_names, skip_bad=True)
    dataset.report.log()
    if args.turned:
        dataset = _turned(dataset, args.data)
    num, spec = min(args.num, len(dataset)), DetectionSpec(dataset.class_names)
    if args.augment:
        loader = TrainLoader(dataset, transform, spec, num, [size_hw], seed=args.seed, mixup=args.mixup)
        image = batch_grid(next(iter(loader.epoch(0))), dataset.class_names, num)
    else:
        image = _plain(dataset, num, args.seed)
    write_image(args.out, image)
    what = f"as `--augment {args.augment}` makes them" if args.augment else "as they are"
    print(f"{counted(num, 'picture')} with {'its' if num == 1 else 'their'} boxes, {what}: {args.out}")
    return 0


def _turned(dataset: Dataset, path: str) -> Dataset:
    """Return the images that EXIF turns.

    Raises:
        UserError: there are none.
    """
    indices = [i for i in range(len(dataset)) if orientation_of(dataset.encoded(i)) != UPRIGHT]
    if not indices:
        raise UserError(f"{path}: --turned: not one picture is turned by EXIF; another --split may have some")
    return Subset(dataset, indices)


def _plain(dataset: Dataset, num: int, seed: int) -> np.ndarray:
    """Return an image grid of images without augmentation."""
    chosen = np.random.default_rng(seed).permutation(len(dataset))[:num].tolist()
    return image_grid([draw(dataset.image(i), dataset.annotations(i), dataset.class_names) for i in chosen])
