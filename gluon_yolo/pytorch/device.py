"""Torch's devices: whether torch is installed and can compute on a GPU, and if not, why."""

from __future__ import annotations

import importlib.util

from gluon_yolo.errors import UserError
from gluon_yolo.system import cuda

_CPU_BUILD = (
    "the installed torch computes on the CPU only: pip uninstall torch, then "
    "pip install -r requirements-torch.txt, where pip gives a build for CUDA"
)


def is_installed() -> bool:
    """Return whether torch is installed; it is not imported, so it may be broken."""
    return importlib.util.find_spec("torch") is not None


def describe(index: int) -> str:
    """Return a GPU's index, name and compute capability."""
    from gluon_yolo.torch_compat import torch

    return str(cuda.Gpu(index, torch.cuda.get_device_name(index), torch.cuda.get_device_capability(index)))


def problem(index: int) -> str:
    """Return why torch cannot compute on a GPU; empty if it can. No kernel is started.

    Args:
        index: as in ``cuda:0``.

    Raises:
        MissingDependency: torch is not installed, or does not load.
    """
    from gluon_yolo.torch_compat import torch

    if torch.version.cuda is None:
        return _CPU_BUILD
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        return f"torch finds none: {_without_gpus(torch.version.cuda)}"
    if not 0 <= index < count:
        return f"there are only: {', '.join(map(describe, range(count)))}; name one of these"
    capability, built = torch.cuda.get_device_capability(index), torch.cuda.get_arch_list()
    if not any(_runs_on(kernels, capability) for kernels in built):
        return (
            f"it is {describe(index)}, for which the installed torch {torch.__version__} holds no kernels "
            f"(it has {' '.join(built)}): install another build of torch"
        )
    return ""


def check_gpu(index: int) -> None:
    """Raise a UserError with the reason when torch cannot compute on GPU ``index``."""
    found = problem(index)
    if found:
        raise UserError(f"GPU {index} was asked for, and {found}")


def gpu_report() -> list[str]:
    """Return a line for each GPU, whether torch can use it, or one line with the reason why there is none."""
    from gluon_yolo.torch_compat import torch

    count = torch.cuda.device_count() if torch.version.cuda and torch.cuda.is_available() else 0
    lines = [f"GPU {describe(index)}: {problem(index) or cuda.READY}" for index in range(count)]
    return lines or [f"none: {problem(0)}"]


def _without_gpus(version: str) -> str:
    """Return why a build of torch for a version of CUDA finds no GPU."""
    try:
        present = cuda.gpus()
    except UserError as error:
        return str(error)
    if not present:
        return cuda.NONE_SHOWN
    return f"its CUDA {version} needs a newer driver than this machine's (see nvidia-smi)"


def _runs_on(kernels: str, capability: tuple[int, int]) -> bool:
    """Return whether a GPU runs kernels, such as ``sm_86``, or those of an intermediate form, ``compute_90``.

    Kernels run on GPUs of their major number, from their minor number on; ``sm_90a`` only on that very one.
    The driver makes kernels of the intermediate form for any newer GPU.
    """
    kind, _, number = kernels.partition("_")
    digits = number.rstrip("af")
    wanted = (int(digits[:-1]), int(digits[-1]))
    if kind == "compute":
        return capability >= wanted
    return (
        capability == wanted if number.endswith("a") else wanted[0] == capability[0] and wanted <= capability
    )
