"""``gluon_yolo.benchmark``: a model in every runtime and precision, as the command prints it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.api.evaluation_data import plain
from gluon_yolo.data.request import DataRequest
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters.benchmark import measure
from gluon_yolo.exporters.benchmark.advice import use_of
from gluon_yolo.exporters.benchmark.forms import Form, Say, formats_in, forms_of, readers_of, write
from gluon_yolo.exporters.benchmark.result import Benchmark, Row, fastest_of
from gluon_yolo.exporters.quantize.data import Amount, Images, open_images, read
from gluon_yolo.exporters.quantize.quantized import SHOWN
from gluon_yolo.exporters.quantize.scorer import accuracy_drop_of
from gluon_yolo.exporters.source_model import Model, PathLike, load_detector
from gluon_yolo.inference.model_files import find_model_record
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.model_record import DETECTION, ModelRecord
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.inference.runtimes import opencv
from gluon_yolo.inference.runtimes.base import check_size
from gluon_yolo.inference.runtimes.base import threads as usual_threads
from gluon_yolo.inference.runtimes.registry import RUNTIMES, known
from gluon_yolo.input_size import Size, parse_size
from gluon_yolo.nms import NMS_THRESHOLD
from gluon_yolo.system.instructions import processor_name
from gluon_yolo.system.scratch import temporary_folder

log = logging.getLogger("gluon_yolo")

PRECISIONS = ("float32", "float16", "bfloat16", "int8")
COMPARED = 8  # images of the data on which boxes and scores are compared


def benchmark(
    model: Model,
    data: PathLike | None = None,
    *,
    precision: str | Sequence[str] | None = None,
    runtime: str | Sequence[str] | None = None,
    threads: int | Sequence[int] | None = None,
    size: Size | None = None,
    num: int = Amount.eval_num,
    data_format: str | None = None,
    train_split: str | None = None,
    val_split: str | None = None,
    classes: PathLike | None = None,
    class_map: PathLike | None = None,
    skip_bad: bool = False,
    say: Say | None = None,
) -> Benchmark:
    """Measure a model in every installed runtime and precision: time, size, differences, scores.

    A run, an imported model or a network in memory is exported to a temporary folder, in every format that an
    installed runtime reads. The files of an exported model are measured as they are.

    Args:
        model: a run, an imported or an exported model, as :func:`gluon_yolo.export` takes it.
        data: a data set in any format that training reads, or a folder of images without labels, where the
            detections of the first form are the annotations. None measures no scores, and writes no int8.
        precision: one or several of ``float32``, ``float16``, ``bfloat16`` and ``int8``, of what is exported.
            None takes float32 and float16, and with ``data`` int8.
        runtime: one or several names of runtimes. None takes all that are installed, but for those that are
            made for GPUs.
        threads: one or several numbers of threads. None takes ``OMP_NUM_THREADS``, else the physical cores.
        size: input size in pixels, as ``416``, ``"320x416"`` (height first) or ``(320, 416)``. None takes the
            model's own.
        num: largest number of images to score on.
        data_format: the format of ``data``. None detects it.
        train_split: the split that int8 is calibrated on. None takes the training split.
        val_split: the split to score on. None takes the validation or test split.
        classes: a file of class names, one a line, for data that has none.
        class_map: a file of lines ``NAME = OTHER NAME``, where the data and the model use different names.
        skip_bad: leave out images and labels that cannot be used.
        say: called with each line on the progress, whose text is ``str(line)``. None logs the lines.

    Returns:
        The table. ``print(benchmark)`` shows it; ``benchmark.table`` is a pandas frame.

    Raises:
        UserError: a setting is wrong, the model or the data cannot be read, or nothing runs.

    Example:
        >>> print(gluon_yolo.benchmark("runs/mine-1", "VOCdevkit", threads=(1, 2)))
    """
    say = say or log.info
    runtimes = _runtimes(runtime)
    numbers = _threads(threads)
    amount = Amount(eval_num=num)
    if num < 1:
        raise SettingError(f"{{num}}: expected 1 or more, got {num}")
    asked = None
    if data is not None:
        where = {"data": data, "format": data_format, "train_split": train_split, "val_split": val_split}
        names = {"classes": classes, "class_map": class_map, "skip_bad": skip_bad}
        asked = DataRequest(**plain({**where, **names}))
    with temporary_folder() as folder:
        size_hw = None if size is None else parse_size(size)
        record, forms, images = _forms(model, asked, precision, runtimes, size_hw, amount, folder, say)
        size_hw = size_hw or record.size_hw
        if not forms:
            raise UserError(
                f"{record.name}: none of {', '.join(runtimes)} reads one of its files, which are for "
                f"{', '.join(readers_of(record.formats))}"
            )
        taken = [measure.time(forms, size_hw, number, say) for number in numbers]
        times = [dict(zip(numbers, row)) for row in zip(*taken)]
        ran = [number for number, row in enumerate(times) if None not in row.values()]
        if not ran:
            raise UserError(f"{record.name}: runs in none of {', '.join(runtimes)}, see above")
        forms, times = [forms[number] for number in ran], [times[number] for number in ran]
        rows = _rows(forms, times, record, size_hw, images, say)
    about: dict[str, Any] = {"model": record.name, "network": record.network, "size_hw": list(size_hw)}
    about.update(processor=processor_name(), data=None if data is None else os.fspath(data))
    if images is not None:
        about["pictures"] = len(images.scoring)
    use = use_of(fastest_of(rows), model, data, None if size is None else size_hw)
    return Benchmark(tuple(rows), about, use)


def _runtimes(runtime: str | Sequence[str] | None) -> list[str]:
    """Return the names of the runtimes to measure.

    Raises:
        UserError: one of them is unknown or not installed.
    """
    if runtime is None:
        return [name for name, one in RUNTIMES.items() if one.installed and not one.for_gpus]
    names = runtime.split(",") if isinstance(runtime, str) else list(runtime)
    for name in names:
        if known(name).installed:
            continue
        if RUNTIMES[name].function:  # OpenCV is there, and of another version
            raise SettingError(f"{{runtime}} {name}: {opencv.missing_reader()}: {opencv.INSTALL}")
        raise SettingError(f"{{runtime}} {name}: is not installed: pip install {RUNTIMES[name].package}")
    return names


def _threads(threads: int | Sequence[int] | None) -> list[int]:
    """Return the numbers of threads to measure with.

    Raises:
        SettingError: one of them is below 1.
    """
    numbers = [usual_threads()] if threads is None else [threads] if isinstance(threads, int) else [*threads]
    if not numbers or min(numbers) < 1:
        raise SettingError(f"{{threads}}: expected 1 or more, got {threads}")
    return sorted(dict.fromkeys(numbers))


def _precisions(precision: str | Sequence[str] | None, with_data: bool) -> list[str]:
    """Return the precisions to export in.

    Raises:
        SettingError: one of them is unknown, or int8 is asked for without data.
    """
    if precision is None:
        return ["float32", "float16", *(["int8"] if with_data else [])]
    names = precision.split(",") if isinstance(precision, str) else list(precision)
    for name in names:
        if name not in PRECISIONS:
            raise SettingError(f"{{precision}} {name}: expected some of {', '.join(PRECISIONS)}")
    if "int8" in names and not with_data:
        raise SettingError("{precision} int8: needs {data} PATH, whose pictures it is calibrated on")
    return names


def _forms(
    model: Model,
    asked: DataRequest | None,
    precision: str | Sequence[str] | None,
    runtimes: Sequence[str],
    size_hw: tuple[int, int] | None,
    amount: Amount,
    folder: Path,
    say: Say,
) -> tuple[ModelRecord, list[Form], Images | None]:
    """Return a model's record, its forms, and the images to score on."""
    path = getattr(model, "folder", model)
    if isinstance(path, (str, os.PathLike)):
        record, file = read_model(Path(path))
        record.expect(DETECTION, path)
        if not record.is_run:
            check_size(size_hw or record.size_hw, record.spec)
            if precision is not None:
                raise SettingError(
                    f"{{precision}}: {path} is exported, in {record.precision}, and measured as it is; for "
                    "other precisions name the run"
                )
            images = None if asked is None else open_images(asked, record.spec.class_names, amount)
            return record, forms_of(file, record, runtimes), images
    precisions = _precisions(precision, asked is not None)
    source = load_detector(model, size_hw=size_hw)
    check_size(source.size_hw, source.net.spec)
    images = None if asked is None else open_images(asked, source.net.spec.class_names, amount)
    if images is not None:
        say(images.note)
    records = []
    for name in precisions:
        able = readers_of(formats_in(name))
        if precision is not None and not set(able) & set(runtimes):
            say(f"{name} is left out: it is written for {', '.join(able)} alone")
        elif name == "int8":
            assert images is not None
            records.append(_int8(model, images, source.size_hw, runtimes, folder, say))
        else:
            records.append(write(source, name, runtimes, folder / name, say))
    found = [(path, ModelRecord.read(path)) for path in records if path is not None]
    if not found:
        raise UserError(f"{source.given_as}: no format could be written, see above")
    forms = [form for path, record in found for form in forms_of(path, record, runtimes)]
    return found[0][1], forms, images


def _int8(
    model: Model,
    images: Images,
    size_hw: tuple[int, int],
    runtimes: Sequence[str],
    folder: Path,
    say: Say,
) -> Path | None:
    """Write a model in int8 as the runtimes read it; return its record, or None where it loses too much."""
    from gluon_yolo.api.quantize import quantize

    read = {kind for name in runtimes for kind in RUNTIMES[name].formats}
    formats = [kind for kind in formats_in("int8") if kind in read]
    if not formats:
        return None
    data, out = (images.calibration, images.scoring), folder / "quantized"
    done = quantize(model, data, out, precision="int8", formats=formats, size=size_hw, say=lambda line: None)
    for line in done.missed:
        say(str(line))
    written = done.folders.get("int8")
    return None if written is None else find_model_record(written)


def _rows(
    forms: Sequence[Form],
    times: Sequence[Mapping[int, float]],
    record: ModelRecord,
    size_hw: tuple[int, int],
    images: Images | None,
    say: Say,
) -> list[Row]:
    """Return the table's rows: differences and scores beside the times."""
    reference = forms[0].load()
    if images is None:
        from gluon_yolo.exporters.request import trial_images

        pixels = np.concatenate(trial_images(size_hw))
        score = None
    else:
        few = range(min(COMPARED, len(images.scoring)))
        pixels = read(images.scoring, few, size_hw, Preprocess(record.fit))
        limits = (NMS_THRESHOLD, record.max_detections, record.max_candidates)
        score = accuracy_drop_of(images, reference, record.spec, size_hw, record.fit, say, *limits)
    expected = measure.found_in(reference, pixels)
    rows: list[Row | None] = [None] * len(forms)
    # OpenVINO's threads slow ncnn's in the same process ten times (autotune_timer.py): it is the last.
    for number in sorted(range(len(forms)), key=lambda number: forms[number].runtime == "openvino"):
        form = forms[number]
        network = form.load() if number else reference
        given = measure.found_in(network, pixels) if number else expected
        boxes, off = measure.differences(expected, given, size_hw)
        found: Mapping[str, Any] = {}
        if score is not None:
            found = score(network) if number else score.baseline
        kept = {key: float(found[key]) for key in SHOWN if score is not None and key in score.keys}
        name = (form.runtime, form.kind, form.record.precision)
        rows[number] = Row(*name, form.size, times[number], boxes, off, kept)
    return [row for row in rows if row is not None]
