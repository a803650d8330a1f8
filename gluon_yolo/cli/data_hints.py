"""Data hints on the command line: :mod:`gluon_yolo.data.hints` for parsed flags instead of a request."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data import hints
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.source import Source


def request_of(args: argparse.Namespace) -> DataRequest:
    """Return the request of parsed flags; a command may have only some of them."""
    return DataRequest.of(vars(args))


def command(name: str, path: str | Path, args: argparse.Namespace, more: Sequence[str] = ()) -> str:
    """As :func:`gluon_yolo.data.hints.command`."""
    return hints.command(name, path, request_of(args), more)


def split_command(source: Source, args: argparse.Namespace) -> str:
    """As :func:`gluon_yolo.data.hints.split_command`."""
    return hints.split_command(source, request_of(args))


def division(source: Source, args: argparse.Namespace) -> str:
    """As :func:`gluon_yolo.data.hints.division`."""
    return hints.division(source, request_of(args))


def with_path(text: str, source: Source, args: argparse.Namespace) -> str:
    """As :func:`gluon_yolo.data.hints.with_path`."""
    return hints.with_path(text, source, request_of(args))


def complete(note: str, args: argparse.Namespace) -> str:
    """As :func:`gluon_yolo.data.hints.complete`."""
    return hints.complete(note, request_of(args))


def complete_notes(report: DatasetReport, args: argparse.Namespace) -> None:
    """As :func:`gluon_yolo.data.hints.complete_notes`."""
    hints.complete_notes(report, request_of(args))
