"""The fields of Caffe's messages: those that networks for inference have, with the numbers of BVLC's Caffe.

Forks of Caffe give some numbers to fields of their own, so nothing of a fork is here.
"""

from __future__ import annotations

# By message: a field a line, "NUMBER NAME TYPE", then "= DEFAULT" where it is not zero or empty. After the
# type, "*" is a repeated field and "+" a packed one. Another message of this table, or an enumeration of
# ENUMS, is a type too.
MESSAGES = {
    "BlobShape": "1 dim int64+",
    "BlobProto": """
        1 num int64
        2 channels int64
        3 height int64
        4 width int64
        5 data float+
        6 diff float+
        7 shape BlobShape
        8 double_data double+
        9 double_diff double+
    """,
    "FillerParameter": """
        1 type string = constant
        2 value float
        3 min float
        4 max float = 1
        5 mean float
        6 std float = 1
        7 sparse int64 = -1
        8 variance_norm VarianceNorm = FAN_IN
    """,
    "NetState": """
        1 phase Phase = TEST
        2 level int32
        3 stage string*
    """,
    "NetStateRule": """
        1 phase Phase
        2 min_level int32
        3 max_level int32
        4 stage string*
        5 not_stage string*
    """,
    "ParamSpec": """
        1 name string
        2 share_mode DimCheckMode
        3 lr_mult float = 1
        4 decay_mult float = 1
    """,
    "InputParameter": "1 shape BlobShape*",
    "ConvolutionParameter": """
        1 num_output uint32
        2 bias_term bool = true
        3 pad uint32*
        4 kernel_size uint32*
        5 group uint32 = 1
        6 stride uint32*
        7 weight_filler FillerParameter
        8 bias_filler FillerParameter
        9 pad_h uint32
        10 pad_w uint32
        11 kernel_h uint32
        12 kernel_w uint32
        13 stride_h uint32
        14 stride_w uint32
        15 engine Engine = DEFAULT
        16 axis int32 = 1
        17 force_nd_im2col bool
        18 dilation uint32*
    """,
    "BatchNormParameter": """
        1 use_global_stats bool
        2 moving_average_fraction float = 0.999
        3 eps float = 0.00001
    """,
    "ScaleParameter": """
        1 axis int32 = 1
        2 num_axes int32 = 1
        3 filler FillerParameter
        4 bias_term bool
        5 bias_filler FillerParameter
    """,
    "ReLUParameter": """
        1 negative_slope float
        2 engine Engine = DEFAULT
    """,
    "PReLUParameter": """
        1 filler FillerParameter
        2 channel_shared bool
    """,
    "ELUParameter": "1 alpha float = 1",
    "SigmoidParameter": "1 engine Engine = DEFAULT",
    "TanHParameter": "1 engine Engine = DEFAULT",
    "PowerParameter": """
        1 power float = 1
        2 scale float = 1
        3 shift float
    """,
    "EltwiseParameter": """
        1 operation EltwiseOp = SUM
        2 coeff float*
        3 stable_prod_grad bool = true
    """,
    "ConcatParameter": """
        1 concat_dim uint32 = 1
        2 axis int32 = 1
    """,
    "SliceParameter": """
        1 slice_dim uint32 = 1
        2 slice_point uint32*
        3 axis int32 = 1
    """,
    "PoolingParameter": """
        1 pool PoolMethod = MAX
        2 kernel_size uint32
        3 stride uint32 = 1
        4 pad uint32
        5 kernel_h uint32
        6 kernel_w uint32
        7 stride_h uint32
        8 stride_w uint32
        9 pad_h uint32
        10 pad_w uint32
        11 engine Engine = DEFAULT
        12 global_pooling bool
        13 round_mode RoundMode = CEIL
    """,
    "CropParameter": """
        1 axis int32 = 2
        2 offset uint32*
    """,
    "InnerProductParameter": """
        1 num_output uint32
        2 bias_term bool = true
        3 weight_filler FillerParameter
        4 bias_filler FillerParameter
        5 axis int32 = 1
        6 transpose bool
    """,
    "LayerParameter": """
        1 name string
        2 type string
        3 bottom string*
        4 top string*
        5 loss_weight float*
        6 param ParamSpec*
        7 blobs BlobProto*
        8 include NetStateRule*
        9 exclude NetStateRule*
        10 phase Phase
        11 propagate_down bool*
        104 concat_param ConcatParameter
        106 convolution_param ConvolutionParameter
        110 eltwise_param EltwiseParameter
        117 inner_product_param InnerProductParameter
        121 pooling_param PoolingParameter
        122 power_param PowerParameter
        123 relu_param ReLUParameter
        124 sigmoid_param SigmoidParameter
        126 slice_param SliceParameter
        127 tanh_param TanHParameter
        131 prelu_param PReLUParameter
        139 batch_norm_param BatchNormParameter
        140 elu_param ELUParameter
        142 scale_param ScaleParameter
        143 input_param InputParameter
        144 crop_param CropParameter
    """,
    "V1LayerParameter": """
        2 bottom string*
        3 top string*
        4 name string
    """,
    "NetParameter": """
        1 name string
        2 layers V1LayerParameter*
        3 input string*
        4 input_dim int64*
        5 force_backward bool
        6 state NetState
        7 debug_info bool
        8 input_shape BlobShape*
        100 layer LayerParameter*
    """,
}

# By enumeration: its values, counted from 0. Files hold values alone: the enumerations' names are of here.
ENUMS = {
    "Phase": ("TRAIN", "TEST"),
    "VarianceNorm": ("FAN_IN", "FAN_OUT", "AVERAGE"),
    "DimCheckMode": ("STRICT", "PERMISSIVE"),
    "Engine": ("DEFAULT", "CAFFE", "CUDNN"),
    "EltwiseOp": ("PROD", "SUM", "MAX"),
    "PoolMethod": ("MAX", "AVE", "STOCHASTIC"),
    "RoundMode": ("CEIL", "FLOOR"),
}
