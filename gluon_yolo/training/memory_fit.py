"""Memory fit: the defaults of a training on a CPU, and the check that a training fits the memory."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import SettingError, SettingText, UserError, extended
from gluon_yolo.evaluation.image_grids import VALIDATION_IMAGES
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.system import memory
from gluon_yolo.text import counted
from gluon_yolo.training import batch_auto
from gluon_yolo.training.config import DEFAULTS, Args, TrainConfig
from gluon_yolo.training.config_forms import AUTO_BATCH
from gluon_yolo.training.memory_check import ADVICE, Wanted, check, largest_of
from gluon_yolo.training.memory_estimate import TrainMemory, beside_the_network, weight_bytes
from gluon_yolo.training.out_of_memory import explained
from gluon_yolo.training.run_dir import RunFolder

CPU_BATCH = 8  # a larger batch is not faster on a CPU
_AVERAGE = 2  # times all weights: their average, and themselves while a validation has it in their place
_SIZES = ("no_random_shape", "random_shapes", "shape_interval")  # settings that decide the input sizes


class Fitted(NamedTuple):
    """A training that fits the memory, perhaps with a warning.

    Args:
        config: of the run.
        lines: for the log.
        warnings: for the log.
    """

    config: TrainConfig
    lines: tuple[SettingText, ...] = ()
    warnings: tuple[SettingText, ...] = ()


def cpu_defaults(contexts: Sequence[Any], given: Mapping[str, Any]) -> Args:
    """Return the defaults of a training on a CPU, for settings that are not given.

    Args:
        contexts: the devices.
        given: settings from the user, a recipe, or the data's or the network's own file, in plain form.
    """
    if contexts[0].device_type != "cpu":
        return {}
    own: Args = {}
    if "batch_size" not in given:
        own["batch_size"] = max(CPU_BATCH // len(contexts), 1) * len(contexts)
    if not any(name in given for name in _SIZES):
        own["no_random_shape"] = True
    return own


def fitted(
    config: TrainConfig,
    net: DetectionNetwork,
    contexts: Sequence[Any],
    data: Sequence[Dataset],
    own: Mapping[str, Any],
    resumed: RunFolder | None = None,
    teacher: DetectionNetwork | None = None,
) -> Fitted:
    """Check a training against the free memory, before its first step.

    Args:
        config: of the run.
        net: with its weights.
        contexts: the devices.
        data: the training and the validation data.
        own: the result of :func:`cpu_defaults`; a default batch size is halved until it fits.
        resumed: the run that is resumed or restarted, if any.
        teacher: of the training, if any.

    Raises:
        UserError: it certainly does not fit.
    """
    is_auto = config.batch_size == AUTO_BATCH
    if is_auto and contexts[0].device_type != "cpu":
        return _largest_on_gpus(config, net, contexts, data[0], teacher)
    if contexts[0].device_type != "cpu":  # mxnet's own error is enough for the memory of a GPU
        return Fitted(config)
    there = memory.look()
    if config.memory is not None:
        there = memory.Memory(int(config.memory * memory.GB), 0, "{memory}")
    wanted, estimate = _wanted(config, net, contexts), _estimate(config, net, contexts, data, teacher)
    line_of_batch: tuple[SettingText, ...] = ()
    if is_auto:
        batch, said = batch_auto.within(wanted, estimate.at(wanted.sizes_hw), there, len(data[0]))
        wanted, line_of_batch = dataclasses.replace(wanted, batch_size=batch), (said,)
        config = dataclasses.replace(config, batch_size=batch)
    if there is not None and "batch_size" in own:
        wanted = _halved(wanted, estimate, there)
        config = dataclasses.replace(config, batch_size=wanted.batch_size)
    lines = (*line_of_batch, *((_about_defaults(own, wanted, estimate),) if own else ()))
    if there is None:
        return Fitted(config, lines)
    line = _checked(wanted, estimate, there, resumed)
    if line.startswith("memory:"):
        return Fitted(config, (*lines, SettingText(line)))
    return Fitted(config, lines, (SettingText(line),))


def _wanted(config: TrainConfig, net: DetectionNetwork, contexts: Sequence[Any]) -> Wanted:
    sizes = (config.sizes_hw, config.data_shape)
    return Wanted(
        config.batch_size, *sizes, net.spec.max_stride, len(contexts), random_shape=config.random_shape
    )


def _estimate(
    config: TrainConfig,
    net: DetectionNetwork,
    contexts: Sequence[Any],
    data: Sequence[Dataset],
    teacher: DetectionNetwork | None = None,
) -> TrainMemory:
    together = 4 if "mosaic" in config.augment else 2 if config.mixup else 1
    areas = (math.prod(each.size_hw(index)) for each in data for index in range(len(each)))
    images = together * max(1, config.num_workers) + VALIDATION_IMAGES
    processes = config.num_workers if config.loader_worker_type == "process" else 0
    beside = beside_the_network(processes, 3.0 * max(areas, default=0) * images)
    times = (_AVERAGE if config.ema else 0) + (len(contexts) if config.optimizer == "adamw" else 0)
    beside += times * weight_bytes(net)
    objects = together * _most_objects(data[0])
    return TrainMemory(net, config.data_shape, len(contexts), objects, beside, teacher)


def _most_objects(dataset: Dataset) -> int:
    """Return the largest number of objects of an image."""
    return max((len(dataset.annotations(index)) for index in range(len(dataset))), default=0)


def _largest_on_gpus(
    config: TrainConfig,
    net: DetectionNetwork,
    devices: Sequence[Any],
    train: Dataset,
    teacher: DetectionNetwork | None,
) -> Fitted:
    """Return the training with the largest batch that fits on its GPUs; the first one stands for all.

    Raises:
        SettingError: the engine is mxnet, or there is a teacher: their memory on a GPU is not measured.
    """
    if config.engine != "torch":
        raise SettingError(f"{batch_auto.AUTO}: on a GPU this needs {{engine}} torch; give a number")
    if teacher is not None:
        raise SettingError(f"{batch_auto.AUTO}: a teacher's memory on a GPU is not measured; give a number")
    from gluon_yolo.training.torch_engine.memory import free_bytes, step_peak

    wanted, device = _wanted(config, net, devices), str(devices[0])
    peak = step_peak(net, config, device, _most_objects(train))
    with explained(
        lambda: f"{batch_auto.AUTO}: out of memory on {device}, with {batch_auto.MEASURED[1]} pictures"
    ):
        batch, line = batch_auto.within_gpus(wanted, peak, free_bytes(device), len(train))
    return Fitted(dataclasses.replace(config, batch_size=batch), (line,))


def _halved(wanted: Wanted, estimate: TrainMemory, there: memory.Memory) -> Wanted:
    """Return a training whose default batch size is halved until it fits, or until it cannot be halved."""
    batch, footprint = wanted.batch_size, estimate.at(wanted.sizes_hw)
    while batch > wanted.devices and not there.fits(footprint.of(batch)):
        batch = max(1, batch // 2 // wanted.devices) * wanted.devices
    return dataclasses.replace(wanted, batch_size=batch)


def _about_defaults(own: Mapping[str, Any], wanted: Wanted, estimate: TrainMemory) -> SettingText:
    """Return a message with the defaults of a CPU, the reason for them, and how to change them."""
    batch, sizes = wanted.batch_size, wanted.sizes_hw
    chosen, changed = [], []
    if "batch_size" in own:
        chosen, changed, batch = [f"{{batch_size}} {batch}"], ["{batch_size}"], DEFAULTS["batch_size"]
    if "no_random_shape" in own:
        chosen, changed = [*chosen, "{no_random_shape}"], [*changed, "{random_shapes}"]
        sizes = DEFAULTS["random_shapes"]
    need = estimate.at(sizes).of(batch) / memory.GB
    return SettingText(
        f"a CPU's defaults: {' '.join(chosen)}; to change them: {' and '.join(changed)}. A GPU's defaults, "
        f"batches of {counted(batch, 'picture')} of {largest_of(sizes)}, would take about {need:.1f} GB "
        "of memory here"
    )


def _checked(wanted: Wanted, estimate: TrainMemory, there: memory.Memory, resumed: RunFolder | None) -> str:
    """Return the log message on the memory.

    Raises:
        UserError: there is certainly too little.
    """
    try:
        line = check(wanted, estimate, there)
    except UserError as error:
        raise extended(error, _way_out(str(error), resumed)) from error
    return line if line.startswith("memory:") else f"{line}{_way_out(line, resumed)}"


def _way_out(message: str, resumed: RunFolder | None) -> str:
    """Return further advice on a lack of memory, to put behind the message."""
    if not resumed:
        return ". If the estimate is wrong: {memory} GB says how much there is"
    more = ". A run that goes on keeps its own flags: go on where there is more memory"
    if ADVICE not in message:
        return more
    advice = f"{more}, or give these to a new run"
    if not resumed.has_weights():
        return advice
    return f"{advice} from its weights, {{weights}} {shlex.quote(str(resumed.path))}"
