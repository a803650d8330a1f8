#!/usr/bin/env bash
# Builds both samples: FOLDER/ncnn/detect and FOLDER/mxnet_cpp/detect. `make samples` calls it.
#
#   build.sh FOLDER PYTHON
#
# PYTHON: whose mxnet the one uses, and whose pip fetches ncnn's source where no libncnn-dev is installed.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1 python=$2 here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder/mxnet_cpp" "$folder/ncnn"

if ! command -v cmake >/dev/null || ! command -v c++ >/dev/null; then
    echo "error: the samples need cmake and g++; on Debian and Ubuntu, make samples-packages installs what they need" >&2
    exit 1
fi

# Configures a sample; further words are CMake's. What it says goes to a log.
configure() {
    local sample=$1
    shift
    cmake -S "$here/$sample" -B "$folder/$sample" -DWARNINGS_ARE_ERRORS=ON "$@" >"$folder/$sample/log" 2>&1
}

failed() {
    grep -v '^-- ' "$folder/$1/log" >&2
    echo "error: see above; on Debian and Ubuntu, make samples-packages installs what the samples need" >&2
    exit 1
}

mxnet=$("$python" -c 'import importlib.util as u; print(u.find_spec("mxnet").submodule_search_locations[0])')
configure mxnet_cpp -DMXNET_DIR="$mxnet" || failed mxnet_cpp
# The system's ncnn where there is one that CMake can use, else one of our own.
if ! configure ncnn -U ncnn_DIR -U CMAKE_PREFIX_PATH; then
    "$here/ncnn/build_ncnn.sh" "$folder/ncnn-library" "$python"
    configure ncnn -DCMAKE_PREFIX_PATH="$folder/ncnn-library" || failed ncnn
fi
for sample in mxnet_cpp ncnn; do
    cmake --build "$folder/$sample" --parallel "$(nproc)" >"$folder/$sample/log" 2>&1 || failed "$sample"
    echo "built $folder/$sample/detect"
done
