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
from gluon_yolo.system import cuda
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.config_check import refuse_for_mxnet
from gluon_yolo.training.data_parallel import gpu_indices
from gluon_yolo.training.engine import Engine
from gluon_yolo.training.prepare import devices_of
from gluon_yolo.training.step import TrainStep

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


def choose_engine(args: Mapping[str, Any], processes: int = 1) -> Choice:
    """Return the engine and the devices of a training.

    ``auto`` is torch for several processes, and for GPUs that torch can use and mxnet cannot; else mxnet.

    Args:
        args: every setting in plain form.
        processes: number of processes that train together.

    Raises:
        UserError: the engine is not installed, cannot use a device, or does not compute in this precision.
    """
    asked, gpus, cpu_devices = args["engine"], args["gpus"], args["cpu_devices"]
    if asked == TORCH:
        return _torch(args, SettingText(_AS_ASKED.format(name=TORCH)))
    if asked == MXNET:
        return Choice(MXNET, devices_of(gpus, cpu_devices), SettingText(_AS_ASKED.format(name=MXNET)))
    if processes > 1:
        return _torch(args, f"engine: torch, by which {processes} processes train together")
    wanted = [] if cpu_devices else [0] if gpus is None else gpu_indices(gpus)
    why = _why_not_mxnet(wanted) if torch_device.is_installed() else ""
    if why and not any(map(torch_device.problem, wanted)):
        return _torch(args, f"engine: torch; {why}")
    try:
        devices = devices_of(gpus, cpu_devices)
    except UserError as error:
        raise extended(error, _torchs_way(wanted)) from error
    refuse_for_mxnet(args)
    return Choice(MXNET, devices, SettingText(_AUTO) if torch_device.is_installed() else "")


def make_engine(config: TrainConfig, net: DetectionNetwork, devices: Sequence[Any]) -> Engine:
    """Return the engine of a training.

    Args:
        config: of the run; its ``engine`` is the chosen one, ``auto`` is mxnet.
        net: initialized on the contexts of :class:`Choice`, with its starting weights.
        devices: of :class:`Choice`.
    """
    smoothing = config.smoothing(net.spec.num_classes)
    options = (config.momentum, config.wd, config.no_wd, smoothing, config.box_loss, config.loss_scale)
    if config.engine != TORCH:
        return TrainStep(net, devices, *options)
    from gluon_yolo.training.torch_step import TorchStep

    return TorchStep(
        net,
        str(devices[0]),
        *options,
        precision=config.precision,
        compiled=config.compile,
        deterministic=config.deterministic,
        seed=config.seed,
    )


def _torch(args: Mapping[str, Any], line: str | SettingText) -> Choice:
    """Return torch's engine on the requested devices; by default GPU 0 if torch can use it, else the CPU."""
    from gluon_yolo.training.torch_precision import check_precision

    gpus = args["gpus"]
    indices = gpu_indices(gpus or "")
    if gpus is None and not args["cpu_devices"]:
        if torch_device.problem(0):
            log.info("training on the CPU: torch can use no GPU here; `gluon-yolo doctor` says why")
        else:
            indices = [0]
    if len(indices) > 1 or args["cpu_devices"] > 1:
        raise SettingError(f"{{gpus}} {gpus}: torch's engine trains on one device; name one")
    for index in indices:
        torch_device.check_gpu(index)
    devices = [TorchDevice("cuda", index) for index in indices] or [TorchDevice("cpu")]
    check_precision(args["precision"], str(devices[0]))
    return Choice(TORCH, devices, line)


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
