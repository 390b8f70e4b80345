// Pictures and their classes, from folders of IDX files and from NPZ files; what a path holds.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <unordered_set>

#include "base/fail.h"
#include "data/image_files.h"
#include "io/file.h"
#include "io/table_file.h"
#include "io/text.h"
#include "pellucid/data.h"

namespace pellucid::data {
namespace {

namespace fs = std::filesystem;
using base::fail;
using io::shown;

constexpr std::int64_t kMostClasses = 65536;

// The four parts of a data set, in the order of kParts.
constexpr std::array<const char*, 4> kParts = {"training images", "training labels", "test images", "test labels"};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Which part a file name or array name stands for: "train-images-idx3-ubyte.gz", "x_train", "test_labels", ...
std::optional<std::size_t> part_of(const std::string& name) {
  const std::string text = lower(name);
  const auto has = [&](std::string_view word) { return text.find(word) != std::string::npos; };
  const bool test = has("test") || has("t10k");
  const bool labels = has("label") || text == "y" || text.starts_with("y_");
  const bool images = has("image") || text == "x" || text.starts_with("x_");
  if (images == labels || (test && has("train"))) return {};
  return (test ? 2U : 0U) + (labels ? 1U : 0U);
}

bool is_idx_name(const std::string& name) {
  const std::string text = lower(name);
  for (const std::string_view end : {"ubyte", "ubyte.gz", ".idx", ".idx.gz"}) {
    if (text.ends_with(end)) return part_of(name).has_value();
  }
  return false;
}

using Parts = std::array<std::pair<std::string, Array>, 4>;  // where each part came from, and the part

Parts read_folder(const std::string& folder) {
  std::array<std::string, 4> files;
  for (const std::string& name : names_in(folder)) {
    if (!is_idx_name(name)) continue;
    std::string& file = files[*part_of(name)];
    if (name == file + ".gz") continue;  // sorted: the plain file comes first
    if (!file.empty()) {
      fail("read_pictures: '{}' holds two files of {}: '{}' and '{}'; remove one", folder, kParts[*part_of(name)],
           shown(file), shown(name));
    }
    file = name;
  }
  Parts parts;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].empty()) continue;
    const std::string path = (fs::path(folder) / files[i]).string();
    parts[i] = {path, io::read_idx(path)};
  }
  return parts;
}

Parts read_archive(const std::string& path) {
  Parts parts;
  for (auto& [name, array] : io::read_npz(path)) {
    const auto part = part_of(name);
    if (!part) continue;
    if (parts[*part].second.defined()) {
      fail("read_pictures: '{}' holds two arrays of {}: '{}' and '{}'; remove one", path, kParts[*part],
           shown(parts[*part].first), shown(name));
    }
    parts[*part] = {name, array};
  }
  return parts;
}

// (n) or (n, 1), of any integer type, as int64 (n).
Array labels_of(const std::string& name, const Array& array, std::int64_t& most) {
  const Shape& shape = array.shape();
  const bool column = shape.size() == 2 && shape[1] == 1;
  if ((shape.size() != 1 && !column) || !is_integer(array.dtype())) {
    fail(
        "read_pictures: '{}' holds {} {}, and labels are whole numbers of shape [n]; give one class number for each "
        "picture",
        shown(name), array.dtype(), shape);
  }
  const std::vector<std::int64_t> labels = array.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= kMostClasses) {
      fail("read_pictures: '{}': label {} of picture {} is not in 0 to {}; number the classes from 0", shown(name),
           labels[i], i, kMostClasses - 1);
    }
    most = std::max(most, labels[i]);
  }
  return Array::from(labels);
}

PictureSet make_set(const Parts& parts, std::size_t first, const std::string& path, std::int64_t& most) {
  const auto& [images_name, images] = parts[first];
  const auto& [labels_name, labels] = parts[first + 1];
  if (!images.defined() && !labels.defined()) return {};
  if (!images.defined() || !labels.defined()) {
    fail("read_pictures: '{}' has no {}; put {} beside the others", path, kParts[images.defined() ? first + 1 : first],
         images.defined() ? "labels" : "images");
  }
  const Shape& shape = images.shape();
  if (images.size() == 0) {
    fail("read_pictures: '{}' holds {} {}, which is no picture; give at least one", shown(images_name), images.dtype(),
         shape);
  }
  if (images.dtype() != DType::kUInt8 || shape.size() < 3 || shape.size() > 4) {
    fail(
        "read_pictures: '{}' holds {} {}, and pictures are uint8 [n, height, width] or [n, height, width, channels]; "
        "convert them",
        shown(images_name), images.dtype(), shape);
  }
  PictureSet set{.images = images, .labels = labels_of(labels_name, labels, most)};
  if (set.labels.shape()[0] != shape[0]) {
    fail("read_pictures: {} pictures in '{}' and {} labels in '{}'; take files that belong together", shape[0],
         shown(images_name), set.labels.shape()[0], shown(labels_name));
  }
  return set;
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// The names in a file, one a line. Each is one of a kind, and there are enough for label `most`.
std::vector<std::string> names_from(const std::string& file, std::int64_t most) {
  const io::FileBytes bytes = io::read_file(file, "read_pictures");
  std::string_view rest = bytes.view();
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    line = io::trim(line);
    if (line.empty() && rest.find_first_not_of(" \t\r\n") == std::string_view::npos) break;
    if (!io::valid_utf8(line)) fail("read_pictures: '{}': '{}' is not UTF-8; convert the file", file, shown(line));
    names.emplace_back(line);
    if (!seen.insert(names.back()).second || line.empty()) {
      fail("read_pictures: '{}', line {}: the class '{}' {}; give each class a name of its own, one a line", file,
           names.size(), shown(line), line.empty() ? "has no name" : "is there already");
    }
  }
  const auto count = static_cast<std::int64_t>(names.size());
  if (count <= most || count < 2) {
    fail("read_pictures: '{}' names {} classes, and labels up to {} need {}; add the others, one a line", file, count,
         most, std::max<std::int64_t>(most + 1, 2));
  }
  return names;
}

std::vector<std::string> class_names(const std::string& path, std::int64_t most) {
  const fs::path file = fs::path(path) / "labels.txt";
  std::error_code error;
  if (is_folder(path) && fs::exists(file, error)) return names_from(file.string(), most);
  std::vector<std::string> names;
  for (std::int64_t i = 0; i <= std::max<std::int64_t>(most, 1); ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace

Source recognise(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    fail("cannot open '{}': {}; give a CSV file, an NPZ file or a folder of pictures", path, base::errno_text(errno));
  }
  if (S_ISDIR(status.st_mode)) {
    const std::vector<std::string> names = names_in(path);
    if (std::any_of(names.begin(), names.end(), is_idx_name)) return Source::kPictures;
    if (holds_images(path) || has_class_folders(path)) return Source::kPictures;
    fail(
        "'{}' is a folder without IDX files (train-images-idx3-ubyte, ...) and without folders of PNG or JPEG files, "
        "one "
        "for each class; give such a folder, an NPZ file or a CSV file",
        path);
  }
  if (io::table_file(path) == io::TableFile::kNpz) return io::holds_columns(path) ? Source::kTable : Source::kPictures;
  return holds_images(path) ? Source::kPictures : Source::kTable;
}

Pictures read_pictures(const std::string& path, const PictureOptions& options) {
  if (is_folder(path)) {
    const std::vector<std::string> names = names_in(path);
    if (std::none_of(names.begin(), names.end(), is_idx_name)) {
      if (has_class_folders(path)) return read_class_folders(path, options);
      if (holds_images(path)) {
        fail("read_pictures: the images in '{}' have no classes; put those of each class into a folder of its own",
             path);
      }
    }
  } else if (holds_images(path)) {
    fail("read_pictures: '{}' is one image; give a folder with a folder of images for each class", path);
  }
  const Parts parts = is_folder(path) ? read_folder(path) : read_archive(path);
  std::int64_t most = 0;
  Pictures pictures;
  pictures.training = make_set(parts, 0, path, most);
  pictures.test = make_set(parts, 2, path, most);
  if (pictures.training.size() == 0) {
    fail("read_pictures: '{}' has no training images; name them train-images-idx3-ubyte, or x_train in an NPZ file",
         path);
  }
  const Shape& shape = pictures.training.images.shape();
  if (pictures.test.size() > 0) {
    const Shape& other = pictures.test.images.shape();
    if (!std::equal(shape.begin() + 1, shape.end(), other.begin() + 1, other.end())) {
      fail("read_pictures: '{}': training pictures are {} and test pictures {}; take files that belong together", path,
           shape, other);
    }
  }
  pictures.classes = class_names(path, most);
  return pictures;
}

namespace {

// No picture of training stands for a test label beyond all of its own.
void check_test_labels(const Pictures& pictures) {
  if (pictures.test.size() == 0) return;
  const std::vector<std::int64_t> known = pictures.training.labels.to_vector<std::int64_t>();
  const std::vector<std::int64_t> test = pictures.test.labels.to_vector<std::int64_t>();
  const std::int64_t last = *std::max_element(known.begin(), known.end());
  const auto beyond = std::find_if(test.begin(), test.end(), [&](std::int64_t label) { return label > last; });
  if (beyond == test.end()) return;
  fail("fit_pictures: label {} of test picture {} is not in 0 to {}, the labels of the training pictures; {}", *beyond,
       beyond - test.begin(), last, "take files that belong together");
}

}  // namespace

PicturePreprocessing fit_pictures(const Pictures& pictures) {
  const Array& images = pictures.training.images;
  if (!images.defined()) fail("fit_pictures: there are no training pictures; read a folder that has some");
  check_test_labels(pictures);
  const std::vector<std::int64_t> labels = pictures.training.labels.to_vector<std::int64_t>();
  if (std::all_of(labels.begin(), labels.end(), [&](std::int64_t label) { return label == labels.front(); })) {
    fail(
        "fit_pictures: all training pictures have the label {}, so there is nothing to learn; give pictures of two "
        "classes or more",
        labels.front());
  }
  PicturePreprocessing result;
  result.shape.assign(images.shape().begin() + 1, images.shape().end());
  result.classes = pictures.classes;
  // Counted in whole numbers: exact, whatever the order.
  std::array<std::uint64_t, 256> counts{};
  const auto* pixels = images.data<std::uint8_t>();
  for (std::int64_t i = 0; i < images.size(); ++i) ++counts[pixels[i]];
  std::uint64_t sum = 0;
  for (std::size_t v = 0; v < counts.size(); ++v) sum += v * counts[v];
  const auto size = static_cast<double>(images.size());
  result.mean = static_cast<double>(sum) / size;
  double squares = 0;
  for (std::size_t v = 0; v < counts.size(); ++v) {
    const double deviation = static_cast<double>(v) - result.mean;
    squares += deviation * deviation * static_cast<double>(counts[v]);
  }
  result.scale = squares > 0 ? std::sqrt(squares / size) : 1;
  return result;
}

}  // namespace pellucid::data
