"""CUDA: pip's CUDA libraries, the driver, and whether mxnet's wheels have kernels for a GPU.

This module asks pip and the driver only. It does not import mxnet, and it starts no kernel.
"""

from __future__ import annotations

import ctypes
import dataclasses
import importlib.metadata
import importlib.util
from pathlib import Path

from gluon_yolo.errors import MissingDependency, UserError

_WHEELS = ("mxnet-cu112", "mxnet-cu110")

# In the order of loading, under site-packages/nvidia: a library may need those before it.
_LIBRARIES = (
    "cuda_runtime/lib/libcudart.so.11.0",
    "cublas/lib/libcublasLt.so.11",
    "cublas/lib/libcublas.so.11",
    "cufft/lib/libcufft.so.10",
    "curand/lib/libcurand.so.10",
    "cusolver/lib/libcusolver.so.11",
    "cuda_nvrtc/lib/libnvrtc.so.11.2",
    "nvtx/lib/libnvToolsExt.so.1",
    "nccl/lib/libnccl.so.2",
    "cudnn/lib/libcudnn.so.8",
)

# Compute capabilities of the kernels in the wheels. They contain no PTX, so a GPU runs kernels of its own
# major number and of its minor number or a lower one: 8.9 runs the kernels of 8.6; 9.0 has none.
KERNELS = ((5, 0), (6, 0), (7, 0), (8, 0), (8, 6))

READY = "ready"
"""The end of a line of ``gpu_report`` for a GPU that mxnet can use."""
_CPU_INSTEAD = 'or compute on the CPU: leave out --gpu, and for training give --gpus ""'
_CPU_BUILD = (
    "the installed mxnet computes on the CPU only: "
    "pip uninstall mxnet, then pip install -r requirements-gpu.txt"
)
NONE_SHOWN = "the driver shows no GPU to this process (see nvidia-smi and CUDA_VISIBLE_DEVICES)"


@dataclasses.dataclass(frozen=True)
class Gpu:
    """One GPU as the driver describes it; ``index`` is that of ``mx.gpu(index)``."""

    index: int
    name: str
    capability: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.index} ({self.name}, compute capability {self.capability[0]}.{self.capability[1]})"


def wheel() -> str | None:
    """Return the name of the installed mxnet wheel for CUDA 11; None without one."""
    for name in _WHEELS:
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return name
    return None


def load_libraries() -> list[str]:
    """Load pip's CUDA libraries before mxnet does, and return the names of those that are absent.

    Without a CUDA wheel nothing is loaded. An absent library is no error yet: mxnet may find the system's.
    """
    if wheel() is None:
        return []
    spec = importlib.util.find_spec("nvidia")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    missing = []
    for library in _LIBRARIES:
        found = [path for path in (Path(folder) / library for folder in folders) if path.exists()]
        try:
            ctypes.CDLL(str(found[0]), mode=ctypes.RTLD_GLOBAL)
        except (IndexError, OSError):
            missing.append(library.rpartition("/")[2])
    return missing


def gpus() -> list[Gpu]:
    """Return the GPUs that the driver shows to this process (it applies ``CUDA_VISIBLE_DEVICES``).

    Raises:
        MissingDependency: there is no NVIDIA driver, or it does not start.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise MissingDependency(
            "no NVIDIA driver was found (libcuda.so.1): install the driver; "
            "in a container, start it with its GPUs (docker run --gpus all)"
        ) from error
    status = driver.cuInit(0)
    if status == 100:  # CUDA_ERROR_NO_DEVICE: there is a driver, but it shows no GPU
        return []
    if status != 0:
        raise MissingDependency(
            f"the NVIDIA driver does not start (cuInit gave error {status}): try nvidia-smi"
        )
    count = ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    return [_describe(driver, index) for index in range(count.value)]


def _describe(driver: ctypes.CDLL, index: int) -> Gpu:
    """Read one GPU's name and compute capability from the driver."""
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(256)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, len(name), device)
    # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
    driver.cuDeviceGetAttribute(ctypes.byref(major), 75, device)
    driver.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)
    return Gpu(index, name.value.decode(errors="replace"), (major.value, minor.value))


def check_gpu(index: int, cuda_build: bool) -> None:
    """Check that mxnet can compute on GPU ``index``, without starting a kernel.

    Args:
        index: as in ``mx.gpu(index)``.
        cuda_build: whether the installed mxnet was built with CUDA.

    Raises:
        UserError: mxnet cannot; the message gives the reason and the fix.
    """
    asked = f"GPU {index} was asked for"
    if not cuda_build:
        raise UserError(f"{asked}, and {_CPU_BUILD}, {_CPU_INSTEAD}")
    try:
        present = gpus()
    except MissingDependency as error:
        raise MissingDependency(f"{asked}: {error}, {_CPU_INSTEAD}") from error
    if not 0 <= index < len(present):
        if not present:
            raise UserError(f"{asked}, and {NONE_SHOWN}: make it visible, {_CPU_INSTEAD}")
        raise UserError(
            f"{asked}, and there are only: {', '.join(map(str, present))}; name one of these, {_CPU_INSTEAD}"
        )
    if lacks_kernels(present[index]):
        raise UserError(f"{_no_kernels(present[index])}: use another GPU, {_CPU_INSTEAD}")


def gpu_report(cuda_build: bool) -> list[str]:
    """Return a line for each GPU, whether mxnet can use it, or one line with the reason why there is none."""
    try:
        present = gpus()
    except MissingDependency as error:
        return [f"none: {error}"]
    lines = []
    for gpu in present:
        if not cuda_build:
            lines.append(f"GPU {gpu}: not used, {_CPU_BUILD}")
        else:
            lines.append(_no_kernels(gpu) if lacks_kernels(gpu) else f"GPU {gpu}: {READY}")
    return lines or [f"none: {NONE_SHOWN}"]


def lacks_kernels(gpu: Gpu) -> bool:
    """Return whether the installed mxnet wheel lacks kernels for a GPU; False without a CUDA wheel."""
    return wheel() is not None and not wheels_have_kernels(gpu)


def wheels_have_kernels(gpu: Gpu) -> bool:
    """Return whether mxnet's CUDA wheels, installed or not, hold kernels for a GPU."""
    return any(major == gpu.capability[0] and minor <= gpu.capability[1] for major, minor in KERNELS)


def _no_kernels(gpu: Gpu) -> str:
    built_for = " ".join(f"{major}.{minor}" for major, minor in KERNELS)
    return f"GPU {gpu}: mxnet's CUDA wheels hold no kernels for it (they were built for {built_for})"
