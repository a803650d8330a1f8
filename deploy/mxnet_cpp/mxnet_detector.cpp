#include "mxnet_detector.h"

#include <cstdint>  // which c_predict_api.h uses and does not include
#include <limits>
#include <mxnet/c_predict_api.h>
#include <string>

#include "../common/decode.h"
#include "../common/error.h"

namespace gluon_yolo {
namespace {

constexpr const char* kInput = "data";
constexpr int kCpu = 1;

// Returns a graph's node by the name of its only output.
std::string node_of(const std::string& output) {
    const std::string ending = "_output";
    return output.substr(0, output.rfind(ending));
}

// mxnet's own account of the last failure, without its stack.
std::string last_error() {
    const std::string message = MXGetLastError();
    const std::size_t trace = message.find("Stack trace");
    const std::string line = message.substr(0, trace).substr(0, 400);
    return line.substr(0, line.find_last_not_of(" \n") + 1);
}

}  // namespace

MXNetDetector::MXNetDetector(const Record& record) : record_(record) {
    if (record.decoded.size() != 2 && record.outputs.size() != record.levels.size()) {
        throw UserError(record.name + ": the record names neither decoded boxes and scores nor a raw map for each level");
    }
    const std::string symbol = read_file(record.files[0]), parameters = read_file(record.files[1]);
    if (parameters.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        throw UserError(record.files[1].string() + ": is larger than the C predict API takes");
    }
    std::vector<std::string> nodes;
    for (const std::string& output : record.decoded.empty() ? record.outputs : record.decoded) {
        nodes.push_back(node_of(output));
    }
    std::vector<const char*> names;
    for (const std::string& node : nodes) names.push_back(node.c_str());
    const char* inputs[] = {kInput};
    const std::uint32_t dimensions[] = {0, 4};
    const std::uint32_t shape[] = {1, static_cast<std::uint32_t>(record.height), static_cast<std::uint32_t>(record.width), 3};
    PredictorHandle predictor = nullptr;
    if (MXPredCreatePartialOut(symbol.c_str(), parameters.data(), static_cast<int>(parameters.size()), kCpu, 0, 1, inputs,
                               dimensions, shape, static_cast<std::uint32_t>(names.size()), names.data(),
                               &predictor) != 0) {
        throw UserError(record.files[0].string() + " and " + record.files[1].filename().string() +
                        ": damaged, or of different models (" + last_error() + ")");
    }
    predictor_.reset(predictor);
    pixels_.resize(static_cast<std::size_t>(record.height) * static_cast<std::size_t>(record.width) * 3);
}

std::vector<Detection> MXNetDetector::detect(const std::uint8_t* rgb, float score_threshold, float nms_threshold) {
    pixels_.assign(rgb, rgb + pixels_.size());
    if (MXPredSetInput(predictor_.get(), kInput, pixels_.data(), static_cast<std::uint32_t>(pixels_.size())) != 0 ||
        MXPredForward(predictor_.get()) != 0) {
        throw UserError(record_.name + ": mxnet cannot compute it (" + last_error() + ")");
    }
    if (!record_.decoded.empty()) {
        const Output boxes = output(0), scores = output(1);  // (1, N, 4) and (1, N, C)
        return select(candidates(boxes.values.data(), scores.values.data(), boxes.shape.at(1),
                                 static_cast<int>(record_.class_names.size()), score_threshold),
                      nms_threshold);
    }
    std::vector<Output> outputs;  // (1, K, H, W), which own what the raw maps point to
    for (unsigned i = 0; i < record_.outputs.size(); ++i) outputs.push_back(output(i));
    std::vector<RawMap> maps;
    for (const Output& map : outputs) {
        const int height = static_cast<int>(map.shape.at(2)), width = static_cast<int>(map.shape.at(3));
        maps.push_back({map.values.data(), static_cast<int>(map.shape.at(1)), height, width,
                        static_cast<std::size_t>(height) * static_cast<std::size_t>(width)});
    }
    return select(decode(maps, record_, score_threshold), nms_threshold);
}

MXNetDetector::Output MXNetDetector::output(unsigned index) const {
    std::uint32_t *shape = nullptr, dimensions = 0;
    Output result;
    std::size_t size = 1;
    if (MXPredGetOutputShape(predictor_.get(), index, &shape, &dimensions) == 0) {
        result.shape.assign(shape, shape + dimensions);
        for (const unsigned side : result.shape) size *= side;
        result.values.resize(size);
        if (MXPredGetOutput(predictor_.get(), index, result.values.data(), static_cast<std::uint32_t>(size)) == 0) {
            return result;
        }
    }
    throw UserError(record_.name + ": mxnet cannot compute it (" + last_error() + ")");
}

void MXNetDetector::Free::operator()(void* predictor) const { MXPredFree(predictor); }

}  // namespace gluon_yolo
