#include "image_file.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "error.h"
#include "image_size.h"
#include "model_record.h"

namespace gluon_yolo {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 31;  // of a file: no image that is decoded needs more

// Says whether a JPEG has its end, of which OpenCV pads what is missing; of other files, true.
bool is_whole(const std::string& bytes) {
    const std::string begin = "\xff\xd8", end = "\xff\xd9";
    if (bytes.compare(0, 2, begin) != 0) return true;
    // The end marker is looked for behind the headers, which may hold a thumbnail with an end of its own.
    std::size_t place = 2;
    const auto byte = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
    while (byte(place) == 0xff && byte(place + 1) != 0xda) {
        place += byte(place + 1) == 0xff ? 1 : 2 + (byte(place + 2) << 8) + byte(place + 3);
    }
    const std::size_t last = bytes.rfind(end);
    return last != std::string::npos && last > place;
}

// Says why a file is not read, as Python's gluon_yolo/data/images/file_types.py and sample_format.py do: what OpenCV reads of other kinds,
// which frame it takes, and whether it turns a WebP by its EXIF depends on its version. Empty where it is read.
std::string refusal(const std::string& bytes) {
    const auto has = [&](std::size_t at, const std::string& words) { return bytes.compare(at, words.size(), words) == 0; };
    const bool is_webp = bytes.size() > 20 && has(0, "RIFF") && has(8, "WEBP");
    if (is_webp && has(12, "VP8X")) {
        if (bytes[20] & 2) return "is a WebP with frames, which is not read: save one of them as PNG or JPEG";
        if (bytes[20] & 8) return "is a WebP with EXIF data, which is not read: save it as PNG or JPEG";
    }
    if (has(0, "\x89PNG")) {
        const std::size_t frames = bytes.find("acTL"), pixels = bytes.find("IDAT");
        if (frames < pixels && bytes.compare(frames + 4, 4, std::string("\0\0\0\1", 4)) > 0) {
            return "is a PNG with several frames, which is not read: save one of them as a PNG of its own";
        }
    } else if (!is_webp && !has(0, "\xff\xd8\xff") && !has(0, "BM")) {
        return "is no picture at all, or of a kind that is not read: save it as PNG or JPEG";
    }
    return "";
}

// Throws UserError: a PNG of 16 bits is all but black, as one of 12 bits is that nobody scaled up.
void refuse_dim(const std::string& name, const std::string& bytes, const cv::Mat& buffer, const cv::Mat& image) {
    const bool has_16_bits = bytes.size() > 24 && bytes[1] == 'P' && bytes[24] == 16;
    double most = 0;
    cv::minMaxLoc(image.reshape(1), nullptr, &most);
    if (!has_16_bits || most >= 16) return;
    const cv::Mat stored = cv::imdecode(buffer, cv::IMREAD_COLOR | cv::IMREAD_ANYDEPTH);
    cv::minMaxLoc(stored.reshape(1), nullptr, &most);
    if (most > 0 && most < 4096) throw UserError(name + ": has 16 bits a sample and is all but black; save it with 8 bits");
}

cv::Scalar colour_of(int class_id) {
    cv::Mat hsv(1, 1, CV_8UC3, cv::Scalar(class_id * 47 % 180, 220, 255)), rgb;
    cv::cvtColor(hsv, rgb, cv::COLOR_HSV2RGB);
    const auto colour = rgb.at<cv::Vec3b>(0, 0);
    return {static_cast<double>(colour[0]), static_cast<double>(colour[1]), static_cast<double>(colour[2])};
}

}  // namespace

std::string drawn_ending(const std::filesystem::path& image) {
    const std::string ending = image.extension().string();
    return cv::haveImageWriter("any" + ending) ? ending : ".jpg";
}

cv::Mat read_image(const std::filesystem::path& path) {
    const std::string bytes = read_file(path, kMostBytes);
    if (bytes.empty()) throw UserError(path.string() + ": the file is empty");
    for (const std::string& problem : {refusal(bytes), size_refusal(bytes)}) {
        if (!problem.empty()) throw UserError(path.string() + ": " + problem);
    }
    // A view, which is not written to: a copy would take the file's size once more.
    const cv::Mat buffer(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
    cv::Mat image;
    try {
        image = cv::imdecode(buffer, cv::IMREAD_COLOR);
    } catch (const cv::Exception& error) {  // more pixels than OpenCV takes
        throw UserError(path.string() + ": cannot be read (" + error.err + ")");
    }
    if (image.empty() || !is_whole(bytes)) {
        throw UserError(path.string() + ": damaged, cut short, or no picture at all");
    }
    refuse_dim(path.string(), bytes, buffer, image);
    cv::cvtColor(image, image, cv::COLOR_BGR2RGB);
    return image;
}

void write_drawn(const std::filesystem::path& path, const cv::Mat& image, const std::vector<Detection>& boxes,
                 const std::vector<std::string>& class_names, const std::function<void(cv::Mat&)>& more) {
    cv::Mat drawn = image.clone();
    const int thick = std::max(1, std::min(image.rows, image.cols) / 250);
    for (const Detection& box : boxes) {
        const auto pixel = [](float side) { return static_cast<int>(std::lround(side)); };
        const cv::Point corner(pixel(box.x1), pixel(box.y1));
        char score[8];
        std::snprintf(score, sizeof score, " %.2f", box.score);
        const cv::Scalar colour = colour_of(box.class_id);
        cv::rectangle(drawn, corner, {pixel(box.x2), pixel(box.y2)}, colour, thick);
        cv::putText(drawn, class_names[static_cast<std::size_t>(box.class_id)] + score,
                    {corner.x + 2 * thick, std::max(corner.y - 3 * thick, 12 * thick)}, cv::FONT_HERSHEY_SIMPLEX,
                    0.4 * thick, colour, thick, cv::LINE_AA);
    }
    more(drawn);
    cv::cvtColor(drawn, drawn, cv::COLOR_RGB2BGR);
    bool written = false;
    try {
        written = cv::imwrite(path.string(), drawn);
    } catch (const cv::Exception&) {  // an ending that OpenCV does not know
    }
    if (!written) throw UserError(path.string() + ": cannot be written");
}

}  // namespace gluon_yolo
