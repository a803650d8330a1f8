#include "symbol.h"

#include <nlohmann/json.hpp>

#include <set>

#include "../common/error.h"
#include "../common/model_record.h"

namespace gluon_yolo {
namespace {

using nlohmann::ordered_json;

// Those of gluon_yolo/graph/operators.py; tests/trust/test_symbol.py compares them.
const std::set<std::string> kKnown = {
    "Activation", "BatchNorm", "BlockGrad", "Cast", "Concat", "Convolution", "Crop", "Deconvolution", "Dropout",
    "Embedding", "Flatten", "FullyConnected", "InstanceNorm", "L2Normalization", "LRN", "LayerNorm", "LeakyReLU",
    "Pad", "Pooling", "Reshape", "SliceChannel", "SwapAxis", "UpSampling", "_arange",
    "_contrib_AdaptiveAvgPooling2D", "_contrib_BatchNormWithReLU", "_contrib_BilinearResize2D",
    "_contrib_SyncBatchNorm", "_contrib_arange_like", "_contrib_box_decode", "_contrib_box_iou", "_contrib_box_nms",
    "_contrib_dequantize", "_contrib_quantize", "_contrib_quantize_v2", "_contrib_quantized_act",
    "_contrib_quantized_batch_norm", "_contrib_quantized_concat", "_contrib_quantized_conv",
    "_contrib_quantized_elemwise_add", "_contrib_quantized_elemwise_mul", "_contrib_quantized_flatten",
    "_contrib_quantized_fully_connected", "_contrib_quantized_pooling", "_contrib_requantize", "_copy", "_div",
    "_div_scalar", "_equal", "_equal_scalar", "_full", "_greater", "_greater_equal", "_greater_equal_scalar",
    "_greater_scalar", "_lesser", "_lesser_equal", "_lesser_equal_scalar", "_lesser_scalar", "_maximum",
    "_maximum_scalar", "_minimum", "_minimum_scalar", "_minus", "_minus_scalar", "_mod_scalar", "_mul",
    "_mul_scalar", "_not_equal", "_not_equal_scalar", "_ones", "_plus", "_plus_scalar", "_power", "_power_scalar",
    "_rdiv_scalar", "_rminus_scalar", "_rpower_scalar", "_sg_mkldnn_conv", "_sg_mkldnn_fully_connected",
    "_split_v2", "_zeros", "abs", "add_n", "amp_cast", "amp_multicast", "arccos", "arcsin", "arctan", "argmax",
    "argmin", "argsort", "batch_dot", "broadcast_add", "broadcast_axis", "broadcast_div", "broadcast_equal",
    "broadcast_greater", "broadcast_greater_equal", "broadcast_lesser", "broadcast_lesser_equal", "broadcast_like",
    "broadcast_logical_and", "broadcast_logical_or", "broadcast_maximum", "broadcast_minimum", "broadcast_mod",
    "broadcast_mul", "broadcast_not_equal", "broadcast_power", "broadcast_sub", "broadcast_to", "cast_storage",
    "cbrt", "ceil", "clip", "cos", "depth_to_space", "dot", "elemwise_add", "elemwise_div", "elemwise_mul",
    "elemwise_sub", "erf", "exp", "expand_dims", "expm1", "fix", "flip", "floor", "gather_nd", "hard_sigmoid",
    "identity", "log", "log10", "log1p", "log2", "log_softmax", "logical_not", "max", "mean", "min", "nansum",
    "negative", "norm", "null", "one_hot", "ones_like", "pick", "prod", "reciprocal", "relu", "repeat",
    "reshape_like", "reverse", "rint", "round", "rsqrt", "scatter_nd", "shape_array", "sigmoid", "sign", "sin",
    "size_array", "slice", "slice_axis", "slice_like", "smooth_l1", "softmax", "softmin", "softsign", "sort",
    "space_to_depth", "sqrt", "square", "squeeze", "stack", "sum", "take", "tan", "tanh", "tile", "topk",
    "transpose", "trunc", "where", "zeros_like"};

// Returns an operator that is not known, also one in a graph within a node; empty without one.
std::string unknown_operator(const ordered_json& graph) {
    for (const ordered_json& node : graph.at("nodes")) {
        const auto name = node.at("op").get<std::string>();
        if (kKnown.count(name) == 0) return name;
        if (!node.contains("subgraphs")) continue;
        for (const ordered_json& inner : node.at("subgraphs")) {
            const std::string found = unknown_operator(inner);
            if (!found.empty()) return found;
        }
    }
    return {};
}

}  // namespace

std::string read_symbol(const std::filesystem::path& path) {
    const std::string text = read_file(path);
    try {
        const ordered_json graph = ordered_json::parse(text);
        const std::string unknown = unknown_operator(graph);
        if (!unknown.empty()) {
            throw UserError(path.string() + ": has the operator '" + unknown.substr(0, 80) +
                            "', which no model of this package has; it was not read");
        }
        return graph.dump();  // what was checked, and not the file: another reader may understand that in another way
    } catch (const nlohmann::json::exception&) {
        throw UserError(path.string() + ": is damaged or no symbol of mxnet's; export the model again");
    }
}

}  // namespace gluon_yolo
