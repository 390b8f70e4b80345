// Files for tests: folders that vanish, gzip, and the reference files in tests/reference/files.json.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pellucid/array.h"

namespace pellucid {

/// A folder of its own that vanishes with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "pellucid-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string path(const std::string& name) const { return (path_ / name).string(); }
  /// Writes a file, and gives its path.
  std::string add(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Runs `test` in a child process as a user who may not write everywhere; true where it returned true.
template <class Test>
bool as_ordinary_user(Test test) {
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(2);
    _exit(test() ? 0 : 1);
  }
  int status = -1;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

inline nlohmann::json reference(const std::string& name) {
  std::ifstream file(PELLUCID_SOURCE_DIR "/tests/reference/" + name);
  return nlohmann::json::parse(file);
}

/// A file that Python wrote, and the arrays that it holds by their names.
struct ReferenceFile {
  std::string kind, name, bytes;
  nlohmann::json arrays;
};

inline std::vector<ReferenceFile> reference_files(const std::string& kind) {
  std::vector<ReferenceFile> files;
  for (const auto& json : reference("files.json")) {
    if (json["kind"] != kind) continue;
    ReferenceFile& file = files.emplace_back(ReferenceFile{kind, json["name"], "", json["arrays"]});
    const std::string hex = json["bytes"];
    for (std::size_t i = 0; i < hex.size(); i += 2)
      file.bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return files;
}

/// The type, the shape and every element, NaN equal to NaN.
inline void expect_array(const Array& array, const nlohmann::json& expected, const std::string& name) {
  EXPECT_EQ(std::string(name_of(array.dtype())), expected["dtype"].get<std::string>()) << name;
  EXPECT_EQ(array.shape(), expected["shape"].get<Shape>()) << name;
  const auto& values = expected["values"];
  ASSERT_EQ(array.size(), static_cast<std::int64_t>(values.size())) << name;
  const bool whole = array.dtype() == DType::kInt64;  // float64 does not hold them all
  const std::vector<double> reals = whole ? std::vector<double>() : array.to_vector<double>();
  const std::vector<std::int64_t> integers = whole ? array.to_vector<std::int64_t>() : std::vector<std::int64_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (whole) {
      EXPECT_EQ(integers[i], values[i].get<std::int64_t>()) << name << ", element " << i;
    } else if (values[i].is_string()) {
      EXPECT_EQ(std::to_string(reals[i]), values[i].get<std::string>()) << name << ", element " << i;
    } else {
      const double value = values[i].is_boolean() ? double(values[i].get<bool>()) : values[i].get<double>();
      EXPECT_EQ(reals[i], value) << name << ", element " << i;
    }
  }
}

}  // namespace pellucid
