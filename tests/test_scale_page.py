"""The page on several hosts: what its schedulers start parses, and its forecast is arithmetic."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gluon_yolo.cli import parser_of
from gluon_yolo.training.processes.hosts import Hosts, Meet
from tests.shown_commands import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def model() -> Any:
    """Return the benchmark as a module."""
    spec = importlib.util.spec_from_file_location("scaling_model", ROOT / "benchmarks" / "scaling_model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scaling_model"] = module
    spec.loader.exec_module(module)
    return module


def test_what_kubernetes_starts() -> None:
    (block,) = re.findall(r"^```yml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    service, job = yaml.safe_load_all(block)
    pod = job["spec"]["template"]["spec"]
    assert service["metadata"]["name"] == pod["subdomain"] == service["spec"]["selector"]["job-name"]
    command = pod["containers"][0]["command"]
    assert command[:4] == ["python", "-m", "gluon_yolo", "train"]
    args = parser_of("train").parse_args(command[4:])
    assert Hosts.of(args.hosts).most == job["spec"]["completions"] == job["spec"]["parallelism"]
    assert Meet.of(args.meet).host == f"{job['metadata']['name']}-0.{pod['subdomain']}"
    gpus = len(args.gpus.split(","))
    assert gpus == pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
    assert args.batch_size % (gpus * job["spec"]["completions"]) == 0


def test_the_shell_of_a_slurm_job(tmp_path: Path) -> None:
    (script,) = re.findall(r"^```bash\n(#!/bin/bash\n.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "job.sh"
    path.write_text(script)
    assert subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True).stderr == ""
    # As in a job of two hosts, with programs that print their words in the place of Slurm's.
    for name, said in (("scontrol", 'printf "%s\\n" node-7 node-8'), ("srun", 'printf "%s\\n" "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_NODELIST": "node-[7-8]"}
    environment.update(SLURM_JOB_NUM_NODES="2", SLURM_JOB_ID="4711")
    done = subprocess.run(["bash", str(path)], capture_output=True, text=True, env=environment, check=True)
    words = done.stdout.splitlines()
    assert words[:4] == ["python", "-m", "gluon_yolo", "train"]
    args = parser_of("train").parse_args(words[4:])
    assert (args.hosts, args.meet, args.run_id) == ("2", "node-7:29400", "job-4711")


def test_the_forecast() -> None:
    """By hand: 100 MB of gradients, steps of 100 ms, 10 GB/s between hosts and 100 GB/s within one."""
    made = model()
    training = made.Training(0.1, 16, 100e6, norms=0, channels=0, decode_s=0.005)
    machines = made.Machines(8, 10e9, 100e9, latency_s=0.0, beside=0.0)
    assert training.cores == pytest.approx(0.8)  # 16 images of 5 ms in 100 ms
    assert made.ring_bytes(training, 1) == 0 and made.ring_bytes(training, 4) == pytest.approx(150e6)
    assert made.step_s(training, machines, 1) == 0.1
    assert made.step_s(training, machines, 8) == pytest.approx(0.1 + 175e6 / 100e9)
    assert made.step_s(training, machines, 16) == pytest.approx(0.1 + 187.5e6 / 10e9)
    assert made.efficiency(training, machines, 16) == pytest.approx(0.1 / 0.11875)
    # 90 % leaves 11.1 ms for 187.5 MB.
    assert made.needed_bandwidth(training, machines, 16) == pytest.approx(187.5e6 / (0.1 / 9), rel=1e-6)
    assert made.most_gpus(training, machines) == 8
    hidden = dataclasses.replace(machines, beside=0.5)  # 50 ms are enough for all
    assert made.step_s(training, hidden, 16) == pytest.approx(0.1)
    assert made.end(training, hidden) == "90 % up to 65,536 GPUs, where this model ends"


def test_the_forecast_of_syncbn() -> None:
    """By hand: ten norms, 21 messages of 2 log2(n) times 1 ms; no bandwidth makes up for them."""
    made = model()
    training = made.Training(1.0, 8, 0.0, norms=10, channels=0, decode_s=0.0)
    machines = made.Machines(8, 1e30, 1e30, latency_s=1e-3, beside=0.5)
    assert made.unhidden_s(training, machines, 4) == pytest.approx(21 * 2 * 2 * 1e-3)
    assert made.needed_bandwidth(training, machines, 8) == math.inf
    assert made.most_gpus(training, machines) == 4
    assert made.end(training, machines) == "90 % up to 4 GPUs; with 8 it is 88.8%: messages of SyncBN"
