"""The file of a symbol, read as text: mxnet sees it only when its operators are known. Needs no mxnet."""

from __future__ import annotations

import json
from pathlib import Path

from gluon_yolo.errors import UserError
from gluon_yolo.graph.operators import unknown_operator


def checked_text(path: Path) -> str:
    """Return the text of an exported ``-symbol.json`` for mxnet.

    It is what was checked, written anew: another reader may understand the file in another way.

    Raises:
        UserError: the file is absent or damaged, or has an operator that no model of this package has.
    """
    try:
        record = json.loads(path.read_bytes())
        unknown = unknown_operator(record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: is damaged or no mxnet file; export the model again") from error
    if unknown is not None:
        raise UserError(
            f"{path}: has the operator {unknown[:80]!r}, which no model of this package has; mxnet has some "
            "that run programs, so it was not read; export the model again"
        )
    return json.dumps(record, ensure_ascii=False)
