"""The only module that imports torch, which is optional: the second engine, and the runtime ``torch``.

All other modules use ``from gluon_yolo.torch_compat import Tensor, nn, torch``, and are
themselves imported only where PyTorch was chosen. A missing or broken torch is one sentence with the fix.
The parts of torch's elastic launcher are imported when they are first asked for.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gluon_yolo.errors import MissingDependency, explain

__all__ = ["F", "Tensor", "distributed", "fx", "nn", "torch"]

OLDEST_PYTHON = (3, 10)  # of requirements-torch.txt


def _import_torch() -> ModuleType:
    """Import torch.

    Raises:
        MissingDependency: torch, or a library that its wheel needs, is absent.
    """
    # Below errors, its C++ part prints a page for each lost connection, which this package reports in a line.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
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


_ELASTIC = {
    "DefaultLogsSpecs": "multiprocessing",
    "LocalElasticAgent": "agent.server.local_elastic_agent",
    "RendezvousConnectionError": "rendezvous",
    "RendezvousError": "rendezvous",
    "RendezvousParameters": "rendezvous",
    "RendezvousTimeoutError": "rendezvous",
    "RunResult": "agent.server.api",
    "WorkerGroup": "agent.server.api",
    "WorkerSpec": "agent.server.api",
    "WorkerState": "agent.server.api",
    "get_rendezvous_handler": "rendezvous.registry",
}


def __getattr__(name: str) -> Any:
    """Import a part of torch's elastic launcher (PEP 562)."""
    if name not in _ELASTIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"torch.distributed.elastic.{_ELASTIC[name]}"), name)


if TYPE_CHECKING:
    import torch
    from torch import Tensor, distributed, fx, nn
    from torch.distributed.elastic.agent.server.api import RunResult as RunResult
    from torch.distributed.elastic.agent.server.api import WorkerGroup as WorkerGroup
    from torch.distributed.elastic.agent.server.api import WorkerSpec as WorkerSpec
    from torch.distributed.elastic.agent.server.api import WorkerState as WorkerState
    from torch.distributed.elastic.agent.server.local_elastic_agent import (
        LocalElasticAgent as LocalElasticAgent,
    )
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs as DefaultLogsSpecs
    from torch.distributed.elastic.rendezvous import RendezvousConnectionError as RendezvousConnectionError
    from torch.distributed.elastic.rendezvous import RendezvousError as RendezvousError
    from torch.distributed.elastic.rendezvous import RendezvousParameters as RendezvousParameters
    from torch.distributed.elastic.rendezvous import RendezvousTimeoutError as RendezvousTimeoutError
    from torch.distributed.elastic.rendezvous.registry import get_rendezvous_handler as get_rendezvous_handler
    from torch.nn import functional as F
else:
    torch = _import_torch()
    distributed = torch.distributed
    fx = importlib.import_module("torch.fx")
    nn = torch.nn
    Tensor = torch.Tensor
    F = nn.functional
