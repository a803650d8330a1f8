"""Caffe's messages: text and binary, read and written."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.errors import UserError

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

from gluon_yolo.caffe import binary, blobs, text  # noqa: E402
from gluon_yolo.caffe.messages import message_class  # noqa: E402

# What BVLC's Caffe itself would write of these: the numbers of caffe.proto, by hand.
LAYER = {
    "name": (b"\x0a\x02c1", {"name": "c1"}),
    "group": (b"\xd2\x06\x02\x28\x04", {"convolution_param": {"group": 4}}),
    "dilation": (b"\xd2\x06\x03\x90\x01\x02", {"convolution_param": {"dilation": [2]}}),
    "eps": (b"\xda\x08\x05\x1d\x6f\x12\x83\x3a", {"batch_norm_param": {"eps": 0.001}}),
    "bias of a scale": (b"\xf2\x08\x02\x20\x01", {"scale_param": {"bias_term": True}}),
    "average": (b"\xca\x07\x02\x08\x01", {"pooling_param": {"pool": 1}}),
    "maximum of sums": (b"\xf2\x06\x02\x08\x02", {"eltwise_param": {"operation": 2}}),
    "transpose": (b"\xaa\x07\x02\x30\x01", {"inner_product_param": {"transpose": True}}),
}


@pytest.mark.parametrize("case", LAYER)
def test_fields_have_the_numbers_of_bvlc_caffe(case):
    written, fields = LAYER[case]
    layer = message_class("LayerParameter")(**fields)
    assert layer.SerializeToString() == written
    assert message_class("LayerParameter").FromString(written) == layer


def test_a_field_that_is_not_written_has_caffes_default():
    layer = message_class("LayerParameter")()
    assert (layer.convolution_param.bias_term, layer.scale_param.bias_term) == (True, False)
    assert (layer.convolution_param.group, layer.pooling_param.stride, layer.concat_param.axis) == (1, 1, 1)
    assert (layer.eltwise_param.operation, layer.pooling_param.pool, layer.crop_param.axis) == (1, 0, 2)
    assert layer.batch_norm_param.eps == pytest.approx(1e-5)


TEXT = """name: "n"  # a comment with { and "
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 } } }
layer {
  name: 'fc'
  type: "InnerProduct"
  bottom: "data"
  top: "fc"
  inner_product_param { num_output: 2 }
}
"""


def test_text_and_binary_come_back_as_written(tmp_path):
    (tmp_path / "n.prototxt").write_text(TEXT)
    net = text.read(tmp_path / "n.prototxt")
    assert [layer.name for layer in net.layer] == ["data", "fc"]
    weights = np.arange(6, dtype=np.float32).reshape(2, 3) / 7
    net.layer[1].blobs.append(blobs.blob_of(weights))
    (tmp_path / "n.caffemodel").write_bytes(binary.write(net))
    again = binary.read(tmp_path / "n.caffemodel")
    assert again == net
    assert np.array_equal(blobs.array_of(again.layer[1].blobs[0]), weights)
    assert "blobs" not in text.write(again)
    (tmp_path / "m.prototxt").write_text(text.write(again))
    assert text.read(tmp_path / "m.prototxt").layer[1].inner_product_param.num_output == 2


def test_a_large_blob_is_written_as_protobuf_writes_it():
    values = np.linspace(-1, 1, 70_000, dtype=np.float32).reshape(7, 10_000)
    plain = message_class("BlobProto")(data=values.ravel().tolist())
    plain.shape.dim.extend([7, 10_000])
    assert blobs.blob_of(values) == plain


def test_blobs_of_older_files():
    blob = message_class("BlobProto")(num=1, channels=1, height=2, width=3, double_data=[1, 2, 3, 4, 5, 6])
    assert blobs.array_of(blob).tolist() == [[[[1, 2, 3], [4, 5, 6]]]]
    with pytest.raises(ValueError, match=r"shape \[1, 1, 2, 4\] has 6 numbers"):
        blobs.array_of(message_class("BlobProto")(num=1, channels=1, height=2, width=4, data=[0] * 6))


BAD_TEXT = {
    "unknown field of a parameter": (
        TEXT.replace("num_output: 2", "outputs: 2"),
        ':8: layer "fc" (InnerProduct): outputs is no field of InnerProductParameter that is read here',
    ),
    "unknown parameter": (
        TEXT.replace("inner_product_param { num_output: 2 }", "\n\n\nupsample_param { scale: 2 }"),
        ':11: layer "fc" (InnerProduct): upsample_param is no field of LayerParameter that is read here',
    ),
    "a word for a number": (
        TEXT.replace("num_output: 2", "num_output: two"),
        ':8: layer "fc" (InnerProduct): ',
    ),
    "first kind of layers": (
        'name: "n"\nlayers {\n name: "c1"\n type: CONVOLUTION\n}\n',
        ':2: layer "c1" (CONVOLUTION) has Caffe\'s first kind of layers (`layers`)',
    ),
    "cut short": (TEXT[: TEXT.index("num_output")], ':8: layer "fc" (InnerProduct): '),
    "a huge word": (
        TEXT.replace("num_output: 2", f"num_output: {'A' * 70_000}"),
        ':8: layer "fc" (InnerProduct): ',
    ),
    "no network": ("[net]\nwidth=416\n", ":1: "),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_text_is_named_with_line_and_layer(tmp_path, case):
    written, message = BAD_TEXT[case]
    path = tmp_path / "n.prototxt"
    path.write_text(written)
    with pytest.raises(UserError) as error:
        text.read(path)
    assert str(error.value).startswith(f"{path}{message}")
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


def test_bad_binaries_are_named(tmp_path):
    path = tmp_path / "n.caffemodel"
    for written, message in (
        (
            b"\x12\x04\x22\x02c1",
            f"{path}: layer \"c1\" has Caffe's first kind of layers (`layers`); Caffe's upgrade_net",
        ),
        (b"", f"{path}: not a caffemodel, or damaged: it has no layers; copy it again"),
    ):
        path.write_bytes(written)
        with pytest.raises(UserError) as error:
            binary.read(path)
        assert str(error.value).startswith(message)
    path.write_bytes(b"\xff\xff")
    with pytest.raises(UserError, match="n.caffemodel: not a caffemodel, or damaged: .*; copy it again"):
        binary.read(path)
    with pytest.raises(UserError, match="absent.caffemodel: cannot be read: No such file"):
        binary.read(tmp_path / "absent.caffemodel")
    path.write_bytes(b"\x12\xff\x00")
    with pytest.raises(UserError, match="it is not text. The caffemodel comes second"):
        text.read(path)
