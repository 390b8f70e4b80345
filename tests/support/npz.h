// NPZ files for tests.
#pragma once

#include <zlib.h>

#include <string>
#include <utility>
#include <vector>

namespace pellucid {

/// A stored zip archive of NPY files, by their names without .npy.
inline std::string npz(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string bytes, directory;
  const auto number = [](std::string& out, std::size_t value, int size) {
    for (int i = 0; i < size; ++i) out += static_cast<char>(i < 8 ? value >> (8 * i) : 0);
  };
  for (const auto& [name, content] : members) {
    std::string head;
    number(head, 20, 2);
    number(head, 0, 8);
    number(head, crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()), 4);
    number(head, content.size(), 4);
    number(head, content.size(), 4);
    number(head, name.size() + 4, 2);
    number(head, 0, 2);
    directory += "PK\1\2" + std::string("\x14\0", 2) + head;
    number(directory, 0, 10);
    number(directory, bytes.size(), 4);
    directory += name + ".npy";
    bytes += "PK\3\4" + head + name + ".npy" + content;
  }
  std::string end = "PK\5\6";
  number(end, 0, 4);
  number(end, members.size(), 2);
  number(end, members.size(), 2);
  number(end, directory.size(), 4);
  number(end, bytes.size(), 4);
  number(end, 0, 2);
  return bytes + directory + end;
}

}  // namespace pellucid
