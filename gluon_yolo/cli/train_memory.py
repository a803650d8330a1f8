"""What a training's flags come to in memory: small defaults on a CPU, and a look at what is there."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gluon_yolo.cli.flags.train import DEFAULTS, SETTINGS, Flags
from gluon_yolo.errors import UserError
from gluon_yolo.system import memory
from gluon_yolo.text import counted

if TYPE_CHECKING:
    from gluon_yolo.data.dataset import Dataset
    from gluon_yolo.models.detector import DetectionNetwork
    from gluon_yolo.training.config import TrainConfig
    from gluon_yolo.training.memory_check import Wanted
    from gluon_yolo.training.memory_estimate import TrainMemory
    from gluon_yolo.training.run_dir import RunFolder

CPU_BATCH = 8  # more of them are not trained faster there
_SIZES = ("no_random_shape", "random_shapes", "shape_interval")  # flags that say at which sizes


class Fitted(NamedTuple):
    """A training that fits, or may.

    Args:
        flags: of the run.
        settings: of the run.
        lines: for the log.
        warnings: likewise.
    """

    flags: Flags
    settings: TrainConfig
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def cpu_defaults(contexts: Sequence[Any], said: Mapping[str, Any]) -> Flags:
    """Return the defaults of a training on a CPU, where nobody says otherwise.

    Args:
        contexts: the devices.
        said: flags that the command line, a recipe, the data's or the network's own file give.
    """
    if contexts[0].device_type != "cpu":
        return {}
    flags: Flags = {}
    if "batch_size" not in said:
        flags["batch_size"] = max(CPU_BATCH // len(contexts), 1) * len(contexts)
    if not any(name in said for name in _SIZES):
        flags["no_random_shape"] = True
    return flags


def fitted(
    flags: Flags,
    settings: TrainConfig,
    net: DetectionNetwork,
    contexts: Sequence[Any],
    data: Sequence[Dataset],
    own: Flags,
    resumed: RunFolder | None = None,
) -> Fitted:
    """Hold a training against the memory that is there, before its first step.

    Args:
        flags: of the run.
        settings: of the run.
        net: built, its weights set.
        contexts: the devices.
        data: to train and to validate on.
        own: the flags that :func:`cpu_defaults` gave; a batch of its own is halved until it fits.
        resumed: the run that goes on, or begins anew, if one does.

    Raises:
        UserError: it surely does not fit.
    """
    if contexts[0].device_type != "cpu":  # of a GPU's memory mxnet's own error tells
        return Fitted(flags, settings)
    there = memory.look()
    if flags["memory"] is not None:
        there = memory.Memory(int(flags["memory"] * memory.GB), 0, "--memory")
    wanted, estimate = _wanted(settings, net, contexts), _estimate(settings, net, contexts, data)
    if there is not None and "batch_size" in own:
        wanted = _halved(wanted, estimate, there)
        settings = dataclasses.replace(settings, batch_size=wanted.batch_size)
        flags = {**flags, "batch_size": wanted.batch_size}
    lines = (_about_defaults(own, wanted, estimate),) if own else ()
    if there is None:
        return Fitted(flags, settings, lines)
    line = _checked(wanted, estimate, there, resumed)
    if line.startswith("memory:"):
        return Fitted(flags, settings, (*lines, line))
    return Fitted(flags, settings, lines, (line,))


def _wanted(settings: TrainConfig, net: DetectionNetwork, contexts: Sequence[Any]) -> Wanted:
    from gluon_yolo.training.memory_check import Wanted

    sizes = (settings.sizes_hw, settings.data_shape)
    return Wanted(
        settings.batch_size, *sizes, net.spec.max_stride, len(contexts), random_shape=settings.random_shape
    )


def _estimate(
    settings: TrainConfig, net: DetectionNetwork, contexts: Sequence[Any], data: Sequence[Dataset]
) -> TrainMemory:
    from gluon_yolo.evaluation.image_grids import VALIDATION_IMAGES
    from gluon_yolo.training.memory_estimate import TrainMemory, beside_the_network

    train = data[0]
    objects = max((len(train.annotations(index)) for index in range(len(train))), default=0)
    together = 4 if "mosaic" in settings.augment else 2 if settings.mixup else 1
    areas = (math.prod(each.size_hw(index)) for each in data for index in range(len(each)))
    images = together * max(1, settings.num_workers) + VALIDATION_IMAGES
    processes = settings.num_workers if settings.loader_worker_type == "process" else 0
    beside = beside_the_network(processes, 3.0 * max(areas, default=0) * images)
    return TrainMemory(net, settings.data_shape, len(contexts), objects * together, beside)


def _halved(wanted: Wanted, estimate: TrainMemory, there: memory.Memory) -> Wanted:
    """Return a training whose batch, which nobody asked for, was halved until it fits, if it ever does."""
    from gluon_yolo.training.memory_check import fits

    batch, footprint = wanted.batch_size, estimate.at(wanted.sizes_hw)
    while batch > wanted.devices and not fits(footprint.of(batch), there):
        batch = max(1, batch // 2 // wanted.devices) * wanted.devices
    return dataclasses.replace(wanted, batch_size=batch)


def _about_defaults(own: Flags, wanted: Wanted, estimate: TrainMemory) -> str:
    """Say which defaults are a CPU's, why, and what changes them."""
    from gluon_yolo.training.memory_check import largest_of

    batch, sizes = wanted.batch_size, wanted.sizes_hw
    chosen, changed = [], []
    if "batch_size" in own:
        chosen, changed, batch = [f"--batch-size {batch}"], ["--batch-size"], DEFAULTS["batch_size"]
    if "no_random_shape" in own:
        chosen, changed = [*chosen, "--no-random-shape"], [*changed, "--random-shapes"]
        sizes = SETTINGS["random_shapes"]
    need = estimate.at(sizes).of(batch) / memory.GB
    return (
        f"a CPU's defaults: {' '.join(chosen)}; to change them: {' and '.join(changed)}. A GPU's defaults, "
        f"batches of {counted(batch, 'picture')} of {largest_of(sizes)}, would take about {need:.1f} GB "
        "of memory here"
    )


def _checked(wanted: Wanted, estimate: TrainMemory, there: memory.Memory, resumed: RunFolder | None) -> str:
    """Return what the log says of the memory.

    Raises:
        UserError: there is surely too little.
    """
    from gluon_yolo.training.memory_check import check

    try:
        line = check(wanted, estimate, there)
    except UserError as error:
        raise UserError(f"{error}{_way_out(str(error), resumed)}") from error
    return line if line.startswith("memory:") else f"{line}{_way_out(line, resumed)}"


def _way_out(said: str, resumed: RunFolder | None) -> str:
    """Return what else can be done about a lack of memory, behind what was said of it."""
    from gluon_yolo.training.memory_check import ADVICE

    if not resumed:
        return ". If the estimate is wrong: --memory GB says how much there is"
    more = ". A run that goes on keeps its own flags: go on where there is more memory"
    if ADVICE not in said:
        return more
    anew = f"{more}, or give these to a new run"
    if not resumed.has_weights():
        return anew
    return f"{anew} from its weights, --weights {shlex.quote(str(resumed.path))}"
