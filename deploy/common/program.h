// Program: the command line that the samples share, around a detector.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "detector.h"
#include "landmarks.h"
#include "model_record.h"

namespace gluon_yolo {

using Opener = std::function<std::unique_ptr<Detector>(const ModelRecord&)>;
using LandmarkOpener = std::function<std::unique_ptr<LandmarkNetwork>(const LandmarkRecord&)>;

// Runs `detect MODEL PICTURE... [--threshold T] [--nms T] [--agnostic] [--max-detections K] [--draw DIR]
// [--landmarks MODEL]`.
//
// format: which of the model's files the detector reads, "ncnn" or "symbol".
// open:   makes the detector.
// open_landmarks: makes the landmark network; empty where the sample has none.
// Returns the exit status: 0; 1 when the model or an image could not be read; 2 for a wrong command line.
int run(int argc, char** argv, const std::string& format, const Opener& open,
        const LandmarkOpener& open_landmarks = {});

}  // namespace gluon_yolo
