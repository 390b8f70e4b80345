// How fast tables are read, in MB/s for each thread: numbers, whole numbers, text, and a table of all of them.
//   csv [MEGABYTES] [THREADS]      100 and 1 where left out
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>

#include "base/philox.h"
#include "pellucid/io.h"
#include "pellucid/threads.h"

namespace {

using namespace pellucid;

double seconds_of(const std::function<void()>& work) {
  double best = 1e300;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

std::uint32_t chance(std::uint64_t i) { return base::philox(7, 1, i)[0]; }

std::string decimal(std::uint64_t i) {
  return fmt::format("{:.{}f}", (static_cast<double>(chance(i)) - 2147483648.0) / 1e7, static_cast<int>(i % 6) + 1);
}
std::string whole(std::uint64_t i) { return std::to_string(chance(i) >> (chance(i + 1) % 28)); }
std::string word(std::uint64_t i) { return fmt::format("city {}", chance(i) % 200); }
std::string mixed(std::uint64_t i) { return i % 3 == 0 ? word(i) : i % 3 == 1 ? whole(i) : decimal(i); }

std::string table_of(std::string (*field)(std::uint64_t), std::size_t bytes) {
  constexpr int kColumns = 51;
  std::string rows, text;
  for (int c = 0; c < kColumns; ++c) text += fmt::format("{}column {}", c == 0 ? "" : ",", c);
  text += '\n';
  // Some thousand rows, over and over.
  for (std::uint64_t i = 0; rows.size() < std::min<std::size_t>(bytes, 4 << 20); i += kColumns) {
    for (std::uint64_t c = 0; c < kColumns; ++c) rows += field(i + c) + (c + 1 < kColumns ? "," : "\n");
  }
  while (text.size() < bytes) text += rows;
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t megabytes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  set_threads(threads);
  struct Case {
    const char* name;
    std::string (*field)(std::uint64_t);
  };
  for (const auto& [name, field] : {Case{"decimal numbers", decimal}, Case{"whole numbers", whole}, Case{"text", word},
                                    Case{"all of them", mixed}}) {
    const std::string text = table_of(field, megabytes * 1000000);
    std::int64_t rows = 0;
    const double seconds = seconds_of([&] { rows = io::parse_csv(text).rows; });
    const double rate = static_cast<double>(text.size()) / 1e6 / seconds;
    fmt::print("{:16} {:8} rows of 51 columns  {:6.0f} MB/s  {:6.0f} MB/s for each of {} threads\n", name, rows, rate,
               rate / threads, threads);
  }
  return 0;
}
