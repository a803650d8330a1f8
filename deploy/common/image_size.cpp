#include "image_size.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace gluon_yolo {
namespace {

constexpr std::uint64_t kMostPixels = 1U << 28;  // 16384 x 16384, 0.8 GB as RGB
constexpr const char* kVariable = "OPENCV_IO_MAX_IMAGE_PIXELS";  // another limit, by OpenCV's name for its own of 2^30
constexpr std::size_t kPngBegin = 8, kRiffBegin = 12;

struct Size {
    std::uint64_t width, height;
};

std::uint64_t most_pixels() {
    const char* const given = std::getenv(kVariable);
    const std::string text = given ? given : "";
    const bool digits = !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == std::string::npos;
    return digits ? std::strtoull(text.c_str(), nullptr, 10) : kMostPixels;
}

// An unsigned number of some bytes; bytes behind the end are 0.
std::uint64_t number(const std::string& bytes, std::size_t at, std::size_t width, bool big) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
        const std::size_t place = at + (big ? i : width - 1 - i);
        value = value << 8 | (place < bytes.size() ? static_cast<unsigned char>(bytes[place]) : 0U);
    }
    return value;
}

bool has(const std::string& bytes, std::size_t at, const std::string& words) {
    return at <= bytes.size() && bytes.compare(at, words.size(), words) == 0;
}

std::optional<Size> jpeg_size(const std::string& bytes) {
    std::size_t place = 2;
    while (place + 4 <= bytes.size() && number(bytes, place, 1, true) == 0xff) {
        const std::uint64_t marker = number(bytes, place + 1, 1, true);
        const bool is_frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
        if (is_frame) return Size{number(bytes, place + 7, 2, true), number(bytes, place + 5, 2, true)};
        if (marker == 0xda || marker == 0xd9) return std::nullopt;  // the pixels, or the end
        const bool is_alone = marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
        place += marker == 0xff ? 1 : is_alone ? 2 : 2 + static_cast<std::size_t>(number(bytes, place + 2, 2, true));
    }
    return std::nullopt;
}

std::optional<Size> webp_size(const std::string& bytes) {
    std::size_t place = kRiffBegin;
    while (place + 8 <= bytes.size()) {
        const std::size_t start = place + 8;
        if (has(bytes, place, "VP8X")) return Size{number(bytes, start + 4, 3, false) + 1, number(bytes, start + 7, 3, false) + 1};
        if (has(bytes, place, "VP8L")) {
            const std::uint64_t bits = number(bytes, start + 1, 4, false);
            return Size{(bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
        }
        if (has(bytes, place, "VP8 ")) {
            return Size{number(bytes, start + 6, 2, false) & 0x3fff, number(bytes, start + 8, 2, false) & 0x3fff};
        }
        const std::size_t length = static_cast<std::size_t>(number(bytes, place + 4, 4, false));
        place = start + length + (length & 1);
    }
    return std::nullopt;
}

std::optional<Size> header_size(const std::string& bytes) {
    if (has(bytes, 0, "\xff\xd8")) return jpeg_size(bytes);
    if (has(bytes, 0, "\x89PNG")) return Size{number(bytes, 16, 4, true), number(bytes, 20, 4, true)};
    if (has(bytes, 0, "BM")) {
        if (number(bytes, 14, 1, false) == 12) return Size{number(bytes, 18, 2, false), number(bytes, 20, 2, false)};  // OS/2 1
        const std::uint64_t rows = number(bytes, 22, 4, false);
        return Size{number(bytes, 18, 4, false), std::min(rows, (std::uint64_t{1} << 32) - rows)};  // rows from the top: < 0
    }
    if (has(bytes, 0, "RIFF") && has(bytes, 8, "WEBP")) return webp_size(bytes);
    return std::nullopt;
}

// Says whether a chunk before a PNG's end is longer than the file: OpenCV reserves what it asks for.
bool reaches_too_far(const std::string& bytes) {
    std::size_t place = kPngBegin;
    while (place + 8 <= bytes.size()) {
        const std::size_t end = place + 8 + static_cast<std::size_t>(number(bytes, place, 4, true));
        if (end > bytes.size()) return true;
        if (has(bytes, place + 4, "IEND")) return false;
        place = end + 4;  // the check sum
    }
    return false;
}

}  // namespace

std::string size_refusal(const std::string& bytes) {
    if (has(bytes, 0, "\x89PNG") && reaches_too_far(bytes)) return "damaged, cut short, or no picture at all";
    const std::optional<Size> size = header_size(bytes);
    const std::uint64_t most = most_pixels();
    if (!size || !size->width || size->height <= most / size->width) return "";
    return "is of " + std::to_string(size->width) + " x " + std::to_string(size->height) +
           " pixels by its header, and pictures of at most " + std::to_string(most) +
           " are decoded: cut it into tiles, or set " + kVariable;
}

}  // namespace gluon_yolo
