// Runs the built program in a folder of its own, and makes small data sets for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace pellucid::testing {

struct Outcome {
  int status = -1;  // the exit status; 128 + signal where it was killed
  std::string out, err;
  double seconds = 0;
};

/// A folder that is there as long as the object.
class Place {
 public:
  Place();
  ~Place();
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  /// Runs the program in the folder. `arguments` are split by the shell; `environment`: "NAME=value NAME=value";
  /// `before`: shell commands.
  Outcome run(const std::string& arguments, const std::string& environment = "", const std::string& before = "") const;
  /// The same, with a signal once standard output holds `mark`.
  Outcome interrupted(const std::string& arguments, const std::string& mark, int signal = 2) const;
  /// The same with a terminal of so many columns for standard output.
  Outcome on_terminal(const std::string& arguments, unsigned short columns) const;

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, std::string_view content) const;
  std::string read(const std::string& name) const;
  /// The names of the files there, sorted.
  std::vector<std::string> files() const;

 private:
  std::filesystem::path folder_;
};

/// Columns shape, x, y and kind: kind follows from shape and the sign of x.
std::string classes_csv(int rows);
/// Columns size, rooms, town and price, with some sizes missing.
std::string numbers_csv(int rows);
/// 200 training and 40 test pictures of 6 x 6, bright on the left (0) or on the right (1).
void write_idx_folder(const Place& place, const std::string& name, bool compressed);
/// The bytes of an IDX file of bytes.
std::string idx_bytes(const std::vector<std::uint32_t>& shape, std::string_view data);

const char* library_version();

}  // namespace pellucid::testing
