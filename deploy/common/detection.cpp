#include "detection.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "error.h"

namespace gluon_yolo {
namespace {

float area(const Detection& box) { return (box.x2 - box.x1) * (box.y2 - box.y1); }

float overlap(const Detection& a, const Detection& b) {
    const float width = std::max(0.0F, std::min(a.x2, b.x2) - std::max(a.x1, b.x1));
    const float height = std::max(0.0F, std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
    const float common = width * height;
    return common / std::max(area(a) + area(b) - common, std::numeric_limits<float>::min());
}

}  // namespace

std::vector<Detection> candidates(const float* boxes, const float* scores, std::size_t anchors, int classes,
                                  float score_threshold) {
    std::vector<Detection> found;
    for (std::size_t anchor = 0; anchor < anchors; ++anchor, boxes += 4, scores += classes) {
        const bool near = std::all_of(boxes, boxes + 4, [](float side) { return std::abs(side) < kFarthest; });
        for (int class_id = 0; class_id < classes; ++class_id) {
            const float score = scores[class_id];
            if (!std::isfinite(score)) throw UserError("the scores are no numbers: the weights are damaged");
            if (near && score > score_threshold) {
                found.push_back({boxes[0], boxes[1], boxes[2], boxes[3], class_id, score});
            }
        }
    }
    return found;
}

std::size_t candidates_for(std::size_t max_detections) { return max_detections <= 100 ? 400 : 8 * max_detections; }

Selection select(std::vector<Detection> candidates, const Choice& choice) {
    // Equal scores keep their order, which is that of the anchors, so that every run and runtime chooses alike.
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
    Selection chosen;
    const std::size_t most = choice.max_candidates ? choice.max_candidates : candidates_for(choice.max_detections);
    if (candidates.size() > most) {
        chosen.left_out = candidates[most].score;
        candidates.resize(most);
    }
    const bool suppress = choice.nms_threshold > 0 && choice.nms_threshold < 1;
    for (const Detection& next : candidates) {
        const bool falls =
            suppress && std::any_of(chosen.found.begin(), chosen.found.end(), [&](const Detection& better) {
                return (choice.agnostic || better.class_id == next.class_id) &&
                       overlap(better, next) > choice.nms_threshold;
            });
        if (falls) continue;
        if (chosen.found.size() == choice.max_detections) {
            chosen.left_out = next.score;
            break;
        }
        chosen.found.push_back(next);
    }
    return chosen;
}

}  // namespace gluon_yolo
