"""Networks of Caffe's prototxt: its layers, with their shapes, as a Gluon block."""
