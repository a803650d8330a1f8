"""Write the splits of a data set in its own format: lists, or annotation files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.data.coco.dataset import COCODataset
from gluon_yolo.data.coco.writer import write_content
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.images.files import files_ending
from gluon_yolo.data.keras.source import KerasDataset
from gluon_yolo.data.keras.writer import NAMES_FILE
from gluon_yolo.data.source import Source
from gluon_yolo.data.split.coco import CocoDivider, path_from
from gluon_yolo.data.split.wider import folder_of_texts, split_texts, standing_texts
from gluon_yolo.data.splits import PARTS, split_role
from gluon_yolo.data.voc.dataset import VOCDataset
from gluon_yolo.data.voc.layout import voc_folders
from gluon_yolo.data.yolo.writer import data_file_text
from gluon_yolo.errors import UserError

_NEARLY = 1e-9  # smaller differences between shares are rounding errors


def stratify(
    has_class: np.ndarray, shares: Sequence[float], seed: int = 0, groups: np.ndarray | None = None
) -> np.ndarray:
    """Divide images so that each part has its share of the images of every class, as nearly as possible.

    Iterative stratification: K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label
    Data", ECML PKDD 2011, algorithm 1. Images of the class with the fewest remaining images come first. Each
    goes to the part that lacks most images of that class; ties go to the part that lacks most images, then to
    a random one. Images without objects count as one more class. Within a class, the largest groups come
    first.

    Args:
        has_class: (N, C) bool, which classes are in which image.
        shares: of P parts, above 0, with the sum 1.
        seed: of the random choices.
        groups: (N,) integers, equal for images that must stay together; None divides single images.

    Returns:
        (N,) integers, the part of each image as an index into ``shares``. Equal arguments give equal results.
    """
    rng = np.random.default_rng(seed)
    labels = np.column_stack([has_class, ~has_class.any(axis=1)]).astype(np.int64)
    members = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    counts = np.zeros((members.max(initial=-1) + 1, labels.shape[1]), dtype=np.int64)  # of each group
    np.add.at(counts, members, labels)
    sizes = np.bincount(members, minlength=len(counts))
    parts = np.full(len(counts), -1)
    lacking = len(labels) * np.asarray(shares, dtype=np.float64)
    lacking_of = np.outer(labels.sum(axis=0), shares)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-sizes[order], kind="stable")]
    while (parts < 0).any():
        left = counts[parts < 0].sum(axis=0)
        label = int(np.where(left > 0, left, len(labels) + 1).argmin())
        for group in order[(parts[order] < 0) & (counts[order, label] > 0)]:
            part = _neediest(lacking_of[label], lacking, rng)
            parts[group] = part
            lacking_of[:, part] -= counts[group]
            lacking[part] -= sizes[group]
    return parts[members]


def _neediest(lacking_of_label: np.ndarray, lacking: np.ndarray, rng: np.random.Generator) -> int:
    """Return the part that lacks most of a label; ties by the most images, then at random."""
    best = np.flatnonzero(lacking_of_label >= lacking_of_label.max() - _NEARLY)
    best = best[lacking[best] >= lacking[best].max() - _NEARLY]
    return int(best[0] if len(best) == 1 else rng.choice(best))


Members = Sequence[tuple[Dataset, int]]
"""The images of a part: data sets, and indices in them."""

_OLD = ".old"


def standing_lists(source: Source, out: Path | None = None) -> list[Path]:
    """Return the files that define the splits now, at the place where new splits would be written.

    Args:
        source: of one of :data:`FORMATS`.
        out: another folder for the new splits.
    """
    folder = _folder(source, out)
    if source.format == "voc":
        # With a test list, trainval would be preferred to train and val.
        named = [(part, each) for each in voc_folders(source.path) for part in (*PARTS, "trainval")]
        return [each.lists[part] for part, each in named if part in each.lists]
    if source.format == "coco":
        files = files_ending(folder, ".json")
        return [file for file in files if file.name.startswith("instances_") and split_role(file.stem)]
    if source.format == "wider":
        return standing_texts(source.path, out)
    lists = [folder / f"{part}.txt" for part in PARTS]
    if source.format == "keras":
        return [file for file in lists if file.is_file()]
    return [
        file for file in (*lists, folder / "split.names", *files_ending(folder, ".data")) if file.is_file()
    ]


def is_divided(source: Source, out: Path | None = None) -> bool:
    """Return whether a data set already has splits, as it is read or where new ones would be written.

    Args:
        source: of one of :data:`FORMATS`.
        out: another folder for the new splits; the present ones are then not changed.
    """
    splits = source.splits()
    return bool(standing_lists(source, out)) or (len(splits) > 1 and "all" not in splits and not out)


def write_lists(source: Source, parts: Mapping[str, Members], out: Path | None = None) -> Path:
    """Write splits, and return the path for --data; files of present splits are renamed.

    Args:
        source: of one of :data:`FORMATS`.
        parts: the images of each part, all of them from the source.
        out: another folder for the lists or files, which then name images by absolute paths; not for VOC.

    Raises:
        UserError: an image's name cannot be written.
        OSError: a file cannot be written.
    """
    for name in (dataset.name(index) for members in parts.values() for dataset, index in members):
        if any("\ud800" <= letter <= "\udfff" for letter in name):  # surrogates stand for bytes not in UTF-8
            raise UserError(f"{name!r}: the name is not UTF-8, so no list can hold it; rename the picture")
    return _WRITERS[source.format](source, parts, out)


def _write_voc(source: Source, parts: Mapping[str, Members], out: Path | None) -> Path:
    """Write ``ImageSets/Main/train.txt`` and so on, in each year's folder."""
    _put_aside(standing_lists(source, out))
    for folder in voc_folders(source.path):
        folder.lists_folder.mkdir(parents=True, exist_ok=True)
        for part, members in parts.items():
            labels = [Path(data.annotation_paths[i]) for data, i in members if isinstance(data, VOCDataset)]
            in_folder = [
                file.relative_to(folder.annotations) for file in labels if folder.annotations in file.parents
            ]
            if in_folder:
                stems = [file.with_suffix("").as_posix() for file in in_folder]
                _write_lines(folder.lists_folder / f"{part}.txt", stems)
    return source.path


def _write_yolo(source: Source, parts: Mapping[str, Members], out: Path | None) -> Path:
    """Write ``train.txt`` and so on, the class names, and ``split.data``, which names all of these."""
    folder = _folder(source, out)
    folder.mkdir(parents=True, exist_ok=True)
    _put_aside(standing_lists(source, out))
    for part, members in parts.items():
        _write_lines(folder / f"{part}.txt", [path_from(folder, dataset.name(i)) for dataset, i in members])
    class_names = next(iter(parts.values()))[0][0].class_names
    _write_lines(folder / "split.names", class_names)
    place = folder / "split.data"
    lists = {part: f"{part}.txt" for part in parts}
    place.write_text(data_file_text(len(class_names), lists, "split.names"), encoding="utf-8")
    return place


def _write_keras(source: Source, parts: Mapping[str, Members], out: Path | None) -> Path:
    """Write ``train.txt`` and so on, with the boxes unchanged."""
    folder = _folder(source, out)
    folder.mkdir(parents=True, exist_ok=True)
    lines = {
        part: [
            " ".join([path_from(folder, dataset.name(index)), *dataset.written[index]])
            for dataset, index in members
            if isinstance(dataset, KerasDataset)
        ]
        for part, members in parts.items()
    }
    _put_aside(standing_lists(source, out))
    for part, of_part in lines.items():
        _write_lines(folder / f"{part}.txt", of_part)
    if out:
        _write_lines(folder / NAMES_FILE, next(iter(parts.values()))[0][0].class_names)
    return folder


def _write_coco(source: Source, parts: Mapping[str, Members], out: Path | None) -> Path:
    """Write ``annotations/instances_train.json`` and so on; all is read before old files are renamed."""
    folder = _folder(source, out)
    chosen = {
        part: [(dataset, index) for dataset, index in members if isinstance(dataset, COCODataset)]
        for part, members in parts.items()
    }
    datasets = [dataset for members in chosen.values() for dataset, _ in members]
    divider = CocoDivider(datasets, None if out else folder.parent)
    contents = {part: divider.content(members) for part, members in chosen.items()}
    _put_aside(standing_lists(source, out))
    for part, content in contents.items():
        write_content(folder / f"instances_{part}.json", content)
    return out or folder.parent


def _write_wider(source: Source, parts: Mapping[str, Members], out: Path | None) -> Path:
    """Write ``wider_face_train_bbx_gt.txt`` and so on, with the rows unchanged."""
    folder = folder_of_texts(source.path, out)
    folder.mkdir(parents=True, exist_ok=True)
    files = split_texts(source.path, parts, out)
    _put_aside(standing_lists(source, out))
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
    return out or (source.path if source.path.is_dir() else folder)


def _folder(source: Source, out: Path | None) -> Path:
    """Return the folder for lists or COCO annotation files."""
    root = source.path if source.path.is_dir() else source.path.parent
    if out or source.format in ("yolo", "keras"):
        return out or root
    return root if source.path.is_file() and root.name == "annotations" else root / "annotations"


def aside(file: Path) -> Path:
    """Return the new name for a file of present splits.

    The first time it is ``NAME.old``, which is then kept: it may be made by hand. Later splits come from this
    program, which reproduces them from their seed: only the last is kept, as ``NAME.old2``.
    """
    first, last = (file.with_name(f"{file.name}{_OLD}{number}") for number in ("", "2"))
    return last if first.exists() else first


def _put_aside(files: Iterable[Path]) -> None:
    for file in files:
        file.replace(aside(file))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


_WRITERS = {
    "voc": _write_voc,
    "coco": _write_coco,
    "yolo": _write_yolo,
    "keras": _write_keras,
    "wider": _write_wider,
}
FORMATS = tuple(_WRITERS)
"""The formats whose data sets are divided by files beside the pictures."""
