#include "program.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "error.h"
#include "image_file.h"
#include "preprocess.h"

namespace gluon_yolo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage = R"(usage: detect MODEL PICTURE... [--threshold T] [--nms 0.45] [--agnostic]
              [--max-detections K] [--max-candidates N] [--draw DIR] [--landmarks POINTS]

Finds objects in pictures. MODEL is a folder that `python -m gluon_yolo export` wrote, or the NAME.json in it.
One line of JSON for each object goes to the standard output, the picture's best first, boxes in its own pixels:
  {"image": "street.jpg", "class": "car", "score": 0.91234, "box": [x1, y1, x2, y2]}

  --threshold T       leave out what scores T or less (default: the model's own, 0.3 where its record says none)
  --nms T             of two boxes of a class that overlap by more than T, keep the better one
  --agnostic          of any two boxes, and not of a class alone
  --max-detections K  detections of a picture at most (default: the model's own, 100 where its record says none)
  --max-candidates N  boxes of a picture that are compared for them, the best ones (default: the model's own, else 400,
                      and 8 K for a K above 100)
  --landmarks POINTS  find the landmarks of each face with this exported network (the sample on ncnn alone); its line
                      of JSON then ends with "landmarks": [[x, y], ...], and they are drawn too
  --draw DIR          write the pictures with the boxes drawn on them into this folder

Exit status: 0; 1 when the model or a picture could not be read, which the standard error stream tells; 2 when the
command line is wrong.
)";

const std::set<std::string> kValued = {"--threshold", "--nms", "--max-detections", "--max-candidates", "--draw", "--landmarks"};

struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Arguments {
    fs::path model;
    std::vector<std::string> images;
    Choice choice;
    bool limited = false;  // whether the command line says how many detections there may be
    bool scored = false;   // whether it says from which score on
    fs::path draw;
    fs::path landmarks;
    bool help = false;
};

float share(const std::string& flag, const std::string& text) {
    char* end = nullptr;
    const float value = std::strtof(text.c_str(), &end);
    if (text.empty() || *end || !(value >= 0 && value <= 1)) {
        throw UsageError(flag + " " + text + ": expected a number within 0 and 1");
    }
    return value;
}

std::size_t count(const std::string& flag, const std::string& text) {
    const bool digits = text.find_first_not_of("0123456789") == std::string::npos && text.size() <= 9;
    const unsigned long value = digits ? std::strtoul(text.c_str(), nullptr, 10) : 0;
    if (!value) throw UsageError(flag + " " + text + ": expected a number from 1 up");
    return value;
}

Arguments parse(const std::vector<std::string>& words) {
    Arguments arguments;
    std::vector<std::string> plain;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "--help" || word == "-h") {
            arguments.help = true;
            return arguments;
        }
        if (word.rfind("--", 0) != 0) {
            plain.push_back(word);
            continue;
        }
        if (word == "--agnostic") {
            arguments.choice.agnostic = true;
            continue;
        }
        if (!kValued.count(word)) throw UsageError(word + ": unknown");
        if (i + 1 == words.size() || words[i + 1].empty()) throw UsageError(word + ": expected a value after it");
        const std::string& value = words[++i];
        if (word == "--threshold") {
            arguments.choice.score_threshold = share(word, value);
            arguments.scored = true;
        }
        if (word == "--nms") arguments.choice.nms_threshold = share(word, value);
        if (word == "--max-detections") {
            arguments.choice.max_detections = count(word, value);
            arguments.limited = true;
        }
        if (word == "--max-candidates") arguments.choice.max_candidates = count(word, value);
        if (word == "--draw") arguments.draw = value;
        if (word == "--landmarks") arguments.landmarks = value;
    }
    if (plain.size() < 2) throw UsageError("expected a model and at least one picture");
    arguments.model = plain.front();
    arguments.images.assign(plain.begin() + 1, plain.end());
    return arguments;
}

// The digits that Python's round() leaves: the shortest that mean the rounded number.
std::string rounded(float value, double parts) { return nlohmann::json(std::round(value * parts) / parts).dump(); }

std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

using Points = std::vector<cv::Point2f>;

void print(const std::string& image, const std::string& class_name, const Detection& found, const Points* points) {
    std::printf("{\"image\": %s, \"class\": %s, \"score\": %s, \"box\": [%s, %s, %s, %s]", quoted(image).c_str(),
                quoted(class_name).c_str(), rounded(found.score, 1e5).c_str(), rounded(found.x1, 1e2).c_str(),
                rounded(found.y1, 1e2).c_str(), rounded(found.x2, 1e2).c_str(), rounded(found.y2, 1e2).c_str());
    if (points) {
        const char* between = ", \"landmarks\": [";
        for (const cv::Point2f& point : *points) {
            std::printf("%s[%s, %s]", between, rounded(point.x, 1e2).c_str(), rounded(point.y, 1e2).c_str());
            between = ", ";
        }
        std::fputs("]", stdout);
    }
    std::fputs("}\n", stdout);
}

// Where the image with its boxes goes: its own name, or name-2 and so on where images share one.
//
// Throws UserError: that is one of the images that are to be read.
fs::path result_of(const Arguments& arguments, const fs::path& image, std::set<fs::path>& taken) {
    const fs::path& folder = arguments.draw;
    const std::string stem = image.stem().string(), ending = drawn_ending(image);
    fs::path result = folder / (stem + ending);
    for (int i = 2; !taken.insert(result).second; ++i) result = folder / (stem + "-" + std::to_string(i) + ending);
    for (const std::string& source : arguments.images) {
        std::error_code none;
        if (fs::equivalent(result, source, none)) {
            throw UserError(result.string() + ": is one of the pictures; name another folder with --draw");
        }
    }
    return result;
}

// Says what a limit left out; nothing where it left out nothing.
std::string limit_said(const Selection& chosen, const Choice& choice) {
    if (chosen.left_out <= 0) return "";
    if (chosen.found.size() >= choice.max_detections) {
        return ", the most that --max-detections " + std::to_string(choice.max_detections) +
               " allows; there were more";
    }
    const bool own = choice.max_candidates > 0;
    return "; only the best " + std::to_string(own ? choice.max_candidates : candidates_for(choice.max_detections)) +
           " boxes were compared, so there may be more: raise " + (own ? "--max-candidates" : "--max-detections");
}

// Finds, prints and draws one image.
void look(const std::string& name, const ModelRecord& record, Detector& detector, const LandmarkFinder* landmarks,
          const Arguments& arguments, std::set<fs::path>& taken) {
    using Clock = std::chrono::steady_clock;
    const cv::Mat image = read_image(name);
    const auto begin = Clock::now();
    const Preprocessed preprocessed = preprocess(image, record);
    Choice choice = arguments.choice;
    if (!arguments.limited) {
        choice.max_detections = record.max_detections;
        if (!choice.max_candidates) choice.max_candidates = record.max_candidates;
    }
    if (!arguments.scored) choice.score_threshold = record.best_threshold;
    Selection chosen = detector.detect(preprocessed.pixels.data, choice);
    std::vector<Detection>& found = chosen.found;
    for (Detection& box : found) box = preprocessed.inverse(box);
    std::vector<Points> faces;
    for (const Detection& box : found) {
        if (landmarks) faces.push_back(landmarks->find(image, box));
    }
    const double spent = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    for (std::size_t i = 0; i < found.size(); ++i) {
        const std::string& class_name = record.class_names[static_cast<std::size_t>(found[i].class_id)];
        print(name, class_name, found[i], landmarks ? &faces[i] : nullptr);
    }
    std::fflush(stdout);
    std::fprintf(stderr, "%s: %zu found in %.1f ms%s\n", name.c_str(), found.size(), spent,
                 limit_said(chosen, choice).c_str());
    if (!arguments.draw.empty()) {
        const fs::path result = result_of(arguments, name, taken);
        const auto points = [&](cv::Mat& drawn) {
            for (const Points& face : faces) landmarks->draw(drawn, face);
        };
        write_drawn(result, image, found, record.class_names, points);
        std::fprintf(stderr, "%s: drawn -> %s\n", name.c_str(), result.c_str());
    }
}

int detect(const Arguments& arguments, const std::string& format, const Opener& open,
           const LandmarkOpener& open_landmarks) {
    const ModelRecord record = read_model_record(arguments.model, format);
    const std::unique_ptr<Detector> detector = open(record);
    std::unique_ptr<LandmarkFinder> landmarks;
    if (!arguments.landmarks.empty()) {
        const LandmarkRecord points = read_landmark_record(arguments.landmarks, format);
        landmarks = std::make_unique<LandmarkFinder>(points, open_landmarks(points));
    }
    std::error_code failed;
    if (!arguments.draw.empty()) fs::create_directories(arguments.draw, failed);
    if (failed) throw UserError(arguments.draw.string() + ": cannot be made (" + failed.message() + ")");
    std::set<fs::path> taken;
    int status = 0;
    for (const std::string& name : arguments.images) {
        try {
            look(name, record, *detector, landmarks.get(), arguments, taken);
        } catch (const UserError& error) {
            std::fprintf(stderr, "error: %s\n", error.what());
            status = 1;
        } catch (const std::bad_alloc&) {  // the next image may do
            std::fprintf(stderr, "error: %s: there is not enough memory for it\n", name.c_str());
            status = 1;
        } catch (const std::exception& error) {  // OpenCV's: the next image may do
            std::fprintf(stderr, "error: %s: %s\n", name.c_str(), error.what());
            status = 1;
        }
    }
    return status;
}

}  // namespace

int run(int argc, char** argv, const std::string& format, const Opener& open,
        const LandmarkOpener& open_landmarks) {
    try {
        const Arguments arguments = parse({argv + 1, argv + argc});
        if (arguments.help) {
            std::fputs(kUsage, stdout);
            return 0;
        }
        if (!arguments.landmarks.empty() && !open_landmarks) {
            throw UsageError("--landmarks: the sample on ncnn has this flag, and this one does not");
        }
        return detect(arguments, format, open, open_landmarks);
    } catch (const UsageError& error) {
        std::fprintf(stderr, "error: %s\n%s", error.what(), kUsage);
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
}

}  // namespace gluon_yolo
