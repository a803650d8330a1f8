#include "model_record.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <vector>

#include "error.h"

namespace gluon_yolo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormat = 2;  // the version of the record that this file reads
constexpr int kLongest = 8192;  // largest side of an input in pixels, as Python's gluon_yolo/input_size.py has it

const std::map<std::string, FitMode> kFits = {
    {"resize", FitMode::resize}, {"letterbox", FitMode::letterbox}, {"darknet", FitMode::darknet}};
const std::map<std::string, BoxCoding> kBoxCodings = {{"yolo3", BoxCoding::yolo3},
                                                      {"squared_sigmoid", BoxCoding::squared_sigmoid}};
const std::map<std::string, ScoreRule> kScoreRules = {
    {"objectness_times_class", ScoreRule::objectness_times_class},
    {"objectness_times_softmax", ScoreRule::objectness_times_softmax}};

template <typename Value>
Value named(const std::map<std::string, Value>& known, const std::string& name, const std::string& field) {
    const auto found = known.find(name);
    if (found == known.end()) throw UserError(field + " \"" + name + "\" is not known to this program");
    return found->second;
}

// Returns the record in a JSON file; nothing where it holds no record.
std::optional<json> parse(const fs::path& file) {
    const json content = json::parse(read_file(file), nullptr, false);
    if (!content.is_object() || !content.contains("spec") || !content.contains("format")) return std::nullopt;
    return content.at("format").is_number_integer() ? std::optional(content) : std::nullopt;
}

fs::path find(const fs::path& model) {
    if (fs::is_regular_file(model)) return model;
    if (!fs::is_directory(model)) throw UserError(model.string() + ": no such file or folder");
    std::vector<fs::path> records;
    for (const auto& entry : fs::directory_iterator(model)) {
        if (entry.path().extension() == ".json" && entry.is_regular_file() && parse(entry.path())) {
            records.push_back(entry.path());
        }
    }
    if (records.empty()) throw UserError(model.string() + ": holds no model (a NAME.json of `python -m gluon_yolo export`)");
    if (records.size() > 1) throw UserError(model.string() + ": holds several models; name one's NAME.json");
    return records.front();
}

std::vector<Level> read_levels(const json& spec) {
    const json& strides = spec.at("strides");
    const json& anchors = spec.at("anchors");
    const json& scales = spec.at("xy_scales");
    if (strides.empty() || anchors.size() != strides.size() || scales.size() != strides.size()) {
        throw UserError("strides, anchors and xy_scales differ in length");
    }
    std::vector<Level> levels;
    for (std::size_t i = 0; i < strides.size(); ++i) {
        Level level{strides.at(i).get<int>(), scales.at(i).get<float>(), {}};
        for (const json& anchor : anchors.at(i)) {
            level.anchors.push_back({anchor.at(0).get<float>(), anchor.at(1).get<float>()});
        }
        if (level.stride < 1) throw UserError("a stride is below 1");
        levels.push_back(level);
    }
    return levels;
}

void read_graph(const json& graphs, const std::string& format, const fs::path& folder, ModelRecord& record) {
    if (!graphs.contains(format)) {
        std::string held;
        for (const auto& graph : graphs.items()) held += (held.empty() ? "" : ", ") + graph.key();
        throw UserError("the model is there as " + (held.empty() ? "a training run" : held) + ", and not as " +
                        format + "; write it with `python -m gluon_yolo export --format " + format + " --out FOLDER RUN`");
    }
    const json& graph = graphs.at(format);
    record.cut = graph.at("cut").get<std::string>();
    record.outputs = graph.at("outputs").get<std::vector<std::string>>();
    record.decoded = graph.at("decoded").get<std::vector<std::string>>();
    for (const json& file : graph.at("files")) {
        const auto name = file.get<std::string>();
        if (name.empty() || name == "." || name == ".." || name.find_first_of("/\\:") != std::string::npos) {
            throw UserError("the file " + name + " is not one beside it");
        }
        record.files.push_back(folder / name);
    }
    if (record.files.size() != 2) throw UserError("expected two files of " + format);
}

// Returns the record in a JSON file, of the version and the task that are asked for.
json checked(const fs::path& file, bool landmarks) {
    const std::optional<json> content = parse(file);
    if (!content) throw UserError(file.string() + ": is no model's record (a NAME.json of `python -m gluon_yolo export`)");
    if (const auto version = content->at("format").get<int>(); version != kFormat) {
        throw UserError(file.string() + ": is of format " + std::to_string(version) + ", and this program reads " +
                        std::to_string(kFormat) + "; export the model again, or update this program");
    }
    const bool is_landmarks = content->value("task", json("detection")) == "landmarks";
    if (is_landmarks != landmarks) {
        throw UserError(file.string() + (landmarks ? ": is a detector, where a network of face landmarks is expected"
                                                   : ": is a network of face landmarks, and no detector"));
    }
    return *content;
}

}  // namespace

LandmarkRecord read_landmark_record(const fs::path& model, const std::string& format) {
    const fs::path file = find(model);
    const json content = checked(file, true);
    try {
        const json& spec = content.at("spec");
        const json& reach = spec.at("reach");
        LandmarkRecord record;
        record.name = content.at("name").get<std::string>();
        record.num_points = spec.at("num_points").get<std::size_t>();
        record.height = content.at("input").at("size_hw").at(0).get<int>();
        record.width = content.at("input").at("size_hw").at(1).get<int>();
        record.left = reach.at(0).get<double>();
        record.up = reach.at(1).get<double>();
        record.right = reach.at(2).get<double>();
        record.down = reach.at(3).get<double>();
        record.groups = spec.at("groups").get<std::map<std::string, std::vector<int>>>();
        for (const auto& [part, points] : record.groups) {
            for (const int point : points) {
                if (point < 0 || static_cast<std::size_t>(point) >= record.num_points) {
                    throw UserError(part + ": there is no point " + std::to_string(point));
                }
            }
        }
        if (record.num_points < 1 || std::min(record.height, record.width) < 1) throw UserError("a size is below 1");
        if (std::max(record.height, record.width) > kLongest) throw UserError("size_hw is above 8192");
        ModelRecord graph;
        read_graph(content.at("graphs"), format, file.parent_path(), graph);
        if (graph.outputs.size() != 1) throw UserError("expected one output");
        record.output = graph.outputs.front();
        record.files = graph.files;
        return record;
    } catch (const json::exception& error) {
        throw UserError(file.string() + ": a field is missing or wrong (" + error.what() + ")");
    } catch (const UserError& error) {
        throw UserError(file.string() + ": " + error.what());
    }
}

ModelRecord read_model_record(const fs::path& model, const std::string& format) {
    const fs::path file = find(model);
    const json content = checked(file, false);
    try {
        const json& spec = content.at("spec");
        const json& input = content.at("input");
        ModelRecord record;
        record.name = content.at("name").get<std::string>();
        record.class_names = spec.at("class_names").get<std::vector<std::string>>();
        record.height = input.at("size_hw").at(0).get<int>();
        record.width = input.at("size_hw").at(1).get<int>();
        record.fit = named(kFits, input.at("fit").get<std::string>(), "fit");
        record.box_coding = named(kBoxCodings, spec.at("box_coding").get<std::string>(), "box_coding");
        record.score_rule = named(kScoreRules, spec.at("score_rule").get<std::string>(), "score_rule");
        record.levels = read_levels(spec);
        const auto most = content.value("max_detections", std::int64_t{100});  // records of before do not say
        if (most < 1) throw UserError("max_detections is below 1");
        record.max_detections = static_cast<std::size_t>(most);
        const auto candidates = content.value("max_candidates", std::int64_t{0});  // most records do not say
        if (content.contains("max_candidates") && candidates < 1) throw UserError("max_candidates is below 1");
        record.max_candidates = static_cast<std::size_t>(candidates);
        record.best_threshold = content.value("best_threshold", 0.3F);
        if (!(record.best_threshold >= 0 && record.best_threshold <= 1)) {
            throw UserError("best_threshold is not within 0 and 1");
        }
        const int stride = record.levels.back().stride;
        if (std::min(record.height, record.width) < 1 || record.height % stride || record.width % stride) {
            throw UserError("size_hw is no multiple of the largest stride");
        }
        if (std::max(record.height, record.width) > kLongest) throw UserError("size_hw is above 8192");
        read_graph(content.at("graphs"), format, file.parent_path(), record);
        return record;
    } catch (const json::exception& error) {
        throw UserError(file.string() + ": a field is missing or wrong (" + error.what() + ")");
    } catch (const UserError& error) {
        throw UserError(file.string() + ": " + error.what());
    }
}

std::string read_file(const fs::path& path, std::size_t most) {
    errno = 0;
    std::ifstream stream(path, std::ios::binary);
    if (!stream || fs::is_directory(path)) {
        throw UserError(path.string() + ": cannot be read (" + std::strerror(errno ? errno : EISDIR) + ")");
    }
    const auto refuse_large = [&](std::uintmax_t size) {
        if (size >= most) throw UserError(path.string() + ": is larger than " + std::to_string(most - 1) + " bytes");
    };
    std::error_code none;
    if (fs::is_regular_file(path)) refuse_large(fs::file_size(path, none));  // before a byte is read
    std::string bytes;
    std::vector<char> part(1 << 20);
    do {  // a pipe or a device says no size
        stream.read(part.data(), static_cast<std::streamsize>(part.size()));
        bytes.append(part.data(), static_cast<std::size_t>(stream.gcount()));
        refuse_large(bytes.size());
    } while (stream);
    return bytes;
}

}  // namespace gluon_yolo
