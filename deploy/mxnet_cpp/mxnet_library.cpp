#include "mxnet_library.h"

#include <dlfcn.h>

#include <algorithm>

#include "../common/error.h"

namespace gluon_yolo {
namespace {

template <typename Function>
void look_up(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr) throw UserError(std::string("libmxnet.so lacks ") + name + ": " + dlerror());
}

}  // namespace

MXNetLibrary::MXNetLibrary(const std::string& path) {
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw UserError(dlerror());
    look_up(library, "MXGetLastError", get_last_error);
    look_up(library, "MXPredCreatePartialOut", create);
    look_up(library, "MXPredSetInput", set_input);
    look_up(library, "MXPredForward", forward);
    look_up(library, "MXPredGetOutputShape", output_shape);
    look_up(library, "MXPredGetOutput", get_output);
    look_up(library, "MXPredFree", free);
    look_up(library, "MXNDArrayWaitAll", wait_all);
    look_up(library, "MXNotifyShutdown", notify_shutdown);
}

MXNetLibrary::~MXNetLibrary() {
    wait_all();
    notify_shutdown();
}

std::string MXNetLibrary::last_error() const {
    std::string told = get_last_error();
    told.resize(std::min(told.find("Stack trace"), told.size()));
    told.resize(told.find_last_not_of(" \n") + 1);
    std::replace_if(told.begin(), told.end(), [](unsigned char letter) { return letter < ' ' || letter > '~'; }, ' ');
    return told;
}

}  // namespace gluon_yolo
