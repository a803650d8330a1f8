// ModelRecord: what NAME.json says of an exported model, for one of its formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace gluon_yolo {

// How the raw maps hold a box's size: anchor * exp(t), or anchor * (2 sigmoid(t))^2.
enum class BoxCoding { yolo3, squared_sigmoid };

// How a score comes about: sigmoid(objectness) times each anchor's own sigmoid(class), or times a softmax over the
// classes that a cell's anchors share.
enum class ScoreRule { objectness_times_class, objectness_times_softmax };

// How an image is brought to the input's size.
enum class FitMode { resize, letterbox, darknet };

struct Anchor {
    float width, height;  // input pixels
};

// One raw map.
struct Level {
    int stride;      // input pixels per cell
    float xy_scale;  // cells that a centre reaches over
    std::vector<Anchor> anchors;
};

struct ModelRecord {
    std::string name;
    std::vector<std::string> class_names;
    int height, width;  // of the input, in pixels
    FitMode fit;
    BoxCoding box_coding;
    ScoreRule score_rule;
    std::vector<Level> levels;  // by ascending stride
    std::size_t max_detections;  // of an image, that the model was trained or exported for
    std::size_t max_candidates;  // that are compared, where the model was exported with a number of its own; else 0
    float best_threshold;        // the score with the best F1 in its validation; 0.3 where the record says none

    // Of the format asked for:
    std::string cut;                           // nms, decoded or raw
    std::vector<std::string> outputs;          // the graph's outputs
    std::vector<std::string> decoded;          // in a symbol: its decoded boxes and scores, wherever it ends
    std::vector<std::filesystem::path> files;  // the one to open first
};

// What NAME.json says of an exported network of face landmarks, for one of its formats.
struct LandmarkRecord {
    std::string name;
    std::size_t num_points;                // of a face
    int height, width;                     // of the input, in pixels
    double left, up, right, down;          // what is cut out about a box's middle, as shares of its width and height
    std::map<std::string, std::vector<int>> groups;  // the points of each part of the face; none where not known
    std::string output;                    // of the graph: x and y of each point as shares of the crop
    std::vector<std::filesystem::path> files;  // the one to open first
};

// Reads the record of an exported network of face landmarks; arguments and errors as for read_model_record.
LandmarkRecord read_landmark_record(const std::filesystem::path& model, const std::string& format);

// Reads the record of an exported model.
//
// model:   the folder that `python -m gluon_yolo export` wrote, or the NAME.json in it.
// format:  "ncnn" or "symbol".
// Throws UserError: there is no such model, it is of another version, or lacks this format.
ModelRecord read_model_record(const std::filesystem::path& model, const std::string& format);

// Returns a file's bytes. Throws UserError: it cannot be read, or has `most` bytes or more.
std::string read_file(const std::filesystem::path& path, std::size_t most = SIZE_MAX);

}  // namespace gluon_yolo
