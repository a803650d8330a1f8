"""One host of a test: an agent with its processes; ``python -m tests.training.processes.host SETTINGS``."""

from __future__ import annotations

import functools
import json
import logging
import sys
import time

from gluon_yolo.errors import UserError
from gluon_yolo.training.processes.hosts import Hosts, Meet
from gluon_yolo.training.processes.launch import Launch, launch
from tests.training.processes.talk import talk


def main() -> int:
    """Print what the log says, what the first process returns, or the error, each with its time."""
    settings = json.loads(sys.argv[1])
    logging.basicConfig(format="%(created).2f %(message)s", stream=sys.stdout)
    meet = Meet.of(settings["meet"]) if settings["meet"] else None
    many = Launch(
        settings["processes"],
        Hosts.of(settings["hosts"]),
        meet,
        settings["run_id"],
        settings["restarts"],
        settings["silence_s"],
    )
    try:
        result = launch(many, functools.partial(talk, silence_s=settings["silence_s"], **settings["talk"]))
    except UserError as error:
        print(f"{time.time():.2f} error: {error}", flush=True)
        return error.status
    except KeyboardInterrupt as error:
        print(f"{time.time():.2f} stopped {error}", flush=True)
        return 130
    print(f"{time.time():.2f} {json.dumps(result)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
