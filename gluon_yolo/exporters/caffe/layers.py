"""Caffe layers: a NetParameter layer by layer, with the shape of every blob."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gluon_yolo.caffe.blobs import blob_of
from gluon_yolo.caffe.messages import message_class

Shape = tuple[int, ...]
# The field of a layer's parameters, by its type; Flatten has none.
PARAMETERS: Mapping[str, str] = {
    "Input": "input_param",
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "Scale": "scale_param",
    "ReLU": "relu_param",
    "PReLU": "prelu_param",
    "ELU": "elu_param",
    "Sigmoid": "sigmoid_param",
    "TanH": "tanh_param",
    "Power": "power_param",
    "Eltwise": "eltwise_param",
    "Concat": "concat_param",
    "Pooling": "pooling_param",
    "Crop": "crop_param",
    "Flatten": "",
}


class CaffeBuilder:
    """Collect layers, each with one output, which has the layer's name.

    Args:
        name: of the network.

    Attributes:
        net: the NetParameter so far, with weights.
        shapes: by the name of a blob, its shape without the batch: (C, H, W).
    """

    def __init__(self, name: str) -> None:
        self.net = message_class("NetParameter")()
        self.net.name = name
        self.shapes: dict[str, Shape] = {}

    def add(
        self,
        kind: str,
        name: str,
        inputs: Sequence[str],
        shape: Shape | None = None,
        weights: Sequence[np.ndarray] = (),
        **values: Any,
    ) -> str:
        """Append a layer and return its name.

        Args:
            kind: Caffe's layer type, a key of ``PARAMETERS``.
            name: of the layer.
            inputs: names of the input blobs.
            shape: of its output, (C, H, W); None where it is that of the first input.
            weights: its blobs.
            **values: fields of its parameters; one value, or a sequence, for a repeated field.

        Raises:
            ValueError: there is a layer of this name.
        """
        if name in self.shapes:
            raise ValueError(f"two layers are called {name}")
        layer = self.net.layer.add()
        layer.name, layer.type = name, kind
        layer.bottom.extend(inputs)
        layer.top.append(name)
        layer.blobs.extend(blob_of(np.asarray(array, np.float32)) for array in weights)
        if values:
            self._fill(getattr(layer, PARAMETERS[kind]), values)
        self.shapes[name] = self.shapes[inputs[0]] if shape is None else tuple(map(int, shape))
        return name

    def add_input(self, name: str, batch: int, shape: Shape) -> str:
        """Append the layer of the network's input, (B, C, H, W), and return its name."""
        self.add("Input", name, (), shape)
        self.net.layer[-1].input_param.shape.add().dim.extend((batch, *shape))
        return name

    def add_convolution(
        self,
        name: str,
        array: str,
        kernel: np.ndarray,
        places: Sequence[int],
        bias: np.ndarray | None = None,
        groups: int = 1,
        stride: Sequence[int] = (1, 1),
        pad: Sequence[int] = (0, 0),
        dilation: Sequence[int] = (1, 1),
        kind: str = "Convolution",
    ) -> str:
        """Append a convolution and return its name.

        Args:
            name: of the layer.
            array: name of the input blob.
            kernel: (O, C / groups, kernel height, kernel width); of a Deconvolution (C, O / groups, ...).
            places: height and width of its output.
            bias: (O,), or None.
            groups: of channels.
            stride: down and across, as the next two.
            pad: on opposite sides alike.
            dilation: of the kernel.
            kind: ``Convolution``, or ``Deconvolution`` with O equal to C.
        """
        values: dict[str, Any] = sides_of(kernel.shape[2:], stride, pad)
        if tuple(dilation) != (1, 1):
            values["dilation"] = dilation[:1] if dilation[0] == dilation[1] else tuple(dilation)
        if groups > 1:
            values["group"] = groups
        outputs = len(kernel)
        values.update(num_output=outputs, bias_term=bias is not None)
        weights = [kernel] if bias is None else [kernel, bias]
        return self.add(kind, name, (array,), (outputs, *places), weights, **values)

    @staticmethod
    def _fill(message: Any, values: Mapping[str, Any]) -> None:
        for field, value in values.items():
            if hasattr(getattr(message, field), "extend"):  # repeated, as a convolution's sides
                getattr(message, field).extend(value if isinstance(value, (tuple, list)) else (value,))
            else:
                setattr(message, field, value)


def sides_of(kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]) -> dict[str, Any]:
    """Return the fields of windows, each down and across; without those that are Caffe's defaults."""
    values: dict[str, Any] = {}
    named = (("kernel", "kernel_size", kernel), ("stride", "stride", stride), ("pad", "pad", pad))
    for name, both, (down, across) in named:
        if down != across:
            values.update({f"{name}_h": int(down), f"{name}_w": int(across)})
        elif down != {"stride": 1, "pad": 0}.get(name):
            values[both] = int(down)
    return values
