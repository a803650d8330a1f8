"""RecordWriter: pack data sets into ``.rec`` files, which mxnet's ImageDetIter reads as well."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gluon_yolo.atomic_io import replacing
from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.recordio.file import NoRecord, RecordFile, TornRecord, write_record
from gluon_yolo.data.recordio.image_record import encode_label
from gluon_yolo.data.recordio.index import write_index
from gluon_yolo.data.recordio.resume import PartFile, differences
from gluon_yolo.data.recordio.source import NAMES_FILE
from gluon_yolo.data.writer import Writer, file_stem
from gluon_yolo.errors import UserError
from gluon_yolo.progress.bar import Bar

_BUFFER_BYTES = 1 << 20
_DIFFERENCES_SHOWN = 5
_AGAIN = "the same command goes on from there"

logger = logging.getLogger("gluon_yolo")


class RecordWriter(Writer):
    """Writes ``SPLIT.rec`` and ``SPLIT.idx`` for each split, and ``classes.names``.

    Images are packed unchanged, byte by byte, under the keys 0, 1, 2 ...; a record does not store their
    names. A file gets its name after it was read again and equals the data. Interrupted packing resumes where
    it stopped; a file that already exists is compared with the data and kept.

    Args:
        out: the folder.
        class_names: C names.
        force: overwrite existing files.

    Raises:
        UserError: the folder holds something else.
        OSError: it cannot be written.
    """

    format = "record"
    resumes = True

    def __init__(self, out: str | os.PathLike[str], class_names: Sequence[str], force: bool = False) -> None:
        super().__init__(out, class_names)
        self.found_whole: list[Path] = []
        self.packed: list[Path] = []
        self._force = force
        self._write_names()

    def write(self, split: str, dataset: Dataset, copy: bool = True) -> None:
        """Pack one split, and verify the result; see :meth:`Writer.write`.

        Raises:
            UserError: the disk is full; the written file differs from the data; or the file already exists
                with other data.
            BadFile: an image can no longer be read.
        """
        target = self.out / f"{file_stem(split)}.rec"
        part = PartFile(target, split, dataset)
        if target.exists() and not self._force:
            self._check_finished(part, dataset)
            self.found_whole.append(target)
            return
        with self._report_failure(part, dataset):
            self._append(part, dataset)
        frames = part.cut_torn_tail()
        wrong = differences(RecordFile(part.path), frames, dataset, f"verifying {target.name}")
        if wrong:
            advice = "The disk may be failing, or a picture changed meanwhile; delete the file to begin anew"
            raise UserError(f"{part.path}: is not what was to be written: {_shown(wrong)}\n{advice}")
        with self._report_failure(part, dataset):
            part.become(frames)
        self.packed.append(target)

    def _append(self, part: PartFile, dataset: Dataset) -> None:
        """Write the missing records, and flush them to disk."""
        done, count = part.begin(), len(dataset)
        if done:
            logger.info("%s: going on after %d of %d pictures", part.target, done, count)
        bar = Bar(count, f"packing {part.target.name}", "picture", done, leave=False)
        with bar, part.path.open("ab", buffering=_BUFFER_BYTES) as file:
            for key in range(done, count):
                label = encode_label(dataset.annotations(key), dataset.size_hw(key), key)
                try:
                    write_record(file, label + dataset.encoded(key))
                except ValueError as error:
                    raise UserError(f"{dataset.name(key)}: cannot be packed: {error}") from error
                bar.update()
            file.flush()
            os.fsync(file.fileno())
            if hasattr(os, "posix_fadvise"):  # so that verification reads from the disk, not from the cache
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def _check_finished(self, part: PartFile, dataset: Dataset) -> None:
        """Check that a finished file holds this data, and that its index exists.

        Raises:
            UserError: it holds other data.
        """
        file = RecordFile(part.target)
        try:
            frames = list(file.frames())
            wrong = differences(file, frames, dataset, f"comparing {part.target.name}")
        except (NoRecord, TornRecord) as error:
            frames, wrong = [], [str(error)]
        if wrong:
            advice = "--force packs it anew; or name another folder"
            raise UserError(
                f"{part.target}: is there already and is not this data: {_shown(wrong)}\n{advice}"
            )
        with self._report_failure(part, dataset):
            index = part.target.with_suffix(".idx")
            if not index.is_file():  # the process was killed between two renames
                with replacing(index) as new:
                    write_index(new, frames)
            part.discard()

    def _write_names(self) -> None:
        """Write the class names, or compare them with those in the file."""
        path = self.out / NAMES_FILE
        names = ", ".join(map(repr, self.class_names)) or "(none)"
        if not path.is_file():
            with replacing(path) as part:
                part.write_text("".join(f"{name}\n" for name in self.class_names), encoding="utf-8")
                if _names_in(part) != self.class_names:
                    raise UserError(
                        f"{path}: cannot hold the class names {names}, one a line; none may be empty, be "
                        "there twice, end in a blank, or hold a line break"
                    )
        if _names_in(path) != self.class_names:
            raise UserError(
                f"{path}: holds other class names than {names}; name another folder, or remove it"
            )

    @contextmanager
    def _report_failure(self, part: PartFile, dataset: Dataset) -> Iterator[None]:
        """Report, when writing ends early, the reason, the progress, and how to resume."""
        try:
            yield
        except KeyboardInterrupt:
            done = len(part.cut_torn_tail()) if part.path.exists() else 0
            logger.warning("%s: %d of %d pictures are packed; %s", part.target, done, len(dataset), _AGAIN)
            raise
        except OSError as error:
            why = error.strerror or str(error)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                why = self._disk_full(part, dataset)
            raise UserError(f"{part.path}: cannot be written: {why}; {_AGAIN}") from error

    def _disk_full(self, part: PartFile, dataset: Dataset) -> str:
        """Return a message with the number of missing bytes, estimated from the records so far."""
        frames = part.cut_torn_tail() if part.path.exists() else []
        left = len(dataset) - len(frames)
        mean = frames[-1].end / len(frames) if frames else len(dataset.encoded(0))
        free = shutil.disk_usage(self.out).free
        return (
            f"the disk is full after {len(frames):,} of {len(dataset):,} pictures: the others need about "
            f"{left * mean:,.0f} bytes, {free:,} are free. Make room"
        )


def _names_in(path: Path) -> tuple[str, ...] | None:
    """Return the class names in a file; None when it cannot be read as such."""
    try:
        return read_class_names(path)
    except UserError:
        return None


def _shown(lines: Sequence[str]) -> str:
    """Return the first lines, and how many more there are."""
    more = [f"and {len(lines) - _DIFFERENCES_SHOWN:,} more"] if len(lines) > _DIFFERENCES_SHOWN else []
    return "".join(f"\n  {line}" for line in [*lines[:_DIFFERENCES_SHOWN], *more])
