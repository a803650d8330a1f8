// Image files: read one, draw boxes on it, write it. Needs OpenCV's imgcodecs and imgproc.
#pragma once

#include <filesystem>
#include <functional>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "detection.h"

namespace gluon_yolo {

// Reads a JPEG, PNG, BMP or WebP of any depth and number of channels into 8-bit RGB (CV_8UC3), upright as its EXIF says.
// Throws UserError: it is missing, no image of these kinds, or cut short.
cv::Mat read_image(const std::filesystem::path& path);

// Returns the ending of an image's name, or .jpg where OpenCV writes no such images.
std::string drawn_ending(const std::filesystem::path& image);

// Draws boxes, in the image's pixels, on an RGB image and writes it; the name's ending says the format.
// more: draws what else there is to draw.
// Throws UserError: the file cannot be written.
void write_drawn(const std::filesystem::path& path, const cv::Mat& image, const std::vector<Detection>& boxes,
                 const std::vector<std::string>& class_names, const std::function<void(cv::Mat&)>& more);

}  // namespace gluon_yolo
