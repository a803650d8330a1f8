// detect: finds objects in images with an exported model, on ncnn.
//
//   python -m gluon_yolo export RUN --format ncnn --out model     NAME.json, NAME.param, NAME.bin
//   cmake -S deploy/ncnn -B build/ncnn && cmake --build build/ncnn
//   build/ncnn/detect model street.jpg --draw seen                boxes as lines of JSON; --help says the rest
//   build/ncnn/detect faces people.jpg --landmarks points         and the landmarks of each face
//
// An image's way: read_image (../common/image_file.cpp), fit to the input (preprocess.cpp), network
// (ncnn_detector.cpp), raw maps to boxes (decode.cpp), the best of them (detection.cpp), back to the image
// (preprocess.cpp). docs/deploy.md: other devices, what an app needs, and what the record's fields mean.
#include <cstdlib>

#include "../common/program.h"
#include "ncnn_detector.h"
#include "ncnn_landmarks.h"

int main(int argc, char** argv) {
    const char* const threads = std::getenv("OMP_NUM_THREADS");
    const int count = threads ? std::atoi(threads) : 0;
    return gluon_yolo::run(
        argc, argv, "ncnn",
        [count](const gluon_yolo::ModelRecord& record) {
            return std::make_unique<gluon_yolo::NcnnDetector>(record, count);
        },
        [count](const gluon_yolo::LandmarkRecord& record) {
            return std::make_unique<gluon_yolo::NcnnLandmarks>(record, count);
        });
}
