// Decode: a network's raw maps -> boxes. Needs no library.
#pragma once

#include <cstddef>
#include <vector>

#include "detection.h"
#include "model_record.h"

namespace gluon_yolo {

// A level's raw map: element (channel, row, column) is data[channel * channel_step + row * width + column].
struct RawMap {
    const float* data;
    int channels, height, width;
    std::size_t channel_step;
};

// Turns raw maps into the candidates above a score, in input pixels, for `select`.
//
// maps: one for each of the record's levels, in their order.
// Throws UserError: a map has another shape than the record says, or holds what is no number.
std::vector<Detection> decode(const std::vector<RawMap>& maps, const ModelRecord& record, float score_threshold);

}  // namespace gluon_yolo
