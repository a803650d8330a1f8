"""mxnet keeps a bounded number of oneDNN's kernels, and computes the same with few of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.child import ROOT

SIDES = range(64, 64 + 32 * 6, 32)
SCRIPT = f"""
import hashlib, json
from gluon_yolo.models import zoo
from gluon_yolo.mxnet_compat import autograd, nd
from gluon_yolo.system import memory
net = zoo.build("yolo3_mobilenet0.25_custom", ["a", "b"])
net.initialize_weights(seed=0)
memory.GROWTH = 0
held, digest = [], hashlib.sha256()
for height in {list(SIDES)}:
    for width in {list(SIDES)}:
        with autograd.record():
            loss = sum(raw.mean() for raw in net(nd.ones((1, height, width, 3))))
        loss.backward()
        nd.waitall()
    memory.give_back()
    held.append(memory.resident())
    for name, parameter in sorted(net.collect_params().items()):
        if parameter.grad_req != "null":
            digest.update(parameter.grad().asnumpy().tobytes())
print(json.dumps([held, digest.hexdigest()]))
"""


def trained(count: str) -> tuple[list[int], str]:
    """Train at 36 sizes; return the memory after each 6, and a digest of the gradients."""
    environment = {**os.environ, "MXNET_MKLDNN_CACHE_NUM": count}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    held, digest = json.loads(done.stdout.splitlines()[-1])
    return held, digest


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_memory_does_not_grow_with_the_number_of_sizes_and_gradients_are_the_same():
    few, own = trained("30")
    all_of_them, expected = trained("-1")
    assert few[-1] - few[1] < 0.2 * (all_of_them[-1] - all_of_them[1])
    assert own == expected


@pytest.mark.slow
def test_one_kernel_of_a_kind_is_enough():
    """Each operator's kernel takes the place of the last one's, and is whole while it is used."""
    assert trained("0")[1] == trained("-1")[1]
