// Detector: pixels of the input's size -> boxes; what each sample makes of its own runtime.
#pragma once

#include <cstdint>

#include "detection.h"

namespace gluon_yolo {

class Detector {
public:
    virtual ~Detector() = default;

    // rgb: (height, width, 3) of the record's size, plain 0..255.
    // Returns detections in input pixels, best first. Throws UserError: the runtime fails, or the weights are damaged.
    virtual Selection detect(const std::uint8_t* rgb, const Choice& choice) = 0;
};

}  // namespace gluon_yolo
