"""Size limits: networks that a file describes and no machine could hold are refused before they are built.

A damaged number in a file asks for memory that ends the program, or for a size that mxnet cannot count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

MOST_PARAMETERS = 500_000_000
"""Of a network, 2 GB as float32. YOLOv4-P7, the largest that darknet's authors published, has 287 million."""
MOST_VALUES = 2**31 - 1
"""Of one array: mxnet's usual builds count its values in 32 bits."""


def parameters_problem(weights: Iterable[Sequence[int]], before: int) -> str:
    """Return why a layer has too many parameters, as the rest of a sentence about it; empty where it has not.

    Args:
        weights: shapes of its parameters.
        before: number of the parameters of all layers before it.
    """
    count = sum(map(math.prod, weights))
    if before + count <= MOST_PARAMETERS:
        return ""
    all_of_them = f", which makes {before + count:,} with those before it" if before else ""
    return (
        f"takes {count:,} parameters{all_of_them}; networks of at most {MOST_PARAMETERS:,} are built here; "
        "is a number in the file damaged?"
    )


def values_problem(output: Sequence[int]) -> str:
    """Return why a layer's output is too large, in the same form.

    Args:
        output: its shape for one image.
    """
    values = math.prod(output)
    if values <= MOST_VALUES:
        return ""
    return (
        f"gives {values:,} values ({'x'.join(map(str, output))}) for one picture; mxnet counts up to "
        f"{MOST_VALUES:,}; is a number in the file damaged?"
    )
