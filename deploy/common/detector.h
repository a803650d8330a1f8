// Detector: pixels of the input's size -> boxes; what each sample makes of its own runtime.
#pragma once

#include <cstdint>
#include <vector>

#include "detection.h"

namespace gluon_yolo {

class Detector {
public:
    virtual ~Detector() = default;

    // rgb: (height, width, 3) of the record's size, plain 0..255.
    // Returns detections in input pixels, best first. Throws UserError: the runtime fails, or the weights are damaged.
    virtual std::vector<Detection> detect(const std::uint8_t* rgb, float score_threshold, float nms_threshold) = 0;
};

}  // namespace gluon_yolo
