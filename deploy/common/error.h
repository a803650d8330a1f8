// UserError: what the user can put right; the message says what, where and how.
#pragma once

#include <stdexcept>

namespace gluon_yolo {

struct UserError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace gluon_yolo
