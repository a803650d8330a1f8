// MXNetLibrary: the calls of mxnet's C predict API, of a libmxnet.so opened at run time.
//
// The one of the pip package carries libjpeg, libpng and zlib inside and lets everyone see their names. Linked in the
// usual way these take the places of the ones that OpenCV was built with, and no JPEG can be read any more. Opened
// like this, the library keeps its names to itself.
#pragma once

#include <cstdint>  // which c_predict_api.h uses and does not include
#include <mxnet/c_predict_api.h>
#include <string>

namespace gluon_yolo {

struct MXNetLibrary {
    // Opens a libmxnet.so; it stays open to the end of the program. Throws UserError: it cannot be opened.
    explicit MXNetLibrary(const std::string& path);
    // Ends mxnet's work for the whole program: its threads must rest when the program does.
    ~MXNetLibrary();
    MXNetLibrary(const MXNetLibrary&) = delete;
    MXNetLibrary& operator=(const MXNetLibrary&) = delete;

    decltype(&::MXGetLastError) get_last_error;
    decltype(&::MXPredCreatePartialOut) create;
    decltype(&::MXPredSetInput) set_input;
    decltype(&::MXPredForward) forward;
    decltype(&::MXPredGetOutputShape) output_shape;
    decltype(&::MXPredGetOutput) get_output;
    decltype(&::MXPredFree) free;
    int (*wait_all)();  // these two are of c_api.h
    int (*notify_shutdown)();

    // mxnet's own account of the last failure, in plain letters and without its stack.
    std::string last_error() const;
};

}  // namespace gluon_yolo
