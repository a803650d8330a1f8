"""The only module that imports torch, which is optional: the second engine, and the runtime ``torch``.

All other modules use ``from gluon_yolo.torch_compat import Tensor, nn, torch``, and are
themselves imported only where PyTorch was chosen. A missing or broken torch is one sentence with the fix.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from gluon_yolo.errors import MissingDependency, explain

__all__ = ["F", "Tensor", "distributed", "fx", "nn", "torch"]

OLDEST_PYTHON = (3, 10)  # of requirements-torch.txt


def _import_torch() -> ModuleType:
    """Import torch.

    Raises:
        MissingDependency: torch, or a library that its wheel needs, is absent.
    """
    try:
        return importlib.import_module("torch")
    except ModuleNotFoundError as error:
        if error.name == "torch" and sys.version_info < OLDEST_PYTHON:
            here, oldest = (".".join(map(str, version[:2])) for version in (sys.version_info, OLDEST_PYTHON))
            raise MissingDependency(
                f"torch is not installed, and needs Python {oldest} or newer: this is {here}; use mxnet"
            ) from error
        raise MissingDependency(explain(error, "torch")) from error
    except (ImportError, OSError) as error:
        raise MissingDependency(explain(error, "torch")) from error


if TYPE_CHECKING:
    import torch
    from torch import Tensor, distributed, fx, nn
    from torch.nn import functional as F
else:
    torch = _import_torch()
    distributed = torch.distributed
    fx = importlib.import_module("torch.fx")
    nn = torch.nn
    Tensor = torch.Tensor
    F = nn.functional
