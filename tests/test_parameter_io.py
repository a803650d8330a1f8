"""parameter_io: parameters that are read directly after a training step have its results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo import parameter_io
from gluon_yolo.models import zoo
from gluon_yolo.mxnet_compat import gluon, mx, nd
from tests.child import python

# A late image makes the convolution wait until the reader waits too; then it needs the plain layout. With
# ``asnumpy`` or ``nd.save`` alone, one round in five reads values at wrong positions, or ends the process.
READER = """
import sys
from gluon_yolo import parameter_io
from gluon_yolo.mxnet_compat import autograd, gluon, mx, nd

def saved(parameter):
    parameter_io.save(sys.argv[1], {"weight": parameter.list_data()[0]})
    return nd.load(sys.argv[1])["weight"].asnumpy()

readers = [parameter_io.array, saved, lambda p: parameter_io.on_cpu({"weight": p})["weight"].asnumpy()]
slow = nd.ones((1500, 1500))
for attempt in range(30):
    net = gluon.nn.Conv2D(256, 3, in_channels=256)
    net.initialize(mx.init.Xavier())
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    picture = nd.ones((1, 256, 4, 4))
    net(picture)
    nd.waitall()
    late = picture + 0 * nd.dot(slow, slow)[0, 0]
    with autograd.record():
        loss = net(late).sum()
    loss.backward()
    trainer.step(1)
    read = readers[attempt % 3](net.weight)
    nd.waitall()
    assert (read == net.weight.data().asnumpy()).all(), attempt
"""


def test_a_weight_read_behind_a_step_is_whole(tmp_path):
    python("-c", READER, tmp_path / "weight.params")


def test_every_device_but_the_first_is_left_out(tmp_path):
    bias = gluon.Parameter("bias", shape=(3,))
    bias.initialize(mx.init.One(), ctx=[mx.cpu(0), mx.cpu(1)])
    bias.list_data()[1][:] = 7
    expected = np.ones(3, np.float32)
    np.testing.assert_array_equal(parameter_io.array(bias), expected)
    arrays = parameter_io.on_cpu({"bias": bias})
    np.testing.assert_array_equal(arrays["bias"].asnumpy(), expected)
    parameter_io.save(str(tmp_path / "b.params"), arrays)
    np.testing.assert_array_equal(nd.load(str(tmp_path / "b.params"))["bias"].asnumpy(), expected)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error_of_the_system():
    net = zoo.build("yolo3_mobilenet0.25_custom", ["a"])
    net.initialize_weights(seed=0)
    for save in (
        lambda: parameter_io.save("/dev/full", {"x": nd.ones((1000, 1000))}),
        lambda: parameter_io.save_network(net, "/dev/full"),
    ):
        with pytest.raises(OSError, match="mxnet could not write all of it; is the disk full") as caught:
            save()
        assert caught.value.filename == "/dev/full"
