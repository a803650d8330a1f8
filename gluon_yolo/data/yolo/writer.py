"""YOLOWriter: write a data set as YOLO text, in a layout that darknet, Ultralytics and Yolo-FastestV2 read.

::

    OUT/category.names             class names, one per line
    OUT/OUT.data                   darknet's description: the path for --data
    OUT/data.yaml                  Ultralytics' description
    OUT/train.txt  OUT/val.txt     lists, in the order of the data set
    OUT/train/1.jpg  OUT/train/1.txt ...

- Labels are beside the images, and no folder is called ``images``. Yolo-FastestV2 only replaces the ending;
  AlexeyAB's darknet does the same except for ``images/train2017`` and a few more; Ultralytics, and the
  original darknet, read ``labels`` when the path has ``images``. All of them find a label beside its image.
- Lists name ``train/1.jpg``, not ``./train/1.jpg``: Yolo-FastestV2 ends a path at its first dot. It and
darknet
  read such paths from the current folder, so they must be started in OUT.
- ``data.yaml`` names the folders, because Ultralytics reads the lines of a list from the current folder
unless
  they begin with ``./``. It has no ``path``, because a relative one can mean Ultralytics' own folder of data
  sets, and an absolute one is wrong after a move. Without it, the folder of the file is used.
- The ``.data`` file has no blanks around ``=``, which Yolo-FastestV2 does not accept, and no ``backup``: a
data
  set does not determine where darknet writes its weights, and ``backup`` sets the run's folder here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from gluon_yolo.data.classes.read import check_lines
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.splits import splits_by_role
from gluon_yolo.data.writer import ImageStore, Writer, file_stem
from gluon_yolo.data.yolo.label import write_label

_NAMES = "category.names"
_BACKUP = "# darknet puts weights into the folder of a line backup=FOLDER\n"
_KEYS = {"train": "train", "val": "valid", "test": "test"}

logger = logging.getLogger("gluon_yolo")


def data_file_text(classes: int, lists: Mapping[str, str], names: str) -> str:
    """Return darknet's description of a data set.

    Args:
        classes: number of classes.
        lists: the list file of each part, such as ``"train"``.
        names: the file of class names.
    """
    keys = "".join(f"{_KEYS[part]}={file}\n" for part, file in lists.items())
    return f"classes={classes}\n{keys}names={names}\n"


class YOLOWriter(Writer):
    """Writes images, a label beside each, lists, class names, and a description for each program.

    Args:
        out: the folder to make.
        class_names: C names.

    Raises:
        UserError: the folder holds something else, or a names file cannot hold a name.
        OSError: the folder cannot be made.
    """

    format = "yolo"

    def __init__(self, out: str | os.PathLike[str], class_names: Sequence[str]) -> None:
        check_lines(class_names)
        super().__init__(out, class_names)
        self._lists: dict[str, str] = {}
        self._difficult = 0

    def write(self, split: str, dataset: Dataset, copy: bool = True) -> None:
        """Write one split: its images and labels in a folder, its list beside it.

        Args:
            split: its name.
            dataset: its images and annotations.
            copy: True copies image files; False makes hard links where the file system allows it.

        Raises:
            BadFile: an image can no longer be read.
            OSError: a file cannot be written.
            ValueError: its classes differ from the writer's.
        """
        if dataset.class_names != self.class_names:
            raise ValueError(f"expected the classes {self.class_names}, got {dataset.class_names}")
        name = file_stem(split)
        folder = self.out / name
        images = ImageStore(folder).put(dataset, copy, f"writing {split}")
        for index, image in enumerate(images):
            truth = dataset.annotations(index)
            write_label((folder / image).with_suffix(".txt"), dataset.size_hw(index), truth)
            self._difficult += 0 if truth.difficult is None else int(truth.difficult.sum())
        lines = "".join(f"{name}/{image}\n" for image in images)
        (self.out / f"{name}.txt").write_text(lines, encoding="utf-8")
        self._lists[split] = name

    def finish(self) -> Path:
        """Write the class names and the descriptions, and return the ``.data`` file.

        The ``.data`` file is returned because its lists keep the order of the images.
        """
        (self.out / _NAMES).write_text("".join(f"{name}\n" for name in self.class_names), encoding="utf-8")
        splits = tuple(self._lists)
        chosen = splits_by_role(splits, joins=False) or {"train": splits[0]}
        parts = {part: self._lists[split] for part, split in chosen.items()}
        path = self.out / f"{self.out.resolve().name or 'yolo'}.data"
        lists = {part: f"{name}.txt" for part, name in parts.items()}
        path.write_text(data_file_text(len(self.class_names), lists, _NAMES) + _BACKUP, encoding="utf-8")
        description = {**parts, "names": dict(enumerate(self.class_names))}
        text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True)
        (self.out / "data.yaml").write_text(text, encoding="utf-8")
        self._log_losses(set(self._lists.values()) - set(parts.values()))
        super().finish()
        return path

    def _log_losses(self, unnamed: set[str]) -> None:
        """Log what the format could not store."""
        if self._difficult:
            logger.warning(
                "%s: YOLO labels have no mark for difficult: %d lost it", self.out, self._difficult
            )
        if unnamed:
            lists = ", ".join(sorted(f"{name}.txt" for name in unnamed))
            logger.info("%s: %s: written, but no description has a key for more lists", self.out, lists)
