// NcnnDetector: the model's NAME.param and NAME.bin, run by ncnn. What a phone's app takes over: this class, and of
// ../common what it includes (model_record, detection, decode, detector, error), none of which needs OpenCV.
#pragma once

#include <net.h>

#include <filesystem>
#include <vector>

#include "../common/detector.h"
#include "../common/model_record.h"

namespace gluon_yolo {

// Reads NAME.param and NAME.bin into a network that computes with so many threads; 0 is ncnn's own choice.
// Throws UserError: a file is missing or damaged.
void load_net(ncnn::Net& net, const std::vector<std::filesystem::path>& files, int threads);

// Several threads may call one detector: each call has an extractor of its own.
class NcnnDetector : public Detector {
public:
    // threads: that each call computes with; 0 takes ncnn's own choice, the big cores.
    // Throws UserError: a file is missing or damaged, or the graph does not end at its raw maps.
    explicit NcnnDetector(const ModelRecord& record, int threads = 0);

    Selection detect(const std::uint8_t* rgb, const Choice& choice) override;

private:
    ModelRecord record_;
    ncnn::Net net_;
};

}  // namespace gluon_yolo
