#include "ncnn_landmarks.h"

#include <cmath>

#include "../common/error.h"
#include "ncnn_detector.h"

namespace gluon_yolo {

NcnnLandmarks::NcnnLandmarks(const LandmarkRecord& record, int threads) : record_(record) {
    load_net(net_, record.files, threads);
}

std::vector<float> NcnnLandmarks::run(const std::uint8_t* rgb) {
    ncnn::Extractor extractor = net_.create_extractor();
    extractor.input("data", ncnn::Mat::from_pixels(rgb, ncnn::Mat::PIXEL_RGB, record_.width, record_.height));
    ncnn::Mat output;
    if (extractor.extract(record_.output.c_str(), output) != 0) {
        throw UserError(record_.name + ": ncnn cannot compute " + record_.output + ": is memory short?");
    }
    if (output.dims != 1 || static_cast<std::size_t>(output.w) != 2 * record_.num_points) {
        throw UserError(record_.name + ": gives other numbers than its record says: files are of different models");
    }
    const auto* numbers = static_cast<const float*>(output.data);
    std::vector<float> shares(numbers, numbers + output.w);
    for (const float share : shares) {
        if (!std::isfinite(share)) throw UserError(record_.name + ": gives numbers that are not finite");
    }
    return shares;
}

}  // namespace gluon_yolo
