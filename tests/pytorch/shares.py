"""A process among several that normalise one batch together: ``python -m tests.pytorch.shares FOLDER``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.pytorch.batch_norm import BatchNorm, update_statistics
from gluon_yolo.pytorch.process_group import ProcessGroup
from gluon_yolo.torch_compat import nn, torch
from tests.child import ROOT


def norm_values(
    norm: BatchNorm, x: np.ndarray, heads: np.ndarray, arrays: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return output, gradients and running statistics of a forward and backward pass in training."""
    for name in ("gamma", "beta"):
        norm.register_parameter(name, nn.Parameter(torch.tensor(arrays[name])))
    for name in ("running_mean", "running_var"):
        norm.register_buffer(name, torch.tensor(arrays[name]))
    given = torch.tensor(x, requires_grad=True)
    output = norm.train()(given)
    output.backward(torch.tensor(heads))
    update_statistics(norm)
    tensors = {"output": output.detach(), "gradient": given.grad, "gamma": norm.gamma.grad}
    tensors.update(beta=norm.beta.grad, running_mean=norm.running_mean, running_var=norm.running_var)
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def in_processes(folder: Path, cases: Sequence[dict[str, np.ndarray]]) -> list[list[dict]]:
    """Return for each case the values of each process; one start of the processes serves all cases.

    Args:
        folder: for what the processes exchange with this one.
        cases: ``shares``, the number of images of each process, which follow each other in the batch; ``x``
            and ``heads`` (B, C, H, W); the arrays of the norm.
    """
    for number, case in enumerate(cases):
        np.savez(folder / f"case{number}.npz", **case)
    world = len(cases[0]["shares"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    environment = {**os.environ, **own, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", __name__, str(folder), str(len(cases))]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env={**environment, "RANK": str(rank)}) for rank in range(world)
    ]
    try:
        assert [process.wait(120) for process in processes] == [0] * world
    finally:
        for process in processes:
            process.kill()
    return [
        [dict(np.load(folder / f"values{number}-{rank}.npz")) for rank in range(world)]
        for number in range(len(cases))
    ]


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    processes = ProcessGroup.join(timeout_s=60)
    for number in range(count):
        case = dict(np.load(folder / f"case{number}.npz"))
        end = case["shares"][: processes.rank + 1].sum()
        share = slice(end - case["shares"][processes.rank], end)
        norm = BatchNorm(1e-5, fix_gamma=False, sync=True)
        norm.processes = processes
        values = norm_values(norm, case["x"][share], case["heads"][share], case)
        own = torch.full((2,), float(processes.rank))
        values["gathered"] = processes.gather(own).numpy()
        first = own.clone() + 5
        processes.broadcast_([first])
        values["broadcast"], values["sum"] = first.numpy(), processes.sum_(own).numpy()
        np.savez(folder / f"values{number}-{processes.rank}.npz", **values)
    processes.leave()


if __name__ == "__main__":
    main()
