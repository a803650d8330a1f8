#include "mxnet_detector.h"

#include <limits>
#include <string>
#include <utility>

#include "../common/decode.h"
#include "../common/error.h"
#include "symbol.h"

namespace gluon_yolo {
namespace {

constexpr const char* kInput = "data";
constexpr int kCpu = 1;  // 2 is a GPU

// Returns a graph's node by the name of its only output, NODE_output.
std::string node_of(const std::string& output) { return output.substr(0, output.rfind("_output")); }

}  // namespace

MXNetDetector::MXNetDetector(const ModelRecord& record, std::shared_ptr<const MXNetLibrary> library)
    : record_(record),
      library_(std::move(library)),
      predictor_(nullptr, library_->free),
      pixels_(static_cast<std::size_t>(record.height) * static_cast<std::size_t>(record.width) * 3) {
    const std::vector<std::string>& outputs = record.decoded.empty() ? record.outputs : record.decoded;
    if (outputs.size() != (record.decoded.empty() ? record.levels.size() : 2)) {
        throw UserError(record.name + ": names neither decoded boxes and scores nor a raw map for each level");
    }
    std::vector<std::string> nodes;
    std::vector<const char*> names;
    for (const std::string& output : outputs) nodes.push_back(node_of(output));
    for (const std::string& node : nodes) names.push_back(node.c_str());

    const std::string symbol = read_symbol(record.files[0]), parameters = read_file(record.files[1]);
    if (parameters.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        throw UserError(record.files[1].string() + ": is larger than the C predict API takes");
    }
    const char* inputs[] = {kInput};
    const std::uint32_t dimensions[] = {0, 4};  // of the only input's shape, from and to
    const std::uint32_t shape[] = {1, static_cast<std::uint32_t>(record.height),
                                   static_cast<std::uint32_t>(record.width), 3};
    PredictorHandle predictor = nullptr;
    if (library_->create(symbol.c_str(), parameters.data(), static_cast<int>(parameters.size()), kCpu, 0, 1, inputs,
                        dimensions, shape, static_cast<std::uint32_t>(names.size()), names.data(), &predictor) != 0) {
        throw UserError(record.files[0].string() + ", " + record.files[1].filename().string() +
                        ": damaged, or of different models; mxnet says: " + library_->last_error());
    }
    predictor_.reset(predictor);
}

Selection MXNetDetector::detect(const std::uint8_t* rgb, const Choice& choice) {
    pixels_.assign(rgb, rgb + pixels_.size());
    check(library_->set_input(predictor_.get(), kInput, pixels_.data(), static_cast<std::uint32_t>(pixels_.size())));
    check(library_->forward(predictor_.get()));
    if (!record_.decoded.empty()) {
        const Output boxes = output(0), scores = output(1);
        const int anchors = boxes.shape.at(1), classes = static_cast<int>(record_.class_names.size());
        if (boxes.shape != std::vector<int>{1, anchors, 4} || scores.shape != std::vector<int>{1, anchors, classes}) {
            throw UserError(record_.name + ": gives other outputs than the record says: they are of different models");
        }
        return select(candidates(boxes.values.data(), scores.values.data(), static_cast<std::size_t>(anchors), classes,
                                 choice.score_threshold),
                      choice);
    }
    std::vector<Output> outputs;  // (1, K, H, W), which own what the raw maps point to
    for (unsigned i = 0; i < record_.levels.size(); ++i) outputs.push_back(output(i));
    std::vector<RawMap> maps;
    for (const Output& map : outputs) {
        const int height = map.shape.at(2), width = map.shape.at(3);
        maps.push_back({map.values.data(), map.shape.at(1), height, width, static_cast<std::size_t>(height * width)});
    }
    return select(decode(maps, record_, choice.score_threshold), choice);
}

MXNetDetector::Output MXNetDetector::output(unsigned index) const {
    std::uint32_t *shape = nullptr, dimensions = 0;
    check(library_->output_shape(predictor_.get(), index, &shape, &dimensions));
    Output result{{shape, shape + dimensions}, {}};
    std::size_t size = 1;
    for (const int side : result.shape) size *= static_cast<std::size_t>(side);
    result.values.resize(size);
    check(library_->get_output(predictor_.get(), index, result.values.data(), static_cast<std::uint32_t>(size)));
    return result;
}

void MXNetDetector::check(int status) const {
    if (status != 0) throw UserError(record_.name + ": mxnet cannot compute it: " + library_->last_error());
}

}  // namespace gluon_yolo
