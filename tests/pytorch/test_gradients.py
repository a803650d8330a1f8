"""A training step of every network by both engines, with every box loss, against PyTorch's in float64.

Weights are the trained ones where there are any, images and boxes BCCD's. Batch norms use the stored
statistics: those of a batch increase rounding by the depth of the network, in both engines alike.

Channels are moved a little off the kinks of their activations. At a kink float32 decides otherwise than
float64, by its own rounding. That changes single gradients by up to 0.01, in both engines, and in float64
itself after a change of every weight by 1e-7. ``benchmarks/gradients.py`` prints both tables.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import own_process
from tests.judged_networks import NETWORKS

pytest.importorskip("torch", reason="the second engine needs PyTorch")

from tests.pytorch.judged_engines import (  # noqa: E402
    ENGINES,
    ILL_CONDITIONED,
    ILL_CONDITIONED_LIMIT,
    LIMIT,
    LOSSES_LIMIT,
    MAPS_LIMIT,
    Judged,
)

SIZE_HW = (160, 224)
FAST = ("fastestv2", "nano voc", "mobilenetv2_0.25")


def faults(name: str, data: Path) -> list[str]:
    """Return a line for each step that is too far from float64's, and nothing else."""
    judged, found = Judged(name, data, SIZE_HW), []
    for box_loss in judged.box_losses:
        for engine in ENGINES:
            apart = judged.errors(engine, box_loss)
            right = apart.maps < MAPS_LIMIT and apart.losses < LOSSES_LIMIT and apart.worst < LIMIT
            if not right and apart.worst < ILL_CONDITIONED_LIMIT:
                right = judged.conditioning(box_loss).worst > ILL_CONDITIONED
            if not right:
                found.append(f"{engine}, {box_loss}: {apart}")
    assert len(judged.box_losses) >= 3
    return found


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]
)
def test_both_engines_are_float64_but_for_rounding(name, shared_data):
    call = own_process.call if name in FAST else own_process.once
    assert call(faults, name, shared_data) == []
