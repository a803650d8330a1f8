// Detections: boxes with a class and a score, and the choice among them. Needs no library.
#pragma once

#include <cstddef>
#include <vector>

namespace gluon_yolo {

// A box by its corners, in pixels of the input or of the picture, as who made it says.
struct Detection {
    float x1, y1, x2, y2;
    int class_id;
    float score;
};

constexpr float kFarthest = 1e6F;  // pixels; a box that reaches beyond is nowhere

// Returns what lies above the threshold of a graph's decoded outputs, a detection for each pair of anchor and class.
//
// boxes:  (anchors, 4) corners.
// scores: (anchors, classes).
// Throws UserError: a score is no number, since the weights are damaged.
std::vector<Detection> candidates(const float* boxes, const float* scores, std::size_t anchors, int classes,
                                  float score_threshold);

// Chooses among candidates: the best `max_candidates` by score; of these, within each class, a box falls when it
// overlaps a better one by more than `nms_threshold`; the best `max_detections` remain, best first.
//
// nms_threshold: intersection over union; at 0, and from 1 up, nothing falls.
std::vector<Detection> select(std::vector<Detection> candidates, float nms_threshold,
                              std::size_t max_candidates = 400, std::size_t max_detections = 100);

}  // namespace gluon_yolo
