// Landmarks: a face's box -> its crop, and the network's numbers -> points on the image. The twin of Python's
// gluon_yolo/landmarks.py and of inference/face_landmarks.py. Needs OpenCV's core and imgproc.
#pragma once

#include <cstdint>
#include <memory>
#include <opencv2/core.hpp>
#include <vector>

#include "detection.h"
#include "model_record.h"

namespace gluon_yolo {

// What each sample makes of its own runtime.
class LandmarkNetwork {
public:
    virtual ~LandmarkNetwork() = default;

    // rgb: (height, width, 3) of the record's size, plain 0..255.
    // Returns x and y of each point as shares of the crop. Throws UserError: the runtime fails.
    virtual std::vector<float> run(const std::uint8_t* rgb) = 0;
};

// Finds the landmarks of faces.
class LandmarkFinder {
public:
    LandmarkFinder(LandmarkRecord record, std::unique_ptr<LandmarkNetwork> network);

    // Returns the points of a face, in the image's pixels.
    //
    // image: CV_8UC3, RGB, of any size.
    // face:  its box in the image's pixels.
    std::vector<cv::Point2f> find(const cv::Mat& image, const Detection& face) const;

    // Draws points on an RGB image: a dot each, in the colour of its part of the face.
    void draw(cv::Mat& image, const std::vector<cv::Point2f>& points) const;

private:
    cv::Rect crop_of(const Detection& face, cv::Size image) const;

    LandmarkRecord record_;
    std::unique_ptr<LandmarkNetwork> network_;
};

}  // namespace gluon_yolo
