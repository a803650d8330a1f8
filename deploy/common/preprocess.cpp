#include "preprocess.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace gluon_yolo {
namespace {

constexpr int kGrey = 127;

cv::Mat resized(const cv::Mat& image, cv::Size size) {
    if (image.size() == size) return image;
    int interpolation = cv::INTER_LINEAR;
    if (size.width > image.cols && size.height > image.rows) interpolation = cv::INTER_CUBIC;
    if (size.width < image.cols && size.height < image.rows) interpolation = cv::INTER_AREA;
    cv::Mat result;
    cv::resize(image, result, size, 0, 0, interpolation);
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
cv::Mat stretched_as_darknet(const cv::Mat& image, cv::Size size) {
    const std::vector<Between> columns = places(image.cols, size.width), rows = places(image.rows, size.height);
    cv::Mat wide(image.rows, size.width, CV_64FC3), result(size, CV_8UC3);
    for (int y = 0; y < image.rows; ++y) {
        const auto* from = image.ptr<cv::Vec3b>(y);
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

Detection Preprocessed::inverse(Detection box) const {
    const auto back = [](float side, double offset, double scale, int end) {
        return static_cast<float>(std::clamp((side - offset) / scale, 0.0, static_cast<double>(end)));
    };
    box.x1 = back(box.x1, offset_x, scale_x, image.width);
    box.y1 = back(box.y1, offset_y, scale_y, image.height);
    box.x2 = back(box.x2, offset_x, scale_x, image.width);
    box.y2 = back(box.y2, offset_y, scale_y, image.height);
    return box;
}

Preprocessed preprocess(const cv::Mat& image, const ModelRecord& record) {
    const cv::Size size(record.width, record.height);
    const double scale_x = static_cast<double>(size.width) / image.cols;
    const double scale_y = static_cast<double>(size.height) / image.rows;
    Preprocessed preprocessed{{}, image.size(), scale_x, scale_y, 0, 0};
    if (record.fit == FitMode::darknet) {
        preprocessed.pixels = stretched_as_darknet(image, size);
    } else if (record.fit == FitMode::resize) {
        preprocessed.pixels = resized(image, size);
        if (!preprocessed.pixels.isContinuous()) preprocessed.pixels = preprocessed.pixels.clone();
    } else {
        const double scale = std::min(scale_x, scale_y);
        const auto inner = [scale](int side) { return std::max(1, static_cast<int>(std::nearbyint(side * scale))); };
        const cv::Rect place((size.width - inner(image.cols)) / 2, (size.height - inner(image.rows)) / 2,
                             inner(image.cols), inner(image.rows));
        preprocessed.pixels = cv::Mat(size, CV_8UC3, cv::Scalar::all(kGrey));
        resized(image, place.size()).copyTo(preprocessed.pixels(place));
        preprocessed.scale_x = static_cast<double>(place.width) / image.cols;
        preprocessed.scale_y = static_cast<double>(place.height) / image.rows;
        preprocessed.offset_x = place.x;
        preprocessed.offset_y = place.y;
    }
    return preprocessed;
}

}  // namespace gluon_yolo
