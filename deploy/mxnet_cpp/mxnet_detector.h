// MXNetDetector: the model's NAME-symbol.json and NAME-0000.params, run by mxnet's C predict API.
#pragma once

#include <memory>

#include "../common/detector.h"
#include "../common/record.h"

namespace gluon_yolo {

// Takes graphs of every cut. Of one cut at its suppression ("nms") it reads the decoded boxes inside and chooses itself,
// so that the thresholds are the caller's. Not for several threads at once.
class MXNetDetector : public Detector {
public:
    // Throws UserError: a file is missing or damaged, or mxnet cannot run the graph.
    explicit MXNetDetector(const Record& record);

    std::vector<Detection> detect(const std::uint8_t* rgb, float score_threshold, float nms_threshold) override;

private:
    struct Output {
        std::vector<unsigned> shape;
        std::vector<float> values;
    };
    struct Free {
        void operator()(void* predictor) const;
    };

    Output output(unsigned index) const;

    Record record_;
    std::unique_ptr<void, Free> predictor_;
    std::vector<float> pixels_;
};

}  // namespace gluon_yolo
