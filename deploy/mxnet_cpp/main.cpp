// detect: finds objects in pictures with an exported model's mxnet files. `detect --help` says how.
#include "../common/program.h"
#include "mxnet_detector.h"

int main(int argc, char** argv) {
    return gluon_yolo::run(argc, argv, "symbol", [](const gluon_yolo::Record& record) {
        const auto library = std::make_shared<const gluon_yolo::MXNetLibrary>(MXNET_LIBRARY);
        return std::make_unique<gluon_yolo::MXNetDetector>(record, library);
    });
}
