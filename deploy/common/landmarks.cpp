#include "landmarks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <opencv2/imgproc.hpp>
#include <string>

namespace gluon_yolo {
namespace {

const std::map<std::string, cv::Scalar> kColours = {{"contour", {64, 224, 255}},
                                                    {"brows", {255, 196, 0}},
                                                    {"eyes", {96, 255, 96}},
                                                    {"nose", {255, 112, 255}},
                                                    {"mouth", {255, 80, 80}}};
const cv::Scalar kWhite(255, 255, 255);
constexpr float kAcross = 90;  // the face's longer side over this is a dot's radius
constexpr float kPixel = 0.7F;  // a dot of a smaller radius is one pixel
constexpr int kFraction = 4;   // bits of a pixel's fraction, for OpenCV

// Returns the whole pixels that a side of the crop takes, within the image and at least one.
std::pair<int, int> side_of(double from, double to, int end) {
    const int first = static_cast<int>(std::clamp(std::trunc(from), 0.0, end - 1.0));
    const int last = static_cast<int>(std::clamp(std::trunc(to), first + 1.0, static_cast<double>(end)));
    return {first, last};
}

}  // namespace

LandmarkFinder::LandmarkFinder(LandmarkRecord record, std::unique_ptr<LandmarkNetwork> network)
    : record_(std::move(record)), network_(std::move(network)) {}

cv::Rect LandmarkFinder::crop_of(const Detection& face, cv::Size image) const {
    const double x = (static_cast<double>(face.x1) + face.x2) / 2, wide = static_cast<double>(face.x2) - face.x1;
    const double y = (static_cast<double>(face.y1) + face.y2) / 2, high = static_cast<double>(face.y2) - face.y1;
    const auto [left, right] = side_of(x - wide * record_.left, x + wide * record_.right, image.width);
    const auto [top, bottom] = side_of(y - high * record_.up, y + high * record_.down, image.height);
    return {left, top, right - left, bottom - top};
}

std::vector<cv::Point2f> LandmarkFinder::find(const cv::Mat& image, const Detection& face) const {
    const cv::Rect crop = crop_of(face, image.size());
    cv::Mat pixels;
    cv::resize(image(crop).clone(), pixels, {record_.width, record_.height}, 0, 0, cv::INTER_LINEAR);
    const std::vector<float> shares = network_->run(pixels.data);
    std::vector<cv::Point2f> points;
    for (std::size_t i = 0; i < record_.num_points; ++i) {
        points.emplace_back(static_cast<float>(crop.x + static_cast<double>(shares[2 * i]) * crop.width),
                            static_cast<float>(crop.y + static_cast<double>(shares[2 * i + 1]) * crop.height));
    }
    return points;
}

void LandmarkFinder::draw(cv::Mat& image, const std::vector<cv::Point2f>& points) const {
    std::vector<cv::Scalar> colours(points.size(), kWhite);
    for (const auto& [part, members] : record_.groups) {
        const auto known = kColours.find(part);
        for (const int point : members) {
            if (known != kColours.end()) colours[static_cast<std::size_t>(point)] = known->second;
        }
    }
    const auto [first_x, last_x] = std::minmax_element(
        points.begin(), points.end(), [](const cv::Point2f& a, const cv::Point2f& b) { return a.x < b.x; });
    const auto [first_y, last_y] = std::minmax_element(
        points.begin(), points.end(), [](const cv::Point2f& a, const cv::Point2f& b) { return a.y < b.y; });
    const float radius = std::max(last_x->x - first_x->x, last_y->y - first_y->y) / kAcross;
    const auto fixed = [](float number) { return static_cast<int>(std::lround(number * (1 << kFraction))); };
    const float far = 2.0F * static_cast<float>(std::max(image.rows, image.cols));
    for (std::size_t i = 0; i < points.size(); ++i) {
        // Far outside of the image, OpenCV's fixed-point numbers would overflow.
        if (!(std::max(std::abs(points[i].x), std::abs(points[i].y)) < far)) continue;
        if (radius < kPixel) {
            const cv::Point place(cvRound(points[i].x), cvRound(points[i].y));
            cv::rectangle(image, place, place, colours[i], cv::FILLED);
        } else {
            cv::circle(image, {fixed(points[i].x), fixed(points[i].y)}, fixed(std::max(1.0F, radius)), colours[i],
                       cv::FILLED, cv::LINE_AA, kFraction);
        }
    }
}

}  // namespace gluon_yolo
