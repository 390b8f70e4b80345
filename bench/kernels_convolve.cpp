// The convolutions of ResNet-18 (32 x 32 form) and MobileNetV2 on 32 pictures: GFLOP/s of forward, backward by the
// picture and backward by the kernel, and the share of the bound that is measured in the same run. The bound is the
// peak of multiply-adds, by the definition's number of them (Winograd's F(2 x 2, 3 x 3) needs 16 for 36, so it may pass
// 100 %); for depthwise kernels it is that of memory where memory is slower. The fastest of many counts, on both sides.
//
//   kernels_convolve [--json] [--only TEXT] [--threads N] [--bfloat16]
//
// TEXT: part of a line's name; N: 1, then 2; --bfloat16: as in bfloat16 precision, beside the same peak of float32.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/convolve.h"
#include "peak.h"

namespace {

using bench::seconds;
using bench::Size;
using pellucid::kernels::Convolve;
using pellucid::kernels::ConvolveKind;
using pellucid::kernels::ConvolveShape;

struct Layer {
  std::string name;
  Size size, channels, outputs, kernel, stride, groups;
};

std::string name_of(const Layer& l) {
  const std::string size = std::to_string(l.size), kernel = std::to_string(l.kernel);
  return l.name + " " + size + "x" + size + " " + std::to_string(l.channels) + "->" + std::to_string(l.outputs) + " " +
         kernel + "x" + kernel + (l.stride == 1 ? "" : "/" + std::to_string(l.stride)) +
         (l.groups == 1 ? "" : " depthwise");
}

ConvolveShape shape_of(const Layer& l) {
  ConvolveShape s;
  s.n = 32;
  s.in = {1, l.size, l.size};
  s.kernel = {1, l.kernel, l.kernel};
  s.stride = {1, l.stride, l.stride};
  s.low = {0, l.kernel / 2, l.kernel / 2};
  const Size out = (l.size + l.kernel / 2 * 2 - l.kernel) / l.stride + 1;
  s.out = {1, out, out};
  s.channels = l.channels;
  s.outputs = l.outputs;
  s.groups = l.groups;
  return s;
}

std::vector<Layer> resnet18() {
  std::vector<Layer> list = {{"resnet18 first", 32, 3, 64, 3, 1, 1}, {"resnet18", 32, 64, 64, 3, 1, 1}};
  Size channels = 64, size = 32;
  for (int stage = 0; stage < 3; ++stage) {
    list.push_back({"resnet18", size, channels, 2 * channels, 3, 2, 1});
    list.push_back({"resnet18", size, channels, 2 * channels, 1, 2, 1});
    channels *= 2;
    size /= 2;
    list.push_back({"resnet18", size, channels, channels, 3, 1, 1});
  }
  return list;
}

/// Expansion 6, the strides of its form for 32 x 32 pictures; each convolution once.
std::vector<Layer> mobilenet_v2() {
  std::vector<Layer> list = {{"mobilenet first", 32, 3, 32, 3, 1, 1}};
  Size channels = 32, size = 32;
  const struct {
    Size expansion, outputs, stride;
  } blocks[] = {{1, 16, 1}, {6, 24, 1}, {6, 24, 1}, {6, 32, 2}, {6, 64, 2}, {6, 96, 1}, {6, 160, 2}, {6, 320, 1}};
  for (const auto& b : blocks) {
    const Size wide = channels * b.expansion;
    if (b.expansion != 1) list.push_back({"mobilenet", size, channels, wide, 1, 1, 1});
    list.push_back({"mobilenet", size, wide, wide, 3, b.stride, wide});
    size /= b.stride;
    list.push_back({"mobilenet", size, wide, b.outputs, 1, 1, 1});
    channels = b.outputs;
  }
  list.push_back({"mobilenet last", size, 320, 1280, 1, 1, 1});
  return list;
}

class Floats {
 public:
  explicit Floats(Size size)
      : data_(static_cast<float*>(std::aligned_alloc(64, (static_cast<std::size_t>(size) * 4 + 191) / 64 * 64)),
              std::free) {
    std::fill(data_.get(), data_.get() + size, 0.25f);
  }
  float* get() const { return data_.get(); }

 private:
  std::unique_ptr<float, void (*)(void*)> data_;
};

/// GB/s of a loop that reads one array and writes another of this many bytes together.
double copy_rate(int threads, Size bytes) {
  const Size n = std::max<Size>(bytes / 8 / 8 * 8, 65536);
  static std::vector<Floats> arrays;
  static Size made = 0;
  if (made < n) {
    arrays.clear();
    arrays.emplace_back(n + 16);
    arrays.emplace_back(n + 16);
    made = n;
  }
  return bench::plain_loop(threads, n, {arrays[0].get()}, arrays[1].get());
}

void measure(const Layer& l, int threads, bool json, bool rounded) {
  ConvolveShape s = shape_of(l);
  s.rounded = rounded;
  const Size x_size = s.n * s.in[1] * s.in[2] * s.channels, y_size = s.n * s.out[1] * s.out[2] * s.outputs;
  const Size w_size = l.kernel * l.kernel * s.channels / s.groups * s.outputs;
  const double operations = 2.0 * static_cast<double>(y_size * l.kernel * l.kernel * (s.channels / s.groups));
  const std::string name = name_of(l);
  const Floats x(x_size), y(y_size), w(w_size);
  constexpr const char* kNames[] = {"forward", "picture", "kernel"};
  for (const ConvolveKind kind : {ConvolveKind::kForward, ConvolveKind::kInput, ConvolveKind::kWeight}) {
    pellucid::set_threads(threads);
    const Convolve convolve(s, kind);
    const Floats result(kind == ConvolveKind::kForward ? y_size : kind == ConvolveKind::kInput ? x_size : w_size);
    const Floats workspace(static_cast<Size>(convolve.workspace() / 4 + 16));
    const float* a = kind == ConvolveKind::kInput ? y.get() : x.get();
    const float* b = kind == ConvolveKind::kWeight ? y.get() : w.get();
    double fastest = 1e9, peak = 0, copy = 0;
    const double end = seconds() + 0.4;
    for (int i = 0; i < 4 || seconds() < end; ++i) {
      peak = std::max(peak, bench::multiply_add_peak(threads));
      if (l.groups != 1) copy = std::max(copy, copy_rate(threads, 4 * (x_size + y_size)));
      const double start = seconds();
      convolve.run(result.get(), a, b, nullptr, workspace.get());
      fastest = std::min(fastest, seconds() - start);
    }
    double bound = operations / peak * 1e-9;
    if (l.groups != 1) bound = std::max(bound, 4e-9 * static_cast<double>(x_size + y_size) / copy);
    if (json) {
      std::printf(
          "{\"section\":\"convolve\",\"name\":\"%s\",\"product\":\"%s\",\"threads\":%d,\"us\":%.1f,\"rate\":%.2f,"
          "\"peak\":%.2f,\"share\":%.4f}\n",
          name.c_str(), kNames[static_cast<int>(kind)], threads, fastest * 1e6, operations / fastest * 1e-9, peak,
          bound / fastest);
    } else {
      std::printf("%-44s %-8s %d %10.1f us %8.1f GFLOP/s %6.1f %% of its bound\n", name.c_str(),
                  kNames[static_cast<int>(kind)], threads, fastest * 1e6, operations / fastest * 1e-9,
                  100 * bound / fastest);
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false, rounded = false;
  std::string_view only;
  std::vector<int> threads = {1, 2};
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--json") {
      json = true;
    } else if (word == "--bfloat16") {
      rounded = true;
    } else if (word == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else if (word == "--threads" && i + 1 < argc) {
      threads = {std::atoi(argv[++i])};
    } else {
      std::fprintf(stderr,
                   "kernels_convolve: unknown argument '%s'; it takes --json, --only TEXT, --threads N, --bfloat16\n",
                   argv[i]);
      return 2;
    }
  }
  std::vector<Layer> list = resnet18();
  for (Layer& l : mobilenet_v2()) list.push_back(std::move(l));
  for (const int n : threads) {
    for (const Layer& l : list) {
      if (name_of(l).find(only) == std::string::npos) continue;
      measure(l, n, json, rounded);
    }
  }
  return 0;
}
