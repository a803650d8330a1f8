// MXNetDetector: the model's NAME-symbol.json and NAME-0000.params, run by mxnet's C predict API.
#pragma once

#include <memory>

#include "../common/detector.h"
#include "../common/model_record.h"
#include "mxnet_library.h"

namespace gluon_yolo {

// Takes graphs of every cut. In one that ends with its suppression ("nms") it reads the decoded boxes on the way and
// chooses itself, so that the thresholds are the caller's. Not for several threads at once.
class MXNetDetector : public Detector {
public:
    // Throws UserError: a file is missing or damaged, or mxnet cannot run the graph.
    MXNetDetector(const ModelRecord& record, std::shared_ptr<const MXNetLibrary> library);

    Selection detect(const std::uint8_t* rgb, const Choice& choice) override;

private:
    struct Output {
        std::vector<int> shape;
        std::vector<float> values;
    };

    Output output(unsigned index) const;
    void check(int status) const;

    ModelRecord record_;
    std::shared_ptr<const MXNetLibrary> library_;
    std::unique_ptr<void, decltype(MXNetLibrary::free)> predictor_;
    std::vector<float> pixels_;
};

}  // namespace gluon_yolo
