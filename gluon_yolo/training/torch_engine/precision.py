"""Precision of torch's engine: which a device has, and torch's switches for it."""

from __future__ import annotations

import os

from gluon_yolo.errors import SettingError
from gluon_yolo.system.instructions import processor_has
from gluon_yolo.torch_compat import torch

_AMPERE = (8, 0)  # the first compute capability with tf32 and bfloat16
_CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # as the kernel calls them, the last on aarch64
_SLOW = "float32 is faster here"


def check_precision(precision: str, device: str) -> None:
    """Check that a device is faster in a precision than in float32.

    Args:
        precision: ``float32``, ``tf32`` or ``bfloat16``.
        device: torch's name of it.

    Raises:
        SettingError: it is not; the message gives the reason.
    """
    if precision == "float32":
        return
    if torch.device(device).type == "cpu":
        if precision == "tf32":
            raise SettingError(
                "{precision} tf32: a mode of NVIDIA's GPUs, which a CPU does not have; leave it out"
            )
        if not processor_has(_CPU_BFLOAT16):
            raise SettingError(
                "{precision} bfloat16: this CPU has neither AVX512-BF16 nor AMX, and emulates it, at a "
                f"seventh of float32's speed; {_SLOW}"
            )
        return
    capability = torch.cuda.get_device_capability(torch.device(device))
    if capability < _AMPERE:
        raise SettingError(
            f"{{precision}} {precision}: GPUs have it from compute capability 8.0 on (Ampere), this one is "
            f"{capability[0]}.{capability[1]}; {_SLOW}"
        )


def set_switches(precision: str, deterministic: bool) -> None:
    """Set torch's switches of the whole process for a training.

    Args:
        precision: ``tf32`` lets GPUs round the factors of float32 products to ten bits.
        deterministic: choose kernels that give the same bits in every run; torch warns of operators that have
            none.
    """
    tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.deterministic = deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
