#include "fit.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace gluon_yolo {
namespace {

constexpr int kGrey = 127;

cv::Mat resized(const cv::Mat& picture, cv::Size size) {
    if (picture.size() == size) return picture;
    int interpolation = cv::INTER_LINEAR;
    if (size.width > picture.cols && size.height > picture.rows) interpolation = cv::INTER_CUBIC;
    if (size.width < picture.cols && size.height < picture.rows) interpolation = cv::INTER_AREA;
    cv::Mat result;
    cv::resize(picture, result, size, 0, 0, interpolation);
    return result;
}

// A new pixel's two old ones, and how much of the second it takes.
struct Between {
    int before, after;
    double share;
};

std::vector<Between> places(int old_side, int new_side) {
    std::vector<Between> result;
    const int last = old_side - 1;
    for (int i = 0; i < new_side; ++i) {
        const double place = new_side == 1 ? 0 : static_cast<double>(last) / (new_side - 1) * i;
        const float rounded = i + 1 == new_side && i > 0 ? static_cast<float>(last) : static_cast<float>(place);
        const int before = static_cast<int>(rounded);
        result.push_back({before, std::min(before + 1, last), static_cast<double>(rounded) - before});
    }
    return result;
}

// Stretches as resize_image of darknet's image.c, in whole levels.
cv::Mat stretched_as_darknet(const cv::Mat& picture, cv::Size size) {
    const std::vector<Between> columns = places(picture.cols, size.width), rows = places(picture.rows, size.height);
    cv::Mat wide(picture.rows, size.width, CV_64FC3), result(size, CV_8UC3);
    for (int y = 0; y < picture.rows; ++y) {
        const auto* from = picture.ptr<cv::Vec3b>(y);
        auto* to = wide.ptr<cv::Vec3d>(y);
        for (int x = 0; x < size.width; ++x) {
            const Between& b = columns[static_cast<std::size_t>(x)];
            to[x] = cv::Vec3d(from[b.before]) * (1 - b.share) + cv::Vec3d(from[b.after]) * b.share;
        }
    }
    for (int y = 0; y < size.height; ++y) {
        const Between& b = rows[static_cast<std::size_t>(y)];
        const auto *above = wide.ptr<cv::Vec3d>(b.before), *below = wide.ptr<cv::Vec3d>(b.after);
        auto* to = result.ptr<cv::Vec3b>(y);
        for (int x = 0; x < size.width; ++x) {
            const cv::Vec3d colour = above[x] * (1 - b.share) + below[x] * b.share;
            for (int c = 0; c < 3; ++c) to[x][c] = static_cast<uchar>(std::nearbyint(colour[c]));
        }
    }
    return result;
}

}  // namespace

Detection Fitted::undo(Detection box) const {
    const auto back = [](float side, double offset, double scale, int end) {
        return static_cast<float>(std::clamp((side - offset) / scale, 0.0, static_cast<double>(end)));
    };
    box.x1 = back(box.x1, offset_x, scale_x, picture.width);
    box.y1 = back(box.y1, offset_y, scale_y, picture.height);
    box.x2 = back(box.x2, offset_x, scale_x, picture.width);
    box.y2 = back(box.y2, offset_y, scale_y, picture.height);
    return box;
}

Fitted fit(const cv::Mat& picture, const Record& record) {
    const cv::Size size(record.width, record.height);
    const double scale_x = static_cast<double>(size.width) / picture.cols;
    const double scale_y = static_cast<double>(size.height) / picture.rows;
    Fitted fitted{{}, picture.size(), scale_x, scale_y, 0, 0};
    if (record.fit == FitMode::darknet) {
        fitted.pixels = stretched_as_darknet(picture, size);
    } else if (record.fit == FitMode::resize) {
        fitted.pixels = resized(picture, size);
        if (!fitted.pixels.isContinuous()) fitted.pixels = fitted.pixels.clone();
    } else {
        const double scale = std::min(scale_x, scale_y);
        const auto inner = [scale](int side) { return std::max(1, static_cast<int>(std::nearbyint(side * scale))); };
        const cv::Rect place((size.width - inner(picture.cols)) / 2, (size.height - inner(picture.rows)) / 2,
                             inner(picture.cols), inner(picture.rows));
        fitted.pixels = cv::Mat(size, CV_8UC3, cv::Scalar::all(kGrey));
        resized(picture, place.size()).copyTo(fitted.pixels(place));
        fitted.scale_x = static_cast<double>(place.width) / picture.cols;
        fitted.scale_y = static_cast<double>(place.height) / picture.rows;
        fitted.offset_x = place.x;
        fitted.offset_y = place.y;
    }
    return fitted;
}

}  // namespace gluon_yolo
