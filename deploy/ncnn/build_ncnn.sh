#!/usr/bin/env bash
# Builds ncnn's library from the source package that PyPI has, where the system has no libncnn-dev (Debian 12).
#
#   build_ncnn.sh PREFIX [PYTHON] [CMAKE ARGUMENT...]
#
# PREFIX: the folder to install into; CMake finds it there with -DCMAKE_PREFIX_PATH=PREFIX. Done once: where the same
# version is there already, nothing happens.
# PYTHON: whose pip fetches it, and whose ncnn says which version (NCNN_VERSION=1.0.DATE names another).
# CMAKE ARGUMENT: for another device, for example a toolchain file; docs/deploy.md has lines.
#
# Only the layers of LAYERS are built, without Vulkan, int8 and the tools: a minute or two on two cores.
set -euo pipefail

# What gluon_yolo/exporters/ncnn/ops.py and layers.py write; the last line is what ncnn itself adds to these.
LAYERS="binaryop clip concat convolution convolutiondepthwise crop elu input interp pooling prelu relu reshape scale
    shufflechannel sigmoid softplus split tanh
    cast flatten innerproduct packing padding"

[ $# -ge 1 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
prefix=$1 python=${2:-python3}
shift $(($# > 1 ? 2 : 1))
version=${NCNN_VERSION:-$("$python" -c 'import importlib.metadata as m; print(m.version("ncnn"))')}

mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
made="ncnn $version; $(echo $LAYERS); $*"
if [ "$(cat "$prefix/made" 2>/dev/null)" = "$made" ]; then
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ncnn's setup.py takes the date of the day for its version, and pip refuses a package whose version is not the one
# that its file's name says. So its clock is set to that day.
mkdir "$work/clock" "$work/fetched" "$work/source"
cat >"$work/clock/sitecustomize.py" <<PYTHON
import time

now = time.localtime
time.localtime = lambda *seconds: now(*seconds) if seconds else time.strptime("${version##*.}", "%Y%m%d")
PYTHON
echo "fetching the source of ncnn $version"
PYTHONPATH=$work/clock "$python" -m pip --disable-pip-version-check download --quiet --no-deps --no-binary ncnn \
    --no-build-isolation --dest "$work/fetched" "ncnn==$version"
tar -xf "$work/fetched"/ncnn-*.tar.gz -C "$work/source" --strip-components=1

off=()
names=$(sed -n 's/^ncnn_add_layer(\([A-Za-z0-9_]*\).*/\1/p' "$work/source/src/CMakeLists.txt")
for layer in $(echo "$names" | tr '[:upper:]' '[:lower:]'); do
    [[ " $(echo $LAYERS) " == *" $layer "* ]] || off+=("-DWITH_LAYER_$layer=OFF")
done
echo "building ncnn $version into $prefix (some minutes, once)"
{
    cmake -S "$work/source" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
        -DNCNN_VERSION="${version##*.}" -DNCNN_VULKAN=OFF -DNCNN_INT8=OFF -DNCNN_BF16=OFF -DNCNN_C_API=OFF \
        -DNCNN_AVX512=OFF -DNCNN_AVXVNNI=OFF -DNCNN_FMA4=OFF -DNCNN_XOP=OFF \
        -DNCNN_PIXEL_ROTATE=OFF -DNCNN_PIXEL_AFFINE=OFF -DNCNN_PIXEL_DRAWING=OFF \
        -DNCNN_PYTHON=OFF -DNCNN_BUILD_TOOLS=OFF -DNCNN_BUILD_EXAMPLES=OFF -DNCNN_BUILD_TESTS=OFF \
        -DNCNN_BUILD_BENCHMARK=OFF "${off[@]}" "$@"
    cmake --build "$work/build" --parallel "$(nproc)"
    cmake --install "$work/build"
} >"$prefix/build.log" 2>&1 || { tail -n 30 "$prefix/build.log" >&2; exit 1; }
echo "$made" >"$prefix/made"
