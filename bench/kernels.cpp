// Kernels against the machine: GFLOP/s or GB/s, and the share of the peak measured in the same run, between the runs of
// what is measured, since the machine may be shared. The fastest of many counts, on both sides.
//
//   kernels [--json] [--only TEXT] [SECTION...]     sections: contraction, bfloat16, groups; TEXT: part of a
//                                                   line's name
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/large_pages.h"
#include "graph/plan.h"
#include "kernels/contract_bf16.h"
#include "kernels/kernels.h"
#include "ops/record.h"
#include "peak.h"
#include "pellucid/ops.h"

namespace {

using bench::multiply_add_peak;
using bench::plain_loop;
using bench::seconds;
using bench::Size;
using pellucid::kernels::Contract;
using pellucid::kernels::ContractShape;

/// 64-byte aligned memory, every element `value`.
template <class T>
class Buffer {
 public:
  explicit Buffer(Size size, T value = T{})
      : data_(static_cast<T*>(std::aligned_alloc(64, (static_cast<std::size_t>(size) * sizeof(T) + 127) / 64 * 64)),
              std::free) {
    pellucid::base::prefer_large_pages(data_.get(), static_cast<std::size_t>(size) * sizeof(T));  // as arrays do
    std::fill(data_.get(), data_.get() + size, value);
  }
  T* get() const { return data_.get(); }

 private:
  std::unique_ptr<T, void (*)(void*)> data_;
};

/// Lines whose name lacks this are not measured.
std::string_view only;

struct Line {
  std::string section, name;
  int threads = 1;
  double rate = 0, peak = 0;  // GFLOP/s or GB/s
  double nanoseconds = 0;
  const char* unit = "GFLOP/s";
};

void print(const Line& line, bool json) {
  if (json) {
    std::printf(
        "{\"section\":\"%s\",\"name\":\"%s\",\"threads\":%d,\"unit\":\"%s\",\"rate\":%.2f,\"peak\":%.2f,\"share\":%.4f,"
        "\"ns\":%.1f}\n",
        line.section.c_str(), line.name.c_str(), line.threads, line.unit, line.rate, line.peak, line.rate / line.peak,
        line.nanoseconds);
  } else {
    std::printf("%-34s %d %12.1f ns %9.1f %s %6.1f %%\n", line.name.c_str(), line.threads, line.nanoseconds, line.rate,
                line.unit, 100 * line.rate / line.peak);
  }
  std::fflush(stdout);
}

// ---- Contraction ----------------------------------------------------------------------------------------------------

struct Named {
  std::string name;
  ContractShape shape;
};

enum class Layout { kNN, kNT, kTN };

/// a (m, k) times b (k, n), row-major; NT: b is stored (n, k), TN: a is stored (k, m).
Named contraction(Size m, Size k, Size n, Layout layout = Layout::kNN, const char* note = "") {
  ContractShape s;
  s.m = m;
  s.n = n;
  s.k = k;
  s.a_m = layout == Layout::kTN ? 1 : k;
  s.a_k = layout == Layout::kTN ? m : 1;
  s.b_k = layout == Layout::kNT ? 1 : n;
  s.b_n = layout == Layout::kNT ? k : 1;
  s.c_m = n;
  constexpr const char* kNames[] = {"NN", "NT", "TN"};
  return {std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n) + " " +
              kNames[static_cast<int>(layout)] + note,
          s};
}

Line measure(const Named& what, int threads, bool narrow = false) {
  const ContractShape& s = what.shape;
  pellucid::set_threads(threads);
  const Contract contract = narrow ? pellucid::kernels::bf16_contract(s) : Contract(s);
  const Buffer<float> a(s.m * s.k, 0.5f), b(s.k * s.n, 0.25f), c(s.m * s.n);
  const Buffer<std::byte> workspace(static_cast<Size>(contract.workspace()));
  const double operations = 2.0 * static_cast<double>(s.m * s.n * s.k);
  // A sample is about 20 microseconds or one call: short enough to fall between the disturbances of a shared machine.
  const Size calls = std::max<Size>(1, static_cast<Size>(2e6 * threads / operations));
  const auto sample = [&] {
    const double start = seconds();
    for (Size i = 0; i < calls; ++i) contract.run(c.get(), a.get(), b.get(), nullptr, workspace.get());
    return (seconds() - start) / static_cast<double>(calls);
  };
  double fastest = 1e9, peak = 0;
  const double end = seconds() + (operations > 1e9 ? 2.0 : 0.4);
  for (int i = 0; i < 10 || seconds() < end; ++i) {
    peak = std::max(peak, multiply_add_peak(threads));
    fastest = std::min(fastest, sample());
  }
  return {.section = narrow ? "bfloat16" : "contraction",
          .name = what.name,
          .threads = threads,
          .rate = operations / fastest * 1e-9,
          .peak = peak,
          .nanoseconds = fastest * 1e9};
}

void contraction_section(bool json) {
  std::vector<Named> list = {// The network mnist_mlp_b128: forward, then backward.
                             contraction(128, 784, 256),
                             contraction(128, 256, 128),
                             contraction(128, 128, 10),
                             contraction(128, 10, 128, Layout::kNT),
                             contraction(128, 128, 10, Layout::kTN),
                             contraction(128, 128, 256, Layout::kNT),
                             contraction(256, 128, 128, Layout::kTN),
                             contraction(784, 128, 256, Layout::kTN)};
  for (const Size n : {64, 96, 128, 192, 256, 512, 1024, 2048}) list.push_back(contraction(n, n, n));
  for (const Size n : {64, 128, 256, 512, 1024}) {
    list.push_back(contraction(n, n, n, Layout::kNT));
    list.push_back(contraction(n, n, n, Layout::kTN));
  }
  list.push_back(contraction(128, 256, 784));
  list.push_back(contraction(32, 256, 784));
  list.push_back(contraction(32, 64, 64));
  list.push_back(contraction(1024, 384, 1536));
  list.push_back(contraction(2048, 128, 1024));
  list.push_back(contraction(128, 2048, 1024, Layout::kTN));
  list.push_back(contraction(256, 2048, 1024, Layout::kTN));
  list.push_back(contraction(2048, 1024, 128, Layout::kNT));
  list.push_back(contraction(64, 27 * 1024, 27, Layout::kTN, " long k"));
  for (const Named& what : list) {
    if (what.name.find(only) == std::string::npos) continue;
    for (const int threads : {1, 2}) print(measure(what, threads), json);
  }
  // One row, one column, and those of the XOR network: here the time counts.
  for (const Named& what :
       {contraction(4, 2, 4), contraction(4, 4, 1), contraction(4, 4, 1, Layout::kTN),
        contraction(4, 1, 4, Layout::kNT), contraction(2, 4, 4, Layout::kTN), contraction(8, 8, 8),
        contraction(16, 16, 16), contraction(32, 32, 32), contraction(1, 784, 256),
        contraction(1, 784, 256, Layout::kNT), contraction(784, 256, 1), contraction(784, 256, 1, Layout::kTN)}) {
    if (what.name.find(only) != std::string::npos) print(measure(what, 1), json);
  }
}

/// In bfloat16 precision, where the processor has instructions for it; shares are of the peak in float32.
void bfloat16_section(bool json) {
  if (pellucid::kernels::bf16_way() == pellucid::kernels::Bf16Way::kNone) {
    std::printf("bfloat16: this processor has no instructions for it\n");
    return;
  }
  std::vector<Named> list;
  for (const Size n : {128, 256, 512, 1024, 2048}) list.push_back(contraction(n, n, n));
  // The LSTM's input, its gradients of weights, and the GPT's feed-forward layer with its gradients.
  list.push_back(contraction(2048, 128, 1024));
  list.push_back(contraction(128, 2048, 1024, Layout::kTN));
  list.push_back(contraction(256, 2048, 1024, Layout::kTN));
  list.push_back(contraction(2048, 1024, 128, Layout::kNT));
  list.push_back(contraction(1024, 384, 1536));
  list.push_back(contraction(1024, 1536, 384, Layout::kNT));
  list.push_back(contraction(384, 1024, 1536, Layout::kTN));
  for (const Named& what : list) {
    if (what.name.find(only) == std::string::npos) continue;
    for (const int threads : {1, 2}) print(measure(what, threads, true), json);
  }
}

// ---- Groups: elementwise, reductions, softmax -----------------------------------------------------------------------

struct Group {
  std::string name;
  pellucid::Shape shape;  // of every operand
  int operands;
  std::function<pellucid::Arrays(const pellucid::Arrays&)> f;
  std::vector<std::int32_t> in_place = {};  // for each result, the operand that it replaces
};

void measure_group(const Group& group, bool json) {
  if (group.name.find(only) == std::string::npos) return;
  namespace graph = pellucid::graph;
  pellucid::Arrays inputs;
  for (int i = 0; i < group.operands; ++i) inputs.push_back(pellucid::ops::placeholder(group.shape, pellucid::float32));
  const pellucid::Arrays results = group.f(inputs);
  graph::Graph g = graph::build(results, inputs);
  graph::optimise(g);
  graph::Plan plan(std::move(g), {.in_place = group.in_place});
  const Size n = pellucid::count_of(group.shape), m = results[0].size();
  std::vector<Buffer<float>> memory;
  std::vector<std::byte*> in;
  std::vector<const float*> x;
  for (int i = 0; i < group.operands; ++i) {
    memory.emplace_back(n + 16, 0.5f);
    x.push_back(memory.back().get());
    in.push_back(reinterpret_cast<std::byte*>(memory.back().get()));
  }
  const Buffer<float> y(std::max(m, n) + 16);
  std::vector<std::byte*> out = {reinterpret_cast<std::byte*>(y.get())};
  if (!group.in_place.empty()) out.clear();
  for (std::int32_t i : group.in_place) out.push_back(in[static_cast<std::size_t>(i)]);
  const double bytes = 4.0 * static_cast<double>(n * group.operands + m * static_cast<Size>(results.size()));
  for (const int threads : {1, 2}) {
    pellucid::set_threads(threads);
    double fastest = 1e9, peak = 0;
    const Size calls = std::max<Size>(1, static_cast<Size>(2e6 / bytes));
    const double end = seconds() + 1.5;
    for (int i = 0; i < 5 || seconds() < end; ++i) {
      peak = std::max(peak, plain_loop(threads, n, x, m > n / 2 ? y.get() : nullptr));
      const double start = seconds();
      for (Size c = 0; c < calls; ++c) plan.run(in.data(), out.data());
      fastest = std::min(fastest, (seconds() - start) / static_cast<double>(calls));
    }
    print({.section = "groups",
           .name = group.name,
           .threads = threads,
           .rate = bytes / fastest * 1e-9,
           .peak = peak,
           .nanoseconds = fastest * 1e9,
           .unit = "GB/s"},
          json);
  }
}

void groups_section(bool json) {
  using pellucid::Array;
  using pellucid::Arrays;
  using pellucid::Axes;
  const pellucid::Shape large = {16 << 20};  // 64 MB
  const auto adam = [](const Arrays& x) {    // of a weight, its moments and its gradient
    const Array m = pellucid::fma(x[1], pellucid::full({}, 0.9), x[3]);
    const Array v = pellucid::fma(x[2], pellucid::full({}, 0.999), pellucid::square(x[3]));
    return Arrays{pellucid::fma(m / (pellucid::sqrt(v) + 1e-8), pellucid::full({}, -1e-3), x[0]), m, v};
  };
  const std::vector<Group> groups = {
      {"64 MB relu(2 x + 1) - x / 4", large, 1,
       [](const Arrays& x) { return Arrays{pellucid::relu(2 * x[0] + 1) - 0.25 * x[0]}; }},
      {"64 MB x y + z, relu", large, 3, [](const Arrays& x) { return Arrays{pellucid::relu(x[0] * x[1] + x[2])}; }},
      {"0.8 MB Adam", {200704}, 4, adam, {0, 1, 2}},
      {"64 MB Adam", {4 << 20}, 4, adam, {0, 1, 2}},
      {"64 MB tanh(x)", large, 1, [](const Arrays& x) { return Arrays{pellucid::tanh(x[0])}; }},
      {"64 MB sum", large, 1, [](const Arrays& x) { return Arrays{pellucid::sum(x[0])}; }},
      {"64 MB mean((x - y)^2)", large, 2,
       [](const Arrays& x) { return Arrays{pellucid::mean(pellucid::square(x[0] - x[1]))}; }},
      {"64 MB sum of columns (16384, 1024)",
       {16384, 1024},
       1,
       [](const Arrays& x) { return Arrays{pellucid::sum(x[0], Axes(0))}; }},
      {"64 MB sum of rows (16384, 1024)",
       {16384, 1024},
       1,
       [](const Arrays& x) { return Arrays{pellucid::sum(x[0], Axes(1))}; }},
      {"64 MB softmax (16384, 1024)",
       {16384, 1024},
       1,
       [](const Arrays& x) { return Arrays{pellucid::softmax(x[0])}; }},
      {"5 kB softmax (128, 10)", {128, 10}, 1, [](const Arrays& x) { return Arrays{pellucid::softmax(x[0])}; }},
      {"128 kB x + row, relu (128, 256)", {128, 256}, 1, [](const Arrays& x) {
         return Arrays{pellucid::relu(x[0] + pellucid::full({256}, 1.0))};
       }}};
  for (const Group& group : groups) measure_group(group, json);
}

// ---- Sections -------------------------------------------------------------------------------------------------------

struct Section {
  const char* name;
  void (*run)(bool json);
};
constexpr Section kSections[] = {
    {"contraction", &contraction_section}, {"bfloat16", &bfloat16_section}, {"groups", &groups_section}};

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  std::vector<std::string_view> wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--json") {
      json = true;
    } else if (std::string_view(argv[i]) == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else {
      wanted.emplace_back(argv[i]);
    }
  }
  for (const std::string_view name : wanted) {
    if (std::none_of(std::begin(kSections), std::end(kSections), [&](const Section& s) { return s.name == name; })) {
      std::fprintf(stderr, "kernels: no section is named '%.*s'\n", static_cast<int>(name.size()), name.data());
      return 2;
    }
  }
  if (!json)
    std::printf("%-34s %s %15s %17s %16s\n", "m x k x n, or the group", "threads", "fastest", "rate", "share of peak");
  for (const Section& section : kSections) {
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), section.name) != wanted.end()) section.run(json);
  }
  return 0;
}
