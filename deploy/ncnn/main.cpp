// detect: finds objects in pictures with an exported model's ncnn files. `detect --help` says how.
#include "../common/program.h"
#include "ncnn_detector.h"

int main(int argc, char** argv) {
    return gluon_yolo::run(argc, argv, "ncnn", [](const gluon_yolo::Record& record) {
        return std::make_unique<gluon_yolo::NcnnDetector>(record);
    });
}
