"""Data hints by the flags that name the data: commands of ``data`` to type next."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data import hints
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.source import Source


def request_of(args: argparse.Namespace) -> DataRequest:
    """Return the data that parsed flags ask for, of which a command may have some only."""
    return DataRequest.of(vars(args))


def command(name: str, path: str | Path, args: argparse.Namespace, more: Sequence[str] = ()) -> str:
    """Return a command on the data that the arguments name, as the function of ``hints`` does."""
    return hints.command(name, path, request_of(args), more)


def split_command(source: Source, args: argparse.Namespace) -> str:
    """Return the command that divides a data set anew, as the function of ``hints`` does."""
    return hints.split_command(source, request_of(args))


def division(source: Source, args: argparse.Namespace) -> str:
    """Return what to do for another division, as the function of ``hints`` does."""
    return hints.division(source, request_of(args))


def with_path(text: str, source: Source, args: argparse.Namespace) -> str:
    """Return an advice whose commands have the path of the data, as the function of ``hints`` does."""
    return hints.with_path(text, source, request_of(args))


def complete(note: str, args: argparse.Namespace) -> str:
    """Return what a reader says to type, as the function of ``hints`` does."""
    return hints.complete(note, request_of(args))


def complete_notes(report: DatasetReport, args: argparse.Namespace) -> None:
    """Complete all notes of a report, as the function of ``hints`` does."""
    hints.complete_notes(report, request_of(args))
