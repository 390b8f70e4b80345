// Processes by fork and exec through the shell, with their output in files.
#include "support/program.h"

#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <csignal>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "pellucid/version.h"

namespace pellucid::testing {

namespace fs = std::filesystem;

namespace {

constexpr const char* kProgram = PELLUCID_BINARY_DIR "/pellucid";

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Standard output goes to `sink`; -1: to a file, which `finish` reads.
pid_t start(const fs::path& folder, const std::string& command, int sink = -1) {
  const std::string out = (folder / ".out").string();
  const std::string err = (folder / ".err").string();
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (::chdir(folder.c_str()) != 0) ::_exit(126);
  if (sink < 0) sink = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(sink, STDOUT_FILENO);
  ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
  ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  ::_exit(127);
}

Outcome finish(const fs::path& folder, pid_t child, std::chrono::steady_clock::time_point begin) {
  int status = 0;
  ::waitpid(child, &status, 0);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = content_of(folder / ".out"),
          .err = content_of(folder / ".err"),
          .seconds = spent.count()};
}

// A fixed sequence in [0, 1), the same everywhere.
class Sequence {
 public:
  double next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 11U) * 0x1p-53;
  }

 private:
  std::uint64_t state_ = 42;
};

}  // namespace

Place::Place() {
  std::string name = (fs::temp_directory_path() / "pellucid-cli-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  folder_ = name;
}

Place::~Place() {
  std::error_code error;
  fs::remove_all(folder_, error);
}

Outcome Place::run(const std::string& arguments, const std::string& environment, const std::string& before) const {
  const auto begin = std::chrono::steady_clock::now();
  const std::string command = before + (before.empty() ? "" : "; ") + "exec " +
                              (environment.empty() ? "" : "env " + environment + " ") + kProgram + " " + arguments;
  return finish(folder_, start(folder_, command), begin);
}

Outcome Place::interrupted(const std::string& arguments, const std::string& mark, int signal) const {
  const auto begin = std::chrono::steady_clock::now();
  // A short pipe: who is not read from soon stands still, so that the signal never comes after the end.
  constexpr int kPage = 4096;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  ::fcntl(ends[0], F_SETPIPE_SZ, kPage);
  const pid_t child = start(folder_, std::string("exec ") + kProgram + " " + arguments, ends[1]);
  ::close(ends[1]);
  std::string text;
  bool sent = false;
  char part[kPage];
  for (ssize_t n = 0; (n = ::read(ends[0], part, sizeof part)) > 0;) {
    text.append(part, static_cast<std::size_t>(n));
    if (!sent && text.find(mark) != std::string::npos) {
      ::kill(child, signal);
      sent = true;
    }
  }
  ::close(ends[0]);
  Outcome outcome = finish(folder_, child, begin);
  outcome.out = text;
  return outcome;
}

Outcome Place::on_terminal(const std::string& arguments, unsigned short columns) const {
  const auto begin = std::chrono::steady_clock::now();
  int reader = -1;
  int terminal = -1;
  struct winsize size {};
  size.ws_row = 24;
  size.ws_col = columns;
  if (::openpty(&reader, &terminal, nullptr, nullptr, &size) != 0) throw std::runtime_error("no terminal");
  const std::string device = ::ttyname(terminal);
  const pid_t child = start(folder_, std::string("exec ") + kProgram + " " + arguments + " > " + device);
  std::string text;
  std::thread listener([&] {
    char part[4096];
    for (ssize_t n = 0; (n = ::read(reader, part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(n));
  });
  Outcome outcome = finish(folder_, child, begin);
  ::close(terminal);  // the last writer, so that reading ends
  listener.join();
  ::close(reader);
  outcome.out = text;
  return outcome;
}

void Place::write(const std::string& name, std::string_view content) const {
  std::ofstream(path(name), std::ios::binary) << content;
}

std::string Place::read(const std::string& name) const { return content_of(path(name)); }

std::vector<std::string> Place::files() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (name != ".out" && name != ".err") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string classes_csv(int rows) {
  Sequence sequence;
  std::ostringstream text;
  text << "shape,x,y,kind\n";
  const char* shapes[] = {"round", "square", "flat", "long"};
  for (int i = 0; i < rows; ++i) {
    const auto shape = static_cast<std::size_t>(sequence.next() * 4);
    const double x = std::floor(sequence.next() * 2000 - 1000) / 100;
    const double y = std::floor(sequence.next() * 2000 - 1000) / 100;
    text << shapes[shape] << ',' << x << ',' << y << ',' << (shape < 2 ? "a" : x > 0 ? "b" : "c") << '\n';
  }
  return text.str();
}

std::string numbers_csv(int rows) {
  Sequence sequence;
  std::ostringstream text;
  text << "size,rooms,town,price\n";
  for (int i = 0; i < rows; ++i) {
    const double size = std::floor(sequence.next() * 10000) / 100;
    const int rooms = static_cast<int>(sequence.next() * 6) + 1;
    const bool town = sequence.next() < 0.5;
    if (i % 50 != 7) text << size;
    text << ',' << rooms << ',' << (town ? "yes" : "no") << ','
         << (i % 50 == 7 ? 50 : size) * (town ? 30 : 20) + rooms * 100 << '\n';
  }
  return text.str();
}

std::string idx_bytes(const std::vector<std::uint32_t>& shape, std::string_view data) {
  std::string bytes = {0, 0, 8, static_cast<char>(shape.size())};
  for (const std::uint32_t size : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> static_cast<unsigned>(shift));
  }
  return bytes + std::string(data);
}

void write_idx_folder(const Place& place, const std::string& name, bool compressed) {
  fs::create_directory(place.path(name));
  Sequence sequence;
  for (const auto& [part, count] : {std::pair<std::string, std::uint32_t>{"train", 200}, {"t10k", 40}}) {
    std::string pixels;
    std::string labels;
    for (std::uint32_t i = 0; i < count; ++i) {
      labels += static_cast<char>(i % 2);
      for (int p = 0; p < 36; ++p) {
        pixels += static_cast<char>((p % 6 < 3) == (i % 2 == 0) ? 120 + sequence.next() * 100 : sequence.next() * 100);
      }
    }
    const auto write = [&](const std::string& file, const std::string& bytes) {
      if (!compressed) {
        place.write(name + "/" + file, bytes);
        return;
      }
      gzFile out = ::gzopen((place.path(name) / (file + ".gz")).c_str(), "wb");
      ::gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
      ::gzclose(out);
    };
    write(part + "-images-idx3-ubyte", idx_bytes({count, 6, 6}, pixels));
    write(part + "-labels-idx1-ubyte", idx_bytes({count}, labels));
  }
}

const char* library_version() { return version(); }

}  // namespace pellucid::testing
