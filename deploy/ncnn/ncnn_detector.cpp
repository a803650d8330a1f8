#include "ncnn_detector.h"

#include <filesystem>

#include "../common/decode.h"
#include "../common/error.h"

namespace gluon_yolo {

void load_net(ncnn::Net& net, const std::vector<std::filesystem::path>& files, int threads) {
    if (threads > 0) net.opt.num_threads = threads;
    // Single precision as in training. On ARM, half precision is about twice as fast: leave these at ncnn's defaults.
    net.opt.use_fp16_packed = false;
    net.opt.use_fp16_storage = false;
    net.opt.use_fp16_arithmetic = false;
    const std::filesystem::path &param = files[0], &weights = files[1];
    for (const auto& file : {param, weights}) {
        if (!std::filesystem::is_regular_file(file)) {
            throw UserError(file.string() + ": no such file; write it with `python -m gluon_yolo export --format ncnn" +
                            " --out FOLDER RUN`");
        }
    }
    if (net.load_param(param.c_str()) != 0) throw UserError(param.string() + ": damaged, or no file of ncnn's");
    if (net.load_model(weights.c_str()) != 0) throw UserError(weights.string() + ": damaged, or of another model");
}

NcnnDetector::NcnnDetector(const ModelRecord& record, int threads) : record_(record) {
    if (record.cut != "raw" || record.outputs.size() != record.levels.size()) {
        throw UserError(record.name + ": ends at \"" + record.cut + "\", and this program takes ncnn graphs cut raw");
    }
    load_net(net_, record.files, threads);
}

Selection NcnnDetector::detect(const std::uint8_t* rgb, const Choice& choice) {
    ncnn::Extractor extractor = net_.create_extractor();
    extractor.input("data", ncnn::Mat::from_pixels(rgb, ncnn::Mat::PIXEL_RGB, record_.width, record_.height));
    std::vector<ncnn::Mat> outputs(record_.outputs.size());  // they own what the raw maps point to
    std::vector<RawMap> maps;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (extractor.extract(record_.outputs[i].c_str(), outputs[i]) != 0) {
            throw UserError(record_.name + ": ncnn cannot compute " + record_.outputs[i] + ": is memory short?");
        }
        const ncnn::Mat& map = outputs[i];
        maps.push_back({static_cast<const float*>(map.data), map.c, map.h, map.w, map.cstep});
    }
    return select(decode(maps, record_, choice.score_threshold), choice);
}

}  // namespace gluon_yolo
