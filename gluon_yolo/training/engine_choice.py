"""Engine choice: which program computes a training, and on which devices."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gluon_yolo import mxnet_compat
from gluon_yolo.errors import SettingError, SettingText, UserError, extended
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.pytorch import device as torch_device
from gluon_yolo.system import cuda, memory
from gluon_yolo.text import counted
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.config_check import refuse_for_mxnet
from gluon_yolo.training.data_parallel import gpu_indices
from gluon_yolo.training.engine import Engine
from gluon_yolo.training.mxnet_engine.step import TrainStep
from gluon_yolo.training.prepare import devices_of
from gluon_yolo.training.processes.base import Processes
from gluon_yolo.training.processes.member import Member
from gluon_yolo.training.teacher import Teacher
from gluon_yolo.training.weight_average import Decay

MXNET, TORCH = "mxnet", "torch"
_AS_ASKED = "engine: {name}, as {{engine}} says"
_AUTO = "engine: mxnet; {engine} auto takes torch for GPUs that mxnet cannot use, and for several processes"

log = logging.getLogger("gluon_yolo")


class TorchDevice(NamedTuple):
    """A device of torch's, with the attributes of mxnet's contexts.

    Args:
        device_type: ``cpu`` or ``cuda``.
        device_id: index of the GPU.
    """

    device_type: str
    device_id: int = 0

    def __str__(self) -> str:
        """Return torch's name of the device."""
        return self.device_type if self.device_type == "cpu" else f"{self.device_type}:{self.device_id}"


class Choice(NamedTuple):
    """The engine of a training.

    Args:
        engine: ``mxnet`` or ``torch``.
        devices: that share a batch: mxnet's contexts, or torch's devices.
        line: for the log: which engine, and why; empty where torch is not installed and nothing was asked.
    """

    engine: str
    devices: list[Any]
    line: str | SettingText = ""

    @property
    def contexts(self) -> list[mx.Context]:
        """The contexts of the Gluon network; torch's engine has it on the CPU."""
        return self.devices if self.engine == MXNET else [mx.cpu()]


def choose_engine(args: Mapping[str, Any], member: Member | None = None) -> Choice:
    """Return the engine and the devices of a training.

    ``auto`` is torch for several processes or hosts, and for GPUs that torch can use and mxnet cannot; else
    mxnet.

    Args:
        args: every setting in plain form.
        member: this process, if it is one of several that train together.

    Raises:
        UserError: the engine is not installed, cannot use a device, or does not compute in this precision.
    """
    asked, gpus, cpu_devices = args["engine"], args["gpus"], args["cpu_devices"]
    if asked == TORCH:
        return _torch(args, SettingText(_AS_ASKED.format(name=TORCH)), member)
    if asked == MXNET:
        if member is not None:
            raise SettingError("{engine} mxnet: trains in one process; several need {engine} torch")
        return Choice(MXNET, devices_of(gpus, cpu_devices), SettingText(_AS_ASKED.format(name=MXNET)))
    if member is not None or args["hosts"]:
        return _torch(args, "engine: torch, by which several processes train together", member)
    wanted = [] if cpu_devices else [0] if gpus is None else gpu_indices(gpus)
    why = _why_not_mxnet(wanted) if torch_device.is_installed() else ""
    if why and not any(map(torch_device.problem, wanted)):
        return _torch(args, f"engine: torch; {why}", member)
    try:
        devices = devices_of(gpus, cpu_devices)
    except UserError as error:
        raise extended(error, _torchs_way(wanted)) from error
    refuse_for_mxnet(args)
    return Choice(MXNET, devices, SettingText(_AUTO) if torch_device.is_installed() else "")


def make_engine(
    config: TrainConfig,
    net: DetectionNetwork,
    devices: Sequence[Any],
    processes: Processes,
    teacher: Teacher | None = None,
) -> Engine:
    """Return the engine of a training.

    Args:
        config: of the run; its ``engine`` is the chosen one, ``auto`` is mxnet.
        net: initialized on the contexts of :class:`Choice`, with its starting weights.
        devices: of :class:`Choice`.
        processes: which train together.
        teacher: whose predictions are targets too; None is none.
    """
    memory.give_back()  # of the training before this one in the same program
    smoothing = config.smoothing(net.spec.num_classes)
    options = (config.momentum, config.wd, config.no_wd, smoothing, config.box_loss, config.loss_scale)
    if config.engine != TORCH:
        return TrainStep(
            net,
            devices,
            *options,
            ema=Decay.of(config),
            teacher=teacher,
            optimizer=config.optimizer,
        )
    from gluon_yolo.training.torch_engine.step import TorchStep

    return TorchStep(
        net,
        str(devices[processes.share.rank]),
        *options,
        precision=config.precision,
        compiled=config.compile,
        deterministic=config.deterministic,
        seed=config.seed,
        processes=processes,
        ema=Decay.of(config),
        teacher=teacher,
        optimizer=config.optimizer,
    )


def _torch(args: Mapping[str, Any], line: str | SettingText, member: Member | None) -> Choice:
    """Return torch's engine on the requested devices; by default GPU 0 if torch can use it, else the CPU.

    Each device has a process of its own. The devices of several hosts are those of this one, repeated.
    """
    from gluon_yolo.training.torch_engine.precision import check_precision

    indices = _torch_gpus(args, member)
    for index in indices:
        torch_device.check_gpu(index)
    devices = [TorchDevice("cuda", index) for index in indices]
    devices = devices or [TorchDevice("cpu")] * max(
        1, args["cpu_devices"], member.local_world if member else 1
    )
    check_precision(args["precision"], str(devices[0]))
    if member is None:
        return Choice(TORCH, devices, line)
    if len(devices) != member.local_world:
        raise SettingError(
            f"{{gpus}} {args['gpus']}: {counted(len(devices), 'device')} for "
            f"{counted(member.local_world, 'process', 'processes')} on this host; each has one: name as many"
        )
    first = member.rank - member.local_rank
    devices = [devices[(rank - first) % len(devices)] for rank in range(member.world)]
    return Choice(TORCH, devices, line)


def _torch_gpus(args: Mapping[str, Any], member: Member | None) -> list[int]:
    """Return the indices of this host's GPUs that train; none for the CPU."""
    if args["cpu_devices"]:
        return []
    if args["gpus"] is not None:
        return gpu_indices(args["gpus"])
    if problem := torch_device.problem(0):
        log.info("training on the CPU: torch can use no GPU here; `gluon-yolo doctor` says why")
    return [] if problem else list(range(member.local_world if member else 1))


def _why_not_mxnet(indices: Sequence[int]) -> str:
    """Return in a few words why mxnet cannot use one of these GPUs; empty if it can use all of them."""
    for index in indices:
        try:
            mxnet_compat.check_gpu(index)
        except UserError:
            present = _present()
            if not index < len(present):
                return f"mxnet cannot use GPU {index}"
            if not cuda.wheels_have_kernels(present[index]):
                return f"mxnet has no kernels for GPU {present[index]}"
            return f"the installed mxnet cannot use GPU {present[index]}"
    return ""


def _torchs_way(indices: Sequence[int]) -> str:
    """Return how torch would use GPUs that mxnet cannot use, to put behind mxnet's error; may be empty."""
    if not torch_device.is_installed():
        return '. PyTorch can train on it: pip install ".[torch]"' if _present() else ""
    found = next(filter(None, map(torch_device.problem, indices)), "")
    return f". Nor can torch: {found}" if found else ""


def _present() -> list[cuda.Gpu]:
    """Return the GPUs that the driver shows; none without a driver."""
    try:
        return cuda.gpus()
    except UserError:
        return []
