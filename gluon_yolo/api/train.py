"""``gluon_yolo.train``: train a detector, or resume a run."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from gluon_yolo.api.report import write_report
from gluon_yolo.api.train_result import TrainResult
from gluon_yolo.data.opening import source_of
from gluon_yolo.data.request import DataRequest
from gluon_yolo.errors import blamed
from gluon_yolo.system import cpu, run_note
from gluon_yolo.training.config import KINDS, Args, TrainConfig
from gluon_yolo.training.config_forms import plain_settings
from gluon_yolo.training.config_given import plain_given, read_given, settled_given
from gluon_yolo.training.merge import NOTHING, Given, Layer, merge
from gluon_yolo.training.processes import start
from gluon_yolo.training.processes.base import Processes
from gluon_yolo.training.resumed import DEVICES, ENGINE, resumed_args
from gluon_yolo.training.run_dir import RunFolder


def train(
    config: TrainConfig | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    *,
    callbacks: Sequence[Any] = (),
    resume: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> TrainResult:
    """Train a detector and keep the results in a run folder.

    The detector is validated at the end of an epoch, by default of every epoch. The log goes to the logger
    ``gluon_yolo``, to the console, and to the run's ``log.txt``. Ctrl-C and SIGTERM save the state and end
    the training.

    Args:
        config: a config, a mapping of settings, or a YAML or JSON file of settings, such as the
            ``config.yaml`` of a run. None takes the defaults.
        data: a folder or a file in the format of Pascal VOC, COCO, YOLO, RecordIO, keras-yolo3 or WIDER FACE.
        callbacks: called before and after the training, epochs, steps and validations.
        resume: the folder of a run to continue with its own settings; or a ``.params`` file to start a run
            from, at ``start_epoch``. Of the settings a run may be given engine, devices and paths anew, and
            more ``epochs``, ``patience`` and ``hours``.
        **settings: fields of :class:`~gluon_yolo.training.config.TrainConfig`, typed or as the flags take
            them. They override ``config``.

    Returns:
        The run folder, the best score and the last numbers.

    Raises:
        UserError: an argument cannot be used. The message names the setting or the file, and the fix.
        NothingToLearn: the training images have no object, or none that is large enough.

    Example:
        >>> result = gluon_yolo.train({"network": "mobilenet1_0", "epochs": 30}, "VOCdevkit")
        >>> result.predictor()("street.jpg")
    """
    given = _given(config, {**settings, **_some(data=data, resume=resume)})
    # What several processes call, each of them: this function, with the same arguments.
    same = functools.partial(train, config, data, callbacks=callbacks, resume=resume, **settings)
    with blamed(given.file_places()), start.taking_part(given.all()) as processes:
        if resume is None or os.fspath(resume).endswith(".params"):
            return _train_new(given, callbacks, processes, same)
        folder = RunFolder.open(resume)
        args = resumed_args(given.all(), folder.args())
        return start.in_processes(args, same, callbacks) or _resume(folder, args, callbacks, processes)


def _resume(folder: RunFolder, args: Args, callbacks: Sequence[Any], processes: Processes) -> TrainResult:
    """Resume a run."""
    if processes.is_first and run_note.going_on(folder.path):
        raise run_note.trained_already(folder.path)
    processes.announce(folder.path)
    folder.refuse_links()
    _prepare_cpu(args)
    if not folder.is_fresh() and (finished := _finished(folder, args)):
        if processes.is_first and run_note.was_killed(folder.path):
            _close(folder, args)
        return finished
    from gluon_yolo.training import run_plan, session

    return _result(*session.run(run_plan.plan_resumed(folder, args, processes), callbacks), args)


def _train_new(
    given: Given, callbacks: Sequence[Any], processes: Processes, same: Callable[[], TrainResult]
) -> TrainResult:
    """Train a new run, or go on with the one that several processes or an earlier start have made."""
    if processes.run_id and "run_id" not in given.all():
        given = given._replace(words={**given.words, "run_id": processes.run_id})
    source = source_of(DataRequest.of(merge(given).args))
    from_data = Layer(source.settings(), source.place_of)
    first = merge(given, from_data)
    if started := start.in_processes(first.args, same, callbacks):
        return started
    if known := processes.known_folder():
        folder, again = RunFolder.open(known), {name: first.args[name] for name in (*DEVICES, *ENGINE)}
        return _resume(folder, resumed_args(again, folder.args()), callbacks, processes)
    if named := start.run_called(first.args["run_id"], first.args["save_prefix"]):
        folder = RunFolder.open(named)
        return _resume(folder, resumed_args(given.all(), folder.args()), callbacks, processes)
    _prepare_cpu(first.args)
    from gluon_yolo.training import run_plan, session

    planned = run_plan.plan_new(given, source, first, from_data, processes)
    training, numbers = session.run(planned, callbacks)
    return _result(training, numbers, training.folder.args())


def _given(config: Any, settings: Mapping[str, Any]) -> Given:
    """Return the given settings in plain form, with absolute paths."""
    start = _some(resume=settings.get("resume"))
    words = plain_given({name: value for name, value in settings.items() if name != "resume"}, KINDS)
    words = {**settled_given(words), **{name: os.fspath(path) for name, path in start.items()}}
    places: dict[str, str] = {}
    if config is None:
        return Given(words, NOTHING)
    if isinstance(config, TrainConfig):
        values = config.values()
        plain = plain_settings({name: values[name] for name in config.given or ()})
    elif isinstance(config, Mapping):
        plain = plain_given(config, KINDS)
    else:
        plain, places = read_given(config, KINDS)
    with blamed(places):
        return Given(words, Layer(settled_given(plain), lambda name: places.get(name, "")))


def _some(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _prepare_cpu(args: Args) -> None:
    """Set up SyncBN over several CPU contexts; mxnet reads this setting when it is imported."""
    if args["cpu_devices"] > 1 and args["syncbn"]:
        cpu.prepare()


def _finished(folder: RunFolder, args: Args) -> TrainResult | None:
    """Return the result of a run that has no epoch left to train; None where it has one.

    Raises:
        UserError: its checkpoint is missing or damaged.
    """
    from gluon_yolo.training.checkpoint import Checkpoint
    from gluon_yolo.training.length import is_over

    progress = Checkpoint(folder.weights).read()
    if not is_over(progress, args, folder.args()):
        return None
    return TrainResult(
        folder.path,
        progress.best_score,
        progress.best_epoch,
        progress.score_key,
        args=args,
        trained=False,
        ended=progress.ended,
    )


def _close(folder: RunFolder, args: Args) -> None:
    """Do what a training that was killed after its last checkpoint left undone."""
    with run_note.noted(folder.path):
        folder.remove_parts()
        if args["report"]:
            write_report(folder.path)


def _result(training: Any, numbers: Mapping[str, Any] | None, args: Args) -> TrainResult:
    progress, stopped = training.progress, training.stop.asked
    return TrainResult(
        training.folder.path,
        progress.best_score,
        progress.best_epoch,
        progress.score_key,
        numbers=numbers,
        stopped=stopped if numbers is None else None,
        args=args,
        ended=progress.ended,
    )
