"""EvaluationData: the images that a model is scored on, by default the validation data of its run."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from gluon_yolo.data.classes.select import select
from gluon_yolo.data.coco.dataset import open_coco
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.opening import classes_of, log_reports, open_datasets
from gluon_yolo.data.request import DataRequest
from gluon_yolo.errors import SettingError, SettingText, UserError, message_of
from gluon_yolo.inference.model_files import find_model_record
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.training.run_dir import ARGS, RunFolder

log = logging.getLogger("gluon_yolo")

_ADVICE = "name the data to score on with {data} PATH"
_NAMED_BY = ("data", "dataset", "data_root", "annotations", "images")  # settings that name the data


@dataclasses.dataclass(frozen=True)
class EvaluationData(DataRequest):
    """The settings that name the images to score a model on.

    Args:
        annotations: a COCO annotation file, given with ``images`` instead of ``data``.
        images: the folder with the images of ``annotations``.
        run: the run whose validation data this is. :meth:`or_of_run` sets it.
    """

    annotations: str | None = None
    images: str | None = None
    run: Path | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> EvaluationData:
        """Return a request with the settings that are its fields; other settings are ignored."""
        return cast("EvaluationData", super().of(settings))

    def or_of_run(self, model: str | os.PathLike[str] | None) -> EvaluationData:
        """Return this request where it names data, else the request for the run's validation data.

        Args:
            model: a path. If it belongs to a run, the run's settings are the defaults.

        Raises:
            SettingError: the run's data does not exist any more.
        """
        run = None if any(getattr(self, name) for name in _NAMED_BY) else _run_of(model)
        if run is None:
            return self
        kept = _data_settings(RunFolder(run).args())
        place = kept.get("data") or kept.get("data_root")
        if place and not os.path.exists(place):
            split = f", split {kept['val_split']}" if kept.get("val_split") else ""
            raise SettingError(f"{run}: was validated on {place}{split}, and there is nothing now; {_ADVICE}")
        return EvaluationData(**{**kept, **given(vars(self)), "run": run})

    def open_images(self) -> Dataset:
        """Open the images; log a summary and the issues of the data.

        Raises:
            UserError: no images are named, or they are broken.
        """
        if self.annotations or self.images:
            dataset = self._open_files()
        else:
            dataset = self._open_split()
        if self.run is not None:
            about = f"scored on what the run was validated on, {dataset.report.title}"
            log.info("%s", SettingText(f"no {{data}} is given: {about}"))
        log_reports(None, dataset)
        return dataset

    def _open_split(self) -> Dataset:
        try:
            dataset = open_datasets(self, need_train=False)[1]
        except UserError as error:
            if self.run is None:
                raise
            message = message_of(error)
            raise SettingError(f"{message}. It is what {self.run} was validated on; {_ADVICE}") from error
        assert dataset is not None
        return dataset

    def _open_files(self) -> Dataset:
        """Open the data set of ``annotations`` and ``images``."""
        if not (self.annotations and self.images):
            raise SettingError("{annotations} FILE and {images} DIR go together")
        if self.data or self.data_root or self.val_split:
            raise SettingError("name the data once: {annotations} and {images}, or {data} and {val_split}")
        dataset = open_coco(self.annotations, self.images, skip_bad=self.skip_bad)
        return select(dataset, classes_of(self))


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that have a value: neither None nor False."""
    return {name: value for name, value in settings.items() if value is not None and value is not False}


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that have a value in plain form: a path or a list of names becomes text."""
    return {name: _plain(value) for name, value in given(settings).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return ",".join(name.replace(",", "\\,") for name in value)
    return value


def _run_of(model: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder of the run that a model belongs to; None where it belongs to no run."""
    if model is None:
        return None
    try:
        file = find_model_record(Path(model))
        trained = ModelRecord.read(file).is_run and (file.parent / ARGS).is_file()
    except UserError:  # the error is raised when the model is loaded
        return None
    return file.parent if trained else None


def _data_settings(kept: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a run that name its data."""
    return {field.name: kept[field.name] for field in dataclasses.fields(DataRequest) if field.name in kept}
