// Class folders of PNG and JPEG files, and such files without classes, into arrays.
#include "data/image_files.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <initializer_list>

#include "base/fail.h"
#include "io/image.h"
#include "io/text.h"

namespace pellucid::data {
namespace {

namespace fs = std::filesystem;
using base::fail;
using io::Image;
using io::shown;

constexpr std::size_t kMostClasses = 65536;

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::vector<std::string> images_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (std::string& name : names_in(folder.string())) {
    if (io::is_image_name(name) && name.front() != '.' && !is_folder(folder / name)) names.push_back(std::move(name));
  }
  return names;
}

// The folders within one that hold images: the classes.
std::vector<std::string> classes_in(const fs::path& folder) {
  std::vector<std::string> classes;
  for (std::string& name : names_in(folder.string())) {
    if (name.front() == '.' || !is_folder(folder / name) || images_in(folder / name).empty()) continue;
    if (!io::valid_utf8(name)) {
      fail("read_pictures: the name of the folder '{}' in '{}' is not UTF-8; rename it", shown(name), folder.string());
    }
    classes.push_back(std::move(name));
  }
  return classes;
}

// The first of these names that a folder has, in any case; empty where it has none.
std::string part_named(const std::string& folder, std::initializer_list<const char*> names) {
  const std::vector<std::string> present = names_in(folder);
  for (const char* name : names) {
    for (const std::string& entry : present) {
      if (lower(entry) == name && is_folder(fs::path(folder) / entry)) return entry;
    }
  }
  return "";
}

struct Layout {
  std::string training, test;  // below the folder; `training` is empty where classes stand in it directly
};
Layout layout_of(const std::string& folder) {
  const std::string training = part_named(folder, {"train", "training"});
  if (training.empty() || classes_in(fs::path(folder) / training).empty()) return {};
  return {.training = training, .test = part_named(folder, {"test", "testing", "val", "valid", "validation"})};
}

// What all pictures of a data set are brought to; grows to what is found as they are read.
struct Form {
  explicit Form(const Shape& shape) : channels(shape.size() > 2 ? shape[2] : 0) {
    const bool good = shape.empty() || shape.size() == 2 || (shape.size() == 3 && (channels == 1 || channels == 3));
    if (!good || std::any_of(shape.begin(), shape.end(), [](std::int64_t size) { return size < 1 || size > 65535; })) {
      fail("read_pictures: the shape {} is not (height, width), or that with 1 or 3 channels; correct it", shape);
    }
    if (shape.empty()) return;
    height = shape[0];
    width = shape[1];
    fixed = true;
    rank = shape.size();
  }
  std::int64_t height = 0, width = 0, channels = 0;  // 0: not known yet
  bool fixed = false, colour = false;
  std::size_t rank = 2;
  std::string first;  // the file that the size is from
};

std::vector<Image> load(const std::string& root, const std::vector<std::string>& files, Form& form,
                        std::int64_t& changed) {
  std::vector<Image> images;
  for (const std::string& file : files) {
    const std::string path = (fs::path(root) / file).string();
    Image image = io::load_image(path);
    if (form.height == 0) {
      form.height = image.height;
      form.width = image.width;
      form.first = path;
    }
    if (image.height != form.height || image.width != form.width) {
      if (!form.fixed) {
        fail(
            "read_pictures: '{}' is {} x {} pixels, and '{}' {} x {}; give a size that all are brought to "
            "(PictureOptions::shape, --size of the program)",
            path, image.height, image.width, form.first, form.height, form.width);
      }
      image = io::resized(image, form.height, form.width);
      ++changed;
    }
    form.colour |= image.channels == 3;
    images.push_back(form.channels == 0 ? std::move(image) : io::with_channels(image, form.channels));
  }
  return images;
}

Array array_of(std::vector<Image> images, const Form& form) {
  const std::int64_t channels = form.channels != 0 ? form.channels : form.colour ? 3 : 1;
  Shape shape = {static_cast<std::int64_t>(images.size()), form.height, form.width};
  if (channels != 1 || form.rank == 3) shape.push_back(channels);
  std::vector<std::uint8_t> pixels;
  pixels.reserve(images.size() * static_cast<std::size_t>(form.height * form.width * channels));
  for (Image& image : images) {
    const Image same = io::with_channels(image, channels);
    pixels.insert(pixels.end(), same.pixels.begin(), same.pixels.end());
    image.pixels = {};
  }
  return Array::from(pixels, shape);
}

struct Labelled {
  std::vector<std::string> files;
  std::vector<std::int64_t> labels;
};

Labelled list_classes(const std::string& root, const std::string& part, const std::vector<std::string>& classes) {
  Labelled result;
  const fs::path folder = fs::path(root) / part;
  for (const std::string& name : classes_in(folder)) {
    const auto at = std::lower_bound(classes.begin(), classes.end(), name);
    if (at == classes.end() || *at != name) {
      fail("read_pictures: '{}' has the class '{}', and training has {}; take folders that belong together",
           folder.string(), shown(name), io::list_similar(name, classes));
    }
    for (const std::string& file : images_in(folder / name)) {
      result.files.push_back((fs::path(part) / name / file).string());
      result.labels.push_back(at - classes.begin());
    }
  }
  return result;
}

}  // namespace

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator i(folder, error), end; !error && i != end; i.increment(error)) {
    names.push_back(i->path().filename().string());
  }
  if (error) fail("read_pictures: cannot list the folder '{}': {}", folder, error.message());
  std::sort(names.begin(), names.end());
  return names;
}

bool has_class_folders(const std::string& folder) {
  return !classes_in(fs::path(folder) / layout_of(folder).training).empty();
}

Pictures read_class_folders(const std::string& folder, const PictureOptions& options) {
  const Layout layout = layout_of(folder);
  Pictures pictures;
  pictures.classes = classes_in(fs::path(folder) / layout.training);
  if (pictures.classes.size() < 2 || pictures.classes.size() > kMostClasses) {
    fail("read_pictures: '{}' has {} folder(s) with images; give 2 to {} of them, one for each class", folder,
         pictures.classes.size(), kMostClasses);
  }
  Form form(options.shape);
  const auto read = [&](const std::string& part, PictureSet& set) {
    Labelled listed = list_classes(folder, part, pictures.classes);
    set.labels = Array::from(listed.labels);
    std::vector<Image> images = load(folder, listed.files, form, set.resized);
    set.files = std::move(listed.files);
    return images;
  };
  std::vector<Image> training = read(layout.training, pictures.training), test;
  if (!layout.test.empty()) test = read(layout.test, pictures.test);
  pictures.training.images = array_of(std::move(training), form);
  if (!test.empty()) {
    pictures.test.images = array_of(std::move(test), form);
  } else {
    pictures.test = {};
  }
  return pictures;
}

bool holds_images(const std::string& path) {
  return is_folder(path) ? !images_in(path).empty() : io::is_image_name(path);
}

PictureSet read_images(const std::string& path, const PictureOptions& options) {
  PictureSet set;
  Form form(options.shape);
  std::vector<Image> images;
  if (is_folder(path)) {
    set.files = images_in(path);
    if (set.files.empty()) fail("read_images: '{}' holds no PNG or JPEG files; give a folder that does", path);
    images = load(path, set.files, form, set.resized);
  } else {
    set.files = {fs::path(path).filename().string()};
    images = load(fs::path(path).parent_path().string(), set.files, form, set.resized);
  }
  set.images = array_of(std::move(images), form);
  return set;
}

}  // namespace pellucid::data
