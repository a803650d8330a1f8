// Detections: boxes with a class and a score, and the choice among them. Needs no library.
#pragma once

#include <cstddef>
#include <vector>

namespace gluon_yolo {

// A box by its corners, in pixels of the input or of the image, as its maker says.
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

// What is asked of an image's detections; the defaults are those of Python's `Predictor`.
struct Choice {
    float score_threshold = 0.3F;      // what scores this or less is left out
    float nms_threshold = 0.45F;       // intersection over union; at 0, and from 1 up, nothing falls
    std::size_t max_detections = 100;  // the best remain
    std::size_t max_candidates = 0;    // that are compared, the best; 0 is `candidates_for` the detections
    bool agnostic = false;             // a box falls to better ones of any class, and not of its own alone
};

// The detections of an image, best first, and the best score among what a limit left out, 0 where nothing was.
struct Selection {
    std::vector<Detection> found;
    float left_out = 0;
};

// Returns how many candidates are compared, so that so many detections can come out: 400 up to 100, then 8 for each.
std::size_t candidates_for(std::size_t max_detections);

// Chooses among candidates: the best by score; of these a box falls when it overlaps a better one of its class by
// more than the threshold; the best `max_detections` remain.
Selection select(std::vector<Detection> candidates, const Choice& choice);

}  // namespace gluon_yolo
