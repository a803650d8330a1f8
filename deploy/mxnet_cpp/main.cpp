// detect: finds objects in images with an exported model, on mxnet's C predict API.
//
//   python -m gluon_yolo export RUN --format symbol --out model   NAME.json, NAME-symbol.json, NAME-0000.params
//   cmake -S deploy/mxnet_cpp -B build/mxnet -DMXNET_DIR=FOLDER && cmake --build build/mxnet
//   build/mxnet/detect model street.jpg --draw seen               boxes as lines of JSON; --help says the rest
//
// FOLDER is that of the installed mxnet, with libmxnet.so in it. An image's way: read_image (../common/image_file.cpp),
// fit to the input (preprocess.cpp), network (mxnet_detector.cpp), the best boxes (detection.cpp), back to the image
// (preprocess.cpp). docs/deploy.md says more.
#include <cstdlib>

#include "../common/program.h"
#include "mxnet_detector.h"

int main(int argc, char** argv) {
    return gluon_yolo::run(argc, argv, "symbol", [](const gluon_yolo::ModelRecord& record) {
        const char* const place = std::getenv("MXNET_LIBRARY");  // else where it was when this was built
        const auto library = std::make_shared<const gluon_yolo::MXNetLibrary>(place ? place : MXNET_LIBRARY);
        return std::make_unique<gluon_yolo::MXNetDetector>(record, library);
    });
}
