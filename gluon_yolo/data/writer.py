"""Writer: write a data set in one format; ImageStore: write its images into a folder."""

from __future__ import annotations

import abc
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from gluon_yolo.atomic_io import is_unused, replacing
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.images.file_types import ending_of
from gluon_yolo.data.images.files import EXTENSIONS
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.errors import UserError

_MARKER = ".gluon_yolo"
_BEGUN, _COMPLETE = "begun", "complete"


class Writer(abc.ABC):
    """Writes a data set into a folder: one call of :meth:`write` per split, then :meth:`finish`.

    The folder must be new or empty, or hold an unfinished data set of the same writer, which is written
    again. A hidden marker file in it records the state; so other files are never overwritten.

    Args:
        out: the folder to make.
        class_names: C names, the same for all data sets that are written.

    Raises:
        UserError: the folder holds something else.
        OSError: the folder cannot be made.
    """

    format: str
    """The format's name on the command line."""
    resumes = False
    """Whether an unfinished or finished data set in the folder is continued, and not written again."""

    def __init__(self, out: str | os.PathLike[str], class_names: Sequence[str]) -> None:
        self.out = Path(out)
        self.class_names = tuple(class_names)
        self._claim()

    @abc.abstractmethod
    def write(self, split: str, dataset: Dataset, copy: bool = True) -> None:
        """Write one split: images, labels and lists, in the order of the data set.

        Args:
            split: its name, such as ``"train"``; each once.
            dataset: its images and annotations.
            copy: True copies image files; False makes hard links where the file system allows it.

        Raises:
            BadFile: an image can no longer be read.
            OSError: a file cannot be written.
        """

    def finish(self) -> Path:
        """Write what all splits share, mark the folder as complete, and return the path for --data.

        A subclass writes its files, then calls this.
        """
        self._mark(_COMPLETE)
        return self.out

    @classmethod
    def check_free(cls, out: str | os.PathLike[str]) -> None:
        """Check that a folder may be written to, before a long reading of data.

        Raises:
            UserError: the folder holds something that a writer must not change.
        """
        folder = Path(out)
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder}: is a file; name a folder to make")
        state = _state(folder)
        can_continue = state == f"{cls.format} {_BEGUN}" or (
            cls.resumes and state.startswith(f"{cls.format} ")
        )
        if not can_continue and folder.is_dir() and not is_unused(folder):
            content = "a finished data set" if state else "something else"
            raise UserError(f"{folder}: holds {content} already; name another folder, or remove it")

    def _claim(self) -> None:
        """Make the folder and mark it as unfinished; an unfinished data set in it is removed."""
        self.check_free(self.out)
        state = _state(self.out)
        if state and self.resumes:
            return
        if state:
            # Deleted, not overwritten: an image may be a hard link to the user's only copy.
            for child in self.out.iterdir():
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                elif child.name != _MARKER:
                    child.unlink()
        self.out.mkdir(parents=True, exist_ok=True)
        self._mark(_BEGUN)

    def _mark(self, state: str) -> None:
        with replacing(self.out / _MARKER) as part:  # a full disk must not leave an empty marker
            part.write_text(f"{self.format} {state}\n", encoding="utf-8")


class ImageStore:
    """Writes image files into one folder, or its subfolders, each with a unique name and a unique stem.

    A name is kept; the second image with a stem (in any letter case, which some file systems ignore) gets
    ``_2`` behind it. An image that is not a file is named after its name in messages.

    Args:
        folder: the folder, which is made when it does not exist.
        subfolder_of: returns the subfolder of an image by its name in the data set; None writes all into the
            folder itself.
    """

    def __init__(self, folder: Path, subfolder_of: Callable[[str], str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._subfolder_of = subfolder_of
        self._numbers: dict[str, int] = {}  # stem -> last number used

    def put(self, dataset: Dataset, copy: bool = True, title: str = "writing pictures") -> list[str]:
        """Write the images of a data set unchanged, with a progress bar, and return their names.

        Args:
            dataset: the images.
            copy: False makes hard links to the data set's files where the file system allows it.
            title: of the progress bar.

        Returns:
            The file name of each image in the folder, in the order of the data set; ``SUBFOLDER/NAME`` with
            subfolders.

        Raises:
            BadFile: an image can no longer be read.
            OSError: a file cannot be written.
        """
        stems = [self._new_stem(dataset.name(index)) for index in range(len(dataset))]
        if self._subfolder_of:
            below = [self._subfolder_of(dataset.name(index)) for index in range(len(dataset))]
            for name in dict.fromkeys(below):
                (self.folder / name).mkdir(exist_ok=True)
            stems = [f"{name}/{stem}" for name, stem in zip(below, stems)]

        def put_one(index: int) -> str:
            file = dataset.name(index)
            extension = os.path.splitext(file)[1]
            is_file = extension.lower() in EXTENSIONS
            if is_file and not copy and _link(file, self.folder / f"{stems[index]}{extension}"):
                return f"{stems[index]}{extension}"
            data = dataset.encoded(index)
            name = f"{stems[index]}{extension if is_file else ending_of(data)}"
            (self.folder / name).write_bytes(data)
            return name

        return threaded_map(put_one, range(len(stems)), title)

    def _new_stem(self, name: str) -> str:
        """Return a free stem for an image, and reserve it."""
        base = re.split(r"[/\\]", name)[-1]
        stem, extension = os.path.splitext(base)
        if extension.lower() not in EXTENSIONS:
            stem = re.sub(r"[^\w-]+", "_", base)
        stem = stem.encode("utf-8", "replace").decode().replace("?", "_")  # a name that is not UTF-8
        # Readers of lists split lines at blanks, and ignore hidden files.
        stem = stem.strip().lstrip(".") or "picture"
        key = stem.casefold()
        number = self._numbers.get(key, 0) + 1
        free = stem if number == 1 else f"{stem}_{number}"
        while free.casefold() in self._numbers:
            number += 1
            free = f"{stem}_{number}"
        self._numbers[key] = number
        self._numbers.setdefault(free.casefold(), 1)
        return free


def file_stem(split: str) -> str:
    """Return a split's name for files and folders: some readers do not accept dots, commas and blanks."""
    return re.sub(r"[^\w-]+", "_", split)


def check_whole(path: Path) -> None:
    """Check that a data set is not one whose writing was interrupted.

    Args:
        path: of it, its folder, or what is in that or one deeper, as COCO's and WIDER FACE's annotations are.

    Raises:
        UserError: it is unfinished.
    """
    inner = path.absolute() if path.is_dir() else path.absolute().parent
    folder = next((each for each in (path, inner, inner.parent) if _state(each).endswith(f" {_BEGUN}")), None)
    if folder is not None:
        raise UserError(
            f"{folder}: was not written to its end, so a part of the data is missing; give the same command "
            "that wrote it again (`gluon-yolo data convert` or `gluon-yolo data pack`), or remove the folder"
        )


def _state(folder: Path) -> str:
    """Return the content of a folder's marker; empty without one."""
    marker = folder / _MARKER
    return marker.read_text(encoding="utf-8", errors="replace").strip() if marker.is_file() else ""


def _link(file: str, target: Path) -> bool:
    """Make a hard link, and return whether that was possible."""
    try:
        os.link(os.path.realpath(file), target)
    except OSError:
        return False
    return True
