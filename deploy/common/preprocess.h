// Preprocess: an image -> the network's input, and boxes on it -> boxes on the image. Needs OpenCV's core and imgproc.
#pragma once

#include <opencv2/core.hpp>

#include "detection.h"
#include "model_record.h"

namespace gluon_yolo {

// The network's input, and where the image lies on it.
struct Preprocessed {
    cv::Mat pixels;             // (height, width, 3) of the record, rows without gaps
    cv::Size image;             // the image's own size
    double scale_x, scale_y;    // input pixels per image pixel
    double offset_x, offset_y;  // of the image's top left corner, in input pixels

    // Turns a box in input pixels into one in the image's, clipped to it.
    Detection inverse(Detection box) const;
};

// Brings an image (CV_8UC3, any size) to the input's size as the record says:
//   resize      each side stretched on its own: cubic when both grow, by area when both shrink, else linear
//   letterbox   proportions kept, in the middle, grey (127) around it
//   darknet     stretched as darknet does: between two pixels, corner pixels on corner pixels
Preprocessed preprocess(const cv::Mat& image, const ModelRecord& record);

}  // namespace gluon_yolo
