// Fit: a picture -> the network's input, and boxes on it -> boxes on the picture. Needs OpenCV's core and imgproc.
#pragma once

#include <opencv2/core.hpp>

#include "detection.h"
#include "record.h"

namespace gluon_yolo {

// A picture of the input's size, and where the picture lies on it.
struct Fitted {
    cv::Mat pixels;             // (height, width, 3) of the record, rows without gaps
    cv::Size picture;           // the picture's own size
    double scale_x, scale_y;    // input pixels per picture pixel
    double offset_x, offset_y;  // of the picture's top left corner, in input pixels

    // Turns a box in input pixels into one in the picture's, clipped to it.
    Detection undo(Detection box) const;
};

// Brings a picture (CV_8UC3, any size) to the input's size as the record says:
//   resize      each side stretched on its own: cubic when both grow, by area when both shrink, else linear
//   letterbox   proportions kept, in the middle, grey (127) around it
//   darknet     stretched as darknet does: between two pixels, corner pixels on corner pixels
Fitted fit(const cv::Mat& picture, const Record& record);

}  // namespace gluon_yolo
