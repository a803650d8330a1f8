// Image size: width and height by an image file's header, before anything is decoded: a header of a few bytes can ask a
// decoder for gigabytes. The twin of Python's gluon_yolo/data/images/header_size.py.
#pragma once

#include <string>

namespace gluon_yolo {

// Says why an image is too large to be decoded, or a PNG asks for more than it has; empty where nothing is wrong.
std::string size_refusal(const std::string& bytes);

}  // namespace gluon_yolo
