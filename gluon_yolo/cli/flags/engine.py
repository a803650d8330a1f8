"""Flags of the engine that trains, and of several processes and hosts."""

from __future__ import annotations

from typing import Any

from gluon_yolo.cli.flags.setting import add_setting
from gluon_yolo.training.config_check import ENGINES, PRECISIONS


def add_engine_arguments(group: Any) -> None:
    """Declare the flags of the engine, its precision and its speed."""
    engine = (
        'what computes the training: mxnet, or torch (pip install ".[torch]"), with the same files, so that '
        "either resumes the other's runs; auto: torch for GPUs that mxnet cannot use, such as Hopper and "
        "newer ones, and for several processes, else mxnet"
    )
    precision = (
        "of torch's engine: tf32 and bfloat16 are faster on GPUs from Ampere on, bfloat16 on a CPU with "
        "AVX512-BF16 or AMX too; weights and losses stay float32. Refused where float32 is faster"
    )
    compiled = (
        "compile the network by torch.compile: minutes before the first step of each input size, then "
        "quicker steps; for long trainings on a GPU, with --no-random-shape"
    )
    same = "ask torch for the same bits in every run on a GPU, at some speed; a CPU gives them without it"
    add_setting(group, "--engine", choices=ENGINES, help=engine)
    add_setting(group, "--precision", choices=PRECISIONS, help=precision)
    add_setting(group, "--compile", help=compiled)
    add_setting(group, "--deterministic", help=same)


def add_process_arguments(group: Any) -> None:
    """Declare the flags of several processes and hosts."""
    hosts = (
        "hosts that train together, or the least and the most of them, as 1:2, where a training is to go on "
        "with fewer. The same command starts it on each; the run's folder and the data are at the same place "
        "on all (docs/scale.md)"
    )
    meet = "where they meet: a name or address of one of the hosts, and a free port of it"
    name = (
        "what the run is called on all hosts. Where a run of this name is in the folder of runs, it goes on: "
        "a scheduler may start the same command again"
    )
    again = "how often all processes start again from the last checkpoint after one, or a host, was lost"
    silent = "how long processes and hosts wait for one that does not answer, or does not come"
    add_setting(group, "--hosts", metavar="N|N:M", help=hosts)
    add_setting(group, "--meet", metavar="HOST:PORT", help=meet)
    add_setting(group, "--run-id", metavar="NAME", help=name)
    add_setting(group, "--restarts", help=again)
    add_setting(group, "--process-timeout", metavar="SECONDS", help=silent)
