// Convolution: its kernels against the definition in double precision, Winograd's error against the direct one's, the
// same bits for any number of threads; what the public functions say to operands that do not fit.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "array/node.h"
#include "kernels/cpu/convolve.h"
#include "pellucid/ops.h"
#include "pellucid/ops_window.h"
#include "pellucid/random.h"
#include "pellucid/threads.h"
#include "pellucid/transform.h"
#include "support/convolutions.h"
#include "support/message.h"

namespace pellucid {
namespace {

using kernels::ConvolveSizes;

const std::vector<Setting>& settings() {
  static const std::vector<Setting> list = {
      {"first layer", 3, {1, 12, 13}, {1, 3, 3}, 3, 32, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"one channel", 2, {1, 11, 9}, {1, 5, 5}, 1, 6, 1, {1, 1, 1}, {0, 2, 2}, {0, 2, 2}},
      {"few channels, nothing around", 2, {1, 12, 12}, {1, 5, 5}, 6, 16},
      {"wide kernel, stride", 2, {1, 19, 21}, {1, 7, 7}, 3, 24, 1, {1, 2, 2}, {0, 3, 3}, {0, 3, 3}},
      {"stride", 3, {1, 9, 8}, {1, 3, 3}, 20, 37, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}},
      {"one tap, stride", 3, {1, 9, 8}, {1, 1, 1}, 20, 37, 1, {1, 2, 3}},
      {"one tap, stride, parts of pictures", 5, {1, 32, 32}, {1, 1, 1}, 128, 40, 1, {1, 2, 2}},
      {"one tap, zeros beside each result", 3, {1, 8, 9}, {1, 1, 1}, 96, 37, 1, {1, 2, 3}},
      {"one tap, a volume with zeros beside each result", 2, {2, 4, 6}, {1, 1, 1}, 32, 200, 1, {2, 2, 2}},
      {"lines of taps, zeros between", 2, {1, 6, 8}, {1, 1, 3}, 128, 400, 1, {1, 2, 1}, {0, 0, 1}, {0, 0, 1}},
      {"groups, zeros between", 2, {1, 6, 8}, {1, 1, 3}, 96, 18, 3, {1, 2, 1}, {0, 0, 1}, {0, 0, 1}},
      {"one tap", 3, {1, 5, 7}, {1, 1, 1}, 33, 20},
      {"one tap, padding", 2, {1, 4, 3}, {1, 1, 1}, 5, 6, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 0}},
      {"dilation", 2, {1, 14, 13}, {1, 3, 2}, 9, 12, 1, {1, 1, 2}, {0, 2, 0}, {0, 1, 3}, {1, 2, 3}},
      {"groups", 2, {1, 7, 6}, {1, 3, 3}, 12, 18, 3, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"depthwise", 3, {1, 10, 9}, {1, 3, 3}, 37, 37, 37, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"depthwise, stride two", 3, {1, 10, 9}, {1, 3, 3}, 21, 21, 21, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}},
      {"depthwise, stride two, one side", 2, {1, 8, 7}, {1, 3, 3}, 40, 40, 40, {1, 2, 2}, {0, 0, 0}, {0, 1, 1}},
      {"depthwise, stride two, much around", 2, {1, 3, 4}, {1, 3, 3}, 16, 16, 16, {1, 2, 2}, {0, 3, 2}, {0, 2, 3}},
      {"depthwise, many channels", 2, {1, 4, 5}, {1, 3, 3}, 410, 410, 410, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"depthwise, uneven padding", 2, {1, 5, 1}, {1, 3, 3}, 16, 16, 16, {1, 1, 1}, {0, 3, 2}, {0, 0, 1}},
      {"a batch of wide depthwise", 2, {1, 6, 5}, {1, 3, 3}, 18, 18, 18, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}, {1, 1, 1}, 3},
      {"depthwise, stride", 2, {1, 10, 9}, {1, 5, 3}, 32, 32, 32, {1, 2, 2}, {0, 2, 1}, {0, 2, 1}},
      {"depthwise, nothing around", 2, {1, 6, 6}, {1, 3, 3}, 48, 48, 48},
      {"depthwise, two outputs", 2, {1, 6, 5}, {1, 3, 3}, 6, 12, 6, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"signal", 2, {1, 1, 700}, {1, 1, 9}, 5, 12, 1, {1, 1, 1}, {0, 0, 4}, {0, 0, 4}},
      {"far taps", 1, {1, 1, 300}, {1, 1, 2}, 16, 16, 1, {1, 1, 1}, {0, 0, 128}, {0, 0, 0}, {1, 1, 128}},
      {"volume", 2, {5, 6, 7}, {3, 2, 3}, 7, 10, 1, {1, 2, 1}, {1, 0, 1}, {1, 1, 1}},
      {"many channels", 9, {1, 4, 4}, {1, 3, 3}, 300, 70, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}},
      {"more channels than a chunk", 2, {1, 3, 3}, {1, 2, 2}, 1100, 20},
      {"kernel as large as the picture", 4, {1, 5, 5}, {1, 5, 5}, 16, 30},
      {"winograd", 2, {1, 9, 7}, {1, 3, 3}, 64, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"winograd, nothing around", 1, {1, 16, 17}, {1, 3, 3}, 64, 80},
      {"winograd, much around", 1, {1, 5, 6}, {1, 3, 3}, 80, 64, 1, {1, 1, 1}, {0, 2, 3}, {0, 2, 3}},
      {"winograd, small pictures", 9, {1, 4, 4}, {1, 3, 3}, 272, 144, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"a batch of convolutions", 2, {1, 6, 5}, {1, 3, 3}, 8, 12, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, {1, 1, 1}, 3},
      {"a batch of winograd", 1, {1, 6, 5}, {1, 3, 3}, 64, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, {1, 1, 1}, 2},
      {"a batch of depthwise", 2, {1, 6, 5}, {1, 3, 3}, 9, 9, 9, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, {1, 1, 1}, 2},
  };
  return list;
}

template <class T>
void expect_definition(DType dtype, double unit, double rounding) {
  for (const Setting& s : settings()) {
    ConvolveShape shape = shape_of(s);
    shape.dtype = dtype;
    for (const ConvolveKind kind : kKinds) {
      const Counts counts = counts_of(shape, kind);
      const std::vector<T> a = draw<T>(counts.a, 1), b = draw<T>(counts.b, 2);
      const std::vector<T> got = run(shape, kind, a, b);
      const Exact e = exact(shape, kind, widened(a), widened(b));
      for (std::size_t i = 0; i < got.size(); ++i) {
        // Sums of 16 planes have larger terms than the definition's: four times the bound.
        const double bound =
            (static_cast<double>(e.terms[i]) + 2) * unit * e.magnitude[i] + rounding * std::fabs(e.value[i]);
        const bool near = std::fabs(wide(got[i]) - e.value[i]) <= (kernels::suits_winograd(shape) ? 4 : 1) * bound;
        ASSERT_TRUE(near || (e.terms[i] == 0 && wide(got[i]) == 0))
            << s.name << " kind " << static_cast<int>(kind) << " element " << i << ": " << wide(got[i]) << " where "
            << e.value[i] << " is right";
      }
    }
  }
}

TEST(ConvolveKernels, AreWithinTheBoundOfTheDefinitionInFloat32) {
  expect_definition<float>(DType::kFloat32, 0x1p-24, 0);
}
TEST(ConvolveKernels, AreWithinTheBoundOfTheDefinitionInFloat64) {
  expect_definition<double>(DType::kFloat64, 0x1p-52, 0);
}
TEST(ConvolveKernels, AreWithinTheBoundOfTheDefinitionInBFloat16) {
  expect_definition<BFloat16>(DType::kBFloat16, 0x1p-24, 0x1.01p-8);
}

TEST(ConvolveKernels, GiveTheSameBitsOnAnyNumberOfThreads) {
  const int before = threads();
  std::vector<Setting> list = settings();
  list.push_back({"large", 8, {1, 32, 32}, {1, 3, 3}, 24, 40, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}});
  list.push_back({"large winograd", 8, {1, 32, 32}, {1, 3, 3}, 64, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}});
  list.push_back({"large depthwise", 8, {1, 32, 32}, {1, 3, 3}, 40, 40, 40, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}});
  list.push_back({"larger depthwise", 8, {1, 32, 31}, {1, 3, 3}, 200, 200, 200, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}});
  for (const Setting& s : list) {
    const ConvolveShape shape = shape_of(s);
    for (const ConvolveKind kind : kKinds) {
      const Counts counts = counts_of(shape, kind);
      const std::vector<float> a = draw<float>(counts.a, 3), b = draw<float>(counts.b, 4);
      std::vector<float> first;
      for (const int n : {1, 2, 3, 7}) {
        set_threads(n);
        const std::vector<float> got = run(shape, kind, a, b);
        if (first.empty()) first = got;
        EXPECT_EQ(std::memcmp(got.data(), first.data(), got.size() * sizeof(float)), 0)
            << s.name << " kind " << static_cast<int>(kind) << " on " << n << " threads";
      }
    }
  }
  set_threads(before);
}

// The order that docs/kernels.md promises for tiles over grids: taps, then channels, ascending in the source; chunks of
// whole taps added in order.
TEST(ConvolveKernels, SumInThePromisedOrder) {
  for (const Setting& s : settings()) {
    const ConvolveShape shape = shape_of(s);
    if (shape.groups != 1 || shape.batch != 1) continue;
    const ConvolveSizes of(shape);
    const Counts counts = counts_of(shape, ConvolveKind::kForward);
    const std::vector<float> x = draw<float>(counts.a, 5), w = draw<float>(counts.b, 6);
    std::vector<float> got(static_cast<std::size_t>(counts.result));
    const auto way = kernels::grid_convolution(shape, ConvolveKind::kForward);
    std::vector<std::byte> memory(way->workspace + 64);
    way->run(got.data(), x.data(), w.data(), nullptr,
             memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64));
    const Size most = std::max<Size>(1, kernels::kTapChunk / shape.channels);
    const Size chunks = (of.taps + most - 1) / most, each = (of.taps + chunks - 1) / chunks;
    for (Size i = 0; i < shape.n * of.out_pixels; ++i) {
      for (Size o = 0; o < shape.outputs; ++o) {
        float total = 0;
        for (Size first = 0; first < of.taps; first += each) {
          float sum = 0;
          for (Size t = first; t < std::min(of.taps, first + each); ++t) {
            const Size from =
                of.input_pixel(kernels::position(shape.out, i % of.out_pixels), kernels::position(shape.kernel, t));
            for (Size c = 0; from >= 0 && c < shape.channels; ++c) {
              sum =
                  std::fma(x[static_cast<std::size_t>((i / of.out_pixels * of.in_pixels + from) * shape.channels + c)],
                           w[static_cast<std::size_t>((t * shape.channels + c) * shape.outputs + o)], sum);
            }
          }
          total = first == 0 ? sum : total + sum;
        }
        ASSERT_EQ(got[static_cast<std::size_t>(i * shape.outputs + o)], total) << s.name << " " << i << " " << o;
      }
    }
  }
}

TEST(ConvolveKernels, AddBiasAndApplyRelu) {
  for (const Setting& s : settings()) {
    if (s.batch != 1) continue;
    expect_bias_and_relu(shape_of(s), 7, s.name);
  }
}

// Where Winograd's way is taken: its largest and its typical error within four times the direct one's.
TEST(ConvolveKernels, WinogradIsAsExactAsTheDirectSumWithinFour) {
  const Setting list[] = {{"64", 2, {1, 12, 12}, {1, 3, 3}, 64, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
                          {"128", 2, {1, 8, 8}, {1, 3, 3}, 128, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
                          {"512", 2, {1, 4, 4}, {1, 3, 3}, 512, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
                          {"64 to 512", 4, {1, 4, 4}, {1, 3, 3}, 64, 512, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}}};
  for (const Setting& s : list) {
    const ConvolveShape shape = shape_of(s);
    ASSERT_TRUE(kernels::suits_winograd(shape));
    for (const ConvolveKind kind : kKinds) {
      const Counts counts = counts_of(shape, kind);
      const std::vector<float> a = draw<float>(counts.a, 10), b = draw<float>(counts.b, 11);
      const Exact e = exact(shape, kind, widened(a), widened(b));
      const auto [most, typical] = errors_of(run(shape, kind, a, b), e);
      const auto [direct_most, direct_typical] = errors_of(direct_sum(shape, kind, a, b), e);
      EXPECT_LE(most, 4 * direct_most) << s.name << " kind " << static_cast<int>(kind);
      EXPECT_LE(typical, 4 * direct_typical) << s.name << " kind " << static_cast<int>(kind);
      std::printf("winograd %-10s kind %d: error %.2f (largest), %.2f (root mean square) times the direct one\n",
                  s.name.c_str(), static_cast<int>(kind), most / direct_most, typical / direct_typical);
    }
  }
}

// ---- Public functions -----------------------------------------------------------------------------------------------

TEST(Convolve, HasShapesOfItsPadding) {
  const Array x = zeros({2, 7, 6, 3}), w = zeros({3, 2, 3, 5});
  EXPECT_EQ(convolve(x, w).shape(), (Shape{2, 5, 5, 5}));
  EXPECT_EQ(convolve(x, w, {.padding = Padding::same()}).shape(), (Shape{2, 7, 6, 5}));
  EXPECT_EQ(convolve(x, w, {.stride = 2, .padding = Padding::same()}).shape(), (Shape{2, 4, 3, 5}));
  EXPECT_EQ(convolve(x, w, {.stride = {3, 1}, .padding = {1, 0}, .dilation = {1, 2}}).shape(), (Shape{2, 3, 4, 5}));
  EXPECT_EQ(convolve(x, w, {.padding = Padding({1, 0}, {2, 1})}).shape(), (Shape{2, 8, 6, 5}));
  EXPECT_EQ(convolve(zeros({4, 9, 2}), zeros({3, 2, 5})).shape(), (Shape{4, 7, 5}));
  EXPECT_EQ(convolve(zeros({4, 9, 8, 7, 2}), zeros({3, 1, 2, 2, 5})).shape(), (Shape{4, 7, 8, 6, 5}));
  EXPECT_EQ(convolve_transpose(zeros({2, 4, 3, 5}), w, {.stride = 2, .output_padding = 1}).shape(),
            (Shape{2, 10, 7, 3}));
}

TEST(Convolve, GivesNothingForNoPicturesAndZerosForNoChannels) {
  EXPECT_EQ(convolve(zeros({0, 5, 5, 3}), zeros({3, 3, 3, 4})).evaluate().shape(), (Shape{0, 3, 3, 4}));
  const Array none = convolve(zeros({2, 5, 5, 0}), zeros({3, 3, 0, 4})).evaluate();
  EXPECT_EQ(none.shape(), (Shape{2, 3, 3, 4}));
  EXPECT_EQ(max(abs(none)).item<double>(), 0);
  const auto by_kernel = [](const Array& w) { return sum(convolve(zeros({0, 5, 5, 3}), w)); };
  EXPECT_EQ(max(abs(grad(by_kernel)(ones({3, 3, 3, 4})))).item<double>(), 0);
}

TEST(Convolve, ConvertsTypes) {
  const Array x = ones({1, 4, 1}, int32), w = ones({2, 1, 1}, float64);
  EXPECT_EQ(convolve(x, w).dtype(), float64);
  EXPECT_EQ(convolve(ones({1, 4, 1}, uint8), ones({2, 1, 1}, int32)).dtype(), float32);
  EXPECT_EQ(convolve(ones({1, 4, 1}, bfloat16), ones({2, 1, 1}, bfloat16)).dtype(), bfloat16);
}

TEST(Convolve, PerExampleGradientsAreThoseOfEachExample) {
  const Array x = random::normal(random::key(1), {5, 6, 7, 3}, 0, 1, float64);
  const Array w = random::normal(random::key(2), {3, 3, 3, 4}, 0, 1, float64);
  const auto of_one = [&](const Array& one) {
    return grad([&](const Array& k) { return sum(sin(convolve(expand_dims(one, 0), k, {.padding = 1}))); })(w);
  };
  const Array all = vmap([&](const Arrays& a) { return Arrays{of_one(a[0])}; })({x})[0];
  ASSERT_EQ(all.shape(), (Shape{5, 3, 3, 3, 4}));
  for (std::int64_t i = 0; i < 5; ++i) {
    EXPECT_LE(max(abs(index(all, {i}) - of_one(index(x, {i})))).item<double>(), 1e-13);
  }
}

TEST(Convolve, TakesBiasAndReluWithIt) {
  const Array x = random::normal(random::key(1), {2, 6, 7, 8}), w = random::normal(random::key(2), {3, 3, 8, 16});
  const Array b = random::normal(random::key(3), {16});
  auto f = compile([](const Arrays& a) { return Arrays{relu(convolve(a[0], a[1], {.padding = 1}) + a[2])}; });
  const Array y = f({x, w, b})[0];
  // 2 x 6 x 7 x 16 results of 3 x 3 x 8 multiply-adds each.
  EXPECT_PRED2(contains, f.explain_plan(), "193536 op  convolve [2, 6, 7, 16] + bias, relu");
  EXPECT_EQ(max(abs(y - relu(convolve(x, w, {.padding = 1}).evaluate() + b))).item<double>(), 0);
}

TEST(Convolve, SaysWhatDoesNotFit) {
  const auto says = [](const auto& f, const std::string& text) { EXPECT_PRED2(contains, message_of(f), text); };
  const Array x = zeros({2, 5, 6, 4}), w = zeros({3, 3, 4, 8});
  says(
      [&] {
        convolve(x, zeros({7, 3, 4, 8}), {.padding = {0, 1}});
      },
      "convolve: the kernel [7, 3] with dilation 1 spans 7 along spatial axis 0, more than the padded picture's 5");
  says([&] { convolve(x, w, {.dilation = 3}); }, "with dilation 3 spans 7 along spatial axis 0");
  says([&] { convolve(x, w, {.groups = 3}); }, "3 groups must divide the 4 channels and the 8 outputs");
  says([&] { convolve(x, w, {.groups = 0}); }, "convolve: groups 0 must be at least 1");
  says([&] { convolve(x, w, {.groups = 2}); }, "has 4 channels and w [3, 3, 4, 8] takes 8 (4 in each of 2 groups)");
  says([&] { convolve(x, zeros({3, 3, 5, 8})); }, "x [2, 5, 6, 4] has 4 channels and w [3, 3, 5, 8] takes 5");
  says([&] { convolve(x, w, {.stride = 0}); }, "convolve: stride 0 must be at least 1");
  says([&] { convolve(x, w, {.dilation = {1, 0}}); }, "convolve: dilation 0 must be at least 1");
  says([&] { convolve(x, w, {.padding = -1}); }, "convolve: padding -1 must be at least 0");
  says([&] { convolve(x, w, {.padding = Padding(0, -2)}); }, "convolve: padding -2 must be at least 0");
  says(
      [&] {
        convolve(x, w, {.stride = {1, 1, 1}});
      },
      "convolve: stride names 3 axes, and there are 2 spatial axes; give one number or one for each");
  says([&] { convolve(x, w, {.padding = std::int64_t{1} << 50}); }, "is too large");
  says([&] { convolve(zeros({5, 4}), zeros({3, 4})); }, "x must be (n, spatial..., channels) with one to three");
  says([&] { convolve(x, zeros({3, 4, 8})); }, "x [2, 5, 6, 4] and w [3, 4, 8]: x must be");
  says([&] { convolve(x, zeros({0, 3, 4, 8})); }, "the kernel has no element along spatial axis 0");
  says([&] { convolve_transpose(x, w); }, "x [2, 5, 6, 4] has 4 channels and w [3, 3, 4, 8] takes 8, its last axis");
  says([&] { convolve_transpose(zeros({2, 5, 6, 8}), w, {.groups = 3}); }, "3 groups must divide the 8 channels");
  says([&] { convolve_transpose(zeros({2, 5, 6, 8}), w, {.groups = 0}); }, "groups 0 must be at least 1");
  says(
      [&] {
        convolve_transpose(zeros({2, 5, 6, 8}), w, {.output_padding = 1});
      },
      "output_padding 1 must be less than the stride 1 or the dilation 1");
  says([&] { convolve_transpose(zeros({2, 1, 6, 8}), w, {.padding = 2}); }, "gives a size of -1 along spatial axis 0");
  says([&] { pad_spatial(x, 5, 0, PadMode::kReflect); },
       "pad_spatial: 5 elements beyond spatial axis 0 of x [2, 5, 6, 4]: there are only 4 to take them from");
  says([&] { pad_spatial(x, 0, {0, 7}, PadMode::kCircular); }, "7 elements beyond spatial axis 1");
  says([&] { pad_spatial(zeros({2, 0, 4}), 1, 0, PadMode::kReplicate); }, "there are only 0 to take them from");
  says([&] { pad_spatial(x, -1, 0, PadMode::kZeros); }, "padding -1 must be at least 0");
  says([&] { pad_spatial(zeros({2, 4}), 1, 0, PadMode::kZeros); }, "must be (n, spatial..., channels)");
  says([&] { pad_spatial(Array(), 1, 0, PadMode::kZeros); }, "undefined Array");
}

}  // namespace
}  // namespace pellucid
