"""The command line: one file for each command. Only the module of the chosen command is imported.

The module of a command has ``HELP: str`` (its description), ``add_arguments(parser)`` and ``run(args) ->
int``.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import keyword
import logging
import os
import sys
from collections.abc import Mapping, Sequence

from gluon_yolo._version import __version__
from gluon_yolo.cli.calling import message, translate_log, typed
from gluon_yolo.cli.parser import Parser
from gluon_yolo.errors import UserError, explain
from gluon_yolo.progress.heartbeat import HEARTBEAT
from gluon_yolo.system import run_note

# Here and not in the modules of the commands, so that the list of commands needs no import of them.
COMMANDS = {
    "doctor": "say what is installed, what is missing, and what to install for it",
    "quickstart": "the whole road on drawn pictures: make data, train, evaluate, export, demo",
    "synth": "draw a small detection data set to try things with",
    "data": "check, convert, split, pack and look at a data set; find anchors for it",
    "train": "train a detector on a folder of pictures and boxes",
    "eval": "score a run, a checkpoint or an exported model on a data set",
    "report": "write a run's page for a browser: curves, scores, labels, pictures, settings",
    "demo": "draw the boxes a model finds in pictures, a video or a webcam",
    "export": "write a trained model as files that stand alone",
    "quantize": "write a trained model in int8 and bfloat16, and say what that costs",
    "benchmark": "time and score a model in every installed runtime and precision",
    "import": "take over a model of darknet's, of Yolo-FastestV2's, or face landmarks of Caffe's",
    "weights": "list the ImageNet weights that fit a network, and fetch them",
    "summary": "print a network's layers, parameters and FLOPs",
}

_OF_A_DISK = {  # errors of the system that are nobody's bug, and may come from any file
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "the disk is full; make room"),
    errno.EIO: "input/output error: the disk that it is on, or its connection, fails",
    errno.EROFS: "the file system that it is on is read-only",
}
_INTRODUCTION = "Light YOLO detectors in MXNet: train on your pictures, measure, look, export."
_EXAMPLES = """\
a first walk, on drawn pictures: is this machine ready; a data set; what is in it, and what is wrong with it
  gluon-yolo doctor
  gluon-yolo synth shapes
  gluon-yolo data check shapes
train on it, score the best weights, look at what they find, and write them for other programs
  gluon-yolo train --network mobilenet0_25 --data shapes --gpus "" --recipe small-data --epochs 10
  gluon-yolo eval --model runs/yolo3_mobilenet0.25_custom-1 --data shapes
  gluon-yolo demo --model runs/yolo3_mobilenet0.25_custom-1 shapes/JPEGImages --out seen
  gluon-yolo export runs/yolo3_mobilenet0.25_custom-1 --out model

`gluon-yolo train --help` explains one command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    The status is 2 for a user's error, 130 for Ctrl-C, and 141 if the reader of the output has closed it.

    Args:
        argv: the words after the program's name. None takes them from ``sys.argv``.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file and class names may have any characters
    set_up_messages()
    try:
        if not argv or argv[0] not in COMMANDS:
            # exits after help or version, else raises the error
            _top_parser().parse_args(argv or ["--help"])
        status = run_command(argv[0], argv[1:])
        print(end="", flush=True)  # an error of printing is raised here, and not when Python exits
        return status
    except UserError as error:
        print(f"error: {message(error)}", file=sys.stderr)
        return error.status
    except ImportError as error:
        if (error.name or "gluon_yolo").partition(".")[0] == "gluon_yolo":
            raise  # a bug of this package: show the traceback
        print(f"error: {explain(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        _discard_output()
        return 141
    except OSError as error:
        if error.errno not in _OF_A_DISK:
            raise
        _discard_output()  # the output itself may be on that disk
        print(f"error: {error.filename or 'the output'}: {_OF_A_DISK[error.errno]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"stopped: {error}" if str(error) else "stopped", file=sys.stderr)
        return 130


def set_up_messages() -> None:
    """Let this process print log lines, with settings as flags and commands as the user calls them."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logger = logging.getLogger("gluon_yolo")
    logger.setLevel(logging.INFO)
    translate_log(logger)
    run_note.word_commands(typed)


def _discard_output() -> None:
    """Discard what is still to be printed."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_command(name: str, words: Sequence[str]) -> int:
    """Import the module of a command, parse its arguments, run it, and return its exit status.

    Args:
        name: such as ``"train"``, or ``"data check"``.
        words: its arguments.
    """
    command = importlib.import_module(module_of(name))
    args = parser_of(name).parse_args(list(words))
    with HEARTBEAT.working(name):
        return command.run(args)


def parser_of(name: str) -> Parser:
    """Import the module of a command, and return the parser of its arguments."""
    module = importlib.import_module(module_of(name))
    parser = Parser(prog=f"gluon-yolo {name}", description=module.HELP)
    module.add_arguments(parser)
    return parser


def module_of(name: str) -> str:
    """Return the name of a command's module.

    ``"data check"`` is the module ``check`` of the package ``data``. If the name is a keyword of Python, such
    as ``"import"``, an underscore follows it.
    """
    parts = (f"{part}_" if keyword.iskeyword(part) else part for part in name.split())
    return ".".join(["gluon_yolo.cli", *parts])


def add_sub_commands(
    parser: argparse.ArgumentParser, commands: Mapping[str, str], metavar: str = "COMMAND"
) -> None:
    """Declare the name of a subcommand, and the words after it as the subcommand's arguments.

    Args:
        parser: of the command.
        commands: the subcommands by name, with a description of each.
        metavar: the word for a subcommand in the help.
    """
    parser.add_argument(
        "command", nargs="?", choices=tuple(commands), metavar=metavar, help="one of those above"
    )
    parser.set_defaults(help=parser.format_help)
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help="its arguments")


def run_sub_command(name: str, args: argparse.Namespace) -> int:
    """Run a subcommand; without one, print the list of them.

    Args:
        name: of the command, such as ``"data"``.
        args: parsed with :func:`add_sub_commands`.
    """
    if args.command is None:
        print(args.help(), end="")
        return 0
    return run_command(f"{name} {args.command}", args.words)


def _top_parser() -> argparse.ArgumentParser:
    """Return the parser of the commands' names, with one line on each and without their arguments."""
    parser = Parser(prog="gluon-yolo", description=_INTRODUCTION, epilog=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"gluon_yolo {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name, line in COMMANDS.items():
        commands.add_parser(name, help=line, add_help=False)
    return parser
