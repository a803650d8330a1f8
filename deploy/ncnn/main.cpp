// detect: finds objects in pictures with an exported model's ncnn files. `detect --help` says how.
#include <cstdlib>

#include "../common/program.h"
#include "ncnn_detector.h"

int main(int argc, char** argv) {
    const char* const threads = std::getenv("OMP_NUM_THREADS");
    return gluon_yolo::run(argc, argv, "ncnn", [threads](const gluon_yolo::Record& record) {
        return std::make_unique<gluon_yolo::NcnnDetector>(record, threads ? std::atoi(threads) : 0);
    });
}
