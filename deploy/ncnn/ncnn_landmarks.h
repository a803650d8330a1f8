// NcnnLandmarks: a landmark network's NAME.param and NAME.bin, run by ncnn.
#pragma once

#include <net.h>

#include "../common/landmarks.h"
#include "../common/model_record.h"

namespace gluon_yolo {

// Several threads may call one: each call has an extractor of its own.
class NcnnLandmarks : public LandmarkNetwork {
public:
    // threads: that each call computes with; 0 takes ncnn's own choice.
    // Throws UserError: a file is missing or damaged.
    explicit NcnnLandmarks(const LandmarkRecord& record, int threads = 0);

    std::vector<float> run(const std::uint8_t* rgb) override;

private:
    LandmarkRecord record_;
    ncnn::Net net_;
};

}  // namespace gluon_yolo
