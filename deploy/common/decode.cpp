#include "decode.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"

namespace gluon_yolo {
namespace {

constexpr int kDeltas = 4;       // tx, ty, tw, th
constexpr int kBoxChannels = 5;  // and objectness

float sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

// Where an anchor's channels are, in the two layouts that the score rules stand for.
struct Layout {
    int deltas, objectness, classes;
};

Layout layout_of(ScoreRule rule, int anchor, int anchors, int classes) {
    if (rule == ScoreRule::objectness_times_softmax) {
        return {anchor * kDeltas, anchors * kDeltas + anchor, anchors * kBoxChannels};
    }
    const int first = anchor * (kBoxChannels + classes);
    return {first, first + kDeltas, first + kBoxChannels};
}

// Reads one cell of a map by its channel.
struct Cell {
    const RawMap& map;
    std::size_t place;

    float operator[](int channel) const {
        return map.data[static_cast<std::size_t>(channel) * map.channel_step + place];
    }
};

// Fills in each class's probability in a cell.
void class_probabilities(const Cell& cell, int first, ScoreRule rule, std::vector<float>& probabilities) {
    const int classes = static_cast<int>(probabilities.size());
    if (rule == ScoreRule::objectness_times_class) {
        for (int i = 0; i < classes; ++i) probabilities[i] = sigmoid(cell[first + i]);
        return;
    }
    float largest = cell[first];
    for (int i = 1; i < classes; ++i) largest = std::max(largest, cell[first + i]);
    float sum = 0;
    for (int i = 0; i < classes; ++i) sum += probabilities[i] = std::exp(cell[first + i] - largest);
    for (float& probability : probabilities) probability /= sum;
}

float size_ratio(float delta, BoxCoding coding) {
    if (coding == BoxCoding::yolo3) return std::exp(delta);
    const float twice = 2 * sigmoid(delta);
    return twice * twice;
}

Detection box_of(const Cell& cell, int row, int column, int first, const Level& level, const Anchor& anchor,
                 BoxCoding coding) {
    const auto centre = [&](int channel, int place) {
        return ((sigmoid(cell[channel]) - 0.5F) * level.xy_scale + 0.5F + static_cast<float>(place)) *
               static_cast<float>(level.stride);
    };
    const float x = centre(first, column), y = centre(first + 1, row);
    const float half_width = size_ratio(cell[first + 2], coding) * anchor.width / 2;
    const float half_height = size_ratio(cell[first + 3], coding) * anchor.height / 2;
    return {x - half_width, y - half_height, x + half_width, y + half_height, 0, 0};
}

void check_shape(const RawMap& map, const Level& level, const ModelRecord& record) {
    const int anchors = static_cast<int>(level.anchors.size()), classes = static_cast<int>(record.class_names.size());
    const int channels = record.score_rule == ScoreRule::objectness_times_softmax
                             ? anchors * kBoxChannels + classes
                             : anchors * (kBoxChannels + classes);
    const int height = record.height / level.stride, width = record.width / level.stride;
    if (map.channels != channels || map.height != height || map.width != width) {
        const auto shape = [](int k, int h, int w) {
            return std::to_string(k) + "x" + std::to_string(h) + "x" + std::to_string(w);
        };
        throw UserError("the network gives a map of " + shape(map.channels, map.height, map.width) +
                        " where the record means " + shape(channels, height, width) +
                        ": the files are of different models");
    }
}

bool is_near(const Detection& box) {  // false also for what is no number
    return std::abs(box.x1) < kFarthest && std::abs(box.y1) < kFarthest && std::abs(box.x2) < kFarthest &&
           std::abs(box.y2) < kFarthest;
}

}  // namespace

std::vector<Detection> decode(const std::vector<RawMap>& maps, const ModelRecord& record, float score_threshold) {
    std::vector<Detection> found;
    std::vector<float> probabilities(record.class_names.size());
    const int classes = static_cast<int>(probabilities.size());
    for (std::size_t l = 0; l < record.levels.size(); ++l) {
        const Level& level = record.levels[l];
        const RawMap& map = maps.at(l);
        check_shape(map, level, record);
        const int anchors = static_cast<int>(level.anchors.size());
        for (int a = 0; a < anchors; ++a) {
            const Layout layout = layout_of(record.score_rule, a, anchors, classes);
            for (int place = 0; place < map.height * map.width; ++place) {
                const Cell cell{map, static_cast<std::size_t>(place)};
                const float objectness = sigmoid(cell[layout.objectness]);
                if (objectness <= score_threshold) continue;  // a class can only lower it: most cells end here
                class_probabilities(cell, layout.classes, record.score_rule, probabilities);
                Detection box = box_of(cell, place / map.width, place % map.width, layout.deltas, level,
                                       level.anchors[static_cast<std::size_t>(a)], record.box_coding);
                for (box.class_id = 0; box.class_id < classes; ++box.class_id) {
                    box.score = objectness * probabilities[static_cast<std::size_t>(box.class_id)];
                    if (!std::isfinite(box.score)) {
                        throw UserError("the scores are no numbers: the weights are damaged");
                    }
                    if (box.score > score_threshold && is_near(box)) found.push_back(box);
                }
            }
        }
    }
    return found;
}

}  // namespace gluon_yolo
