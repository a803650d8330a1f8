// A model's symbol, read as text: what mxnet is given has operators that compute, and nothing else.
#pragma once

#include <filesystem>
#include <string>

namespace gluon_yolo {

// Returns the text of a symbol whose operators are all known. mxnet has others that run programs, `_Native` as soon as
// the symbol is read. Raises a UserError for those, and for a file that holds no symbol.
std::string read_symbol(const std::filesystem::path& path);

}  // namespace gluon_yolo
