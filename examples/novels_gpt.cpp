// A GPT learns to write like six novels, character by character, in a fixed time: bits per character of text that it
// has not seen, and a page of its own.
//
//     scripts/novels.sh                                    fetches the text
//     novels_gpt [--seconds 300 | --steps N] [--features 192] [--heads 6] [--blocks 4] [--length 128] [--batch 16]
//                [--rate 0.002] [--temperature 0.8] [--top-k 20] [--write 600] [--seed 0] [--threads N] [FILE]
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <numbers>
#include <string>

#include "novels.h"

namespace pl = pellucid;

namespace {

using Settings = std::map<std::string, double>;
using Clock = std::chrono::steady_clock;

/// One step of training as a plan: (parameters..., optimiser's state..., key, share of the learning rate) -> (the new
/// ones..., loss).
pl::Compiled training_step(pl::nn::GPT& network, const novels::Text& text, const pl::optim::Optimizer& optimizer,
                           std::int64_t batch, std::int64_t length) {
  const auto loss = pl::nn::functional(network, [&, batch, length](const pl::Arrays& in) {
    const pl::nn::Context training(in[0]);
    const pl::Array window = novels::batch(text.training, in[0], batch, length + 1);
    const pl::Array logits = network(pl::slice(window, 1, 0, length));
    const pl::Array next = pl::slice(window, 1, 1, length + 1);
    return pl::Arrays{pl::loss::cross_entropy(pl::reshape(logits, {batch * length, text.size()}),
                                              pl::reshape(next, {batch * length}))};
  });
  const std::size_t count = pl::nn::parameters(network).size();
  return pl::compile(
      [=](const pl::Arrays& in) {
        pl::Arrays given(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
        const pl::Arrays state(in.begin() + static_cast<std::ptrdiff_t>(count), in.end() - 2);
        given.push_back(in[in.size() - 2]);
        std::vector<int> which(count);
        for (std::size_t i = 0; i < count; ++i) which[i] = static_cast<int>(i);
        const auto result = pl::value_and_grad(loss, {.arguments = which})(given);
        given.pop_back();
        auto next = optimizer.update(given, pl::optim::clip_by_global_norm(result.gradients, 1), state);
        pl::Arrays out;
        // The update is proportional to the learning rate, so a share of it is a share of the rate.
        for (std::size_t i = 0; i < count; ++i) {
          out.push_back(given[i] + in.back() * (next.parameters[i] - given[i]));
        }
        for (const pl::Array& s : next.state) out.push_back(s);
        out.push_back(result.value);
        return out;
      },
      {.name = "novels_gpt"});
}

/// Rises over the first twentieth, then falls along a cosine to a twentieth.
double rate_share(double done) {
  if (done < 0.05) return done / 0.05;
  return 0.05 + 0.95 * (1 + std::cos(std::numbers::pi * (done - 0.05) / 0.95)) / 2;
}

int run(Settings set, const std::string& path) {
  const auto whole = [&](const char* name) { return static_cast<std::int64_t>(set.at(name)); };
  if (set.contains("--threads")) pl::set_threads(static_cast<int>(whole("--threads")));
  const novels::Text text = novels::load(path);
  const std::int64_t length = whole("--length"), batch = whole("--batch");
  pl::nn::GPT network({.vocabulary = text.size(),
                       .length = length,
                       .features = whole("--features"),
                       .heads = whole("--heads"),
                       .blocks = whole("--blocks")});
  pl::nn::initialize(network, pl::random::key(static_cast<std::uint64_t>(whole("--seed"))));
  std::printf("%lld characters to learn from, %lld held out, %lld different; %lld parameters\n",
              static_cast<long long>(text.training.size()), static_cast<long long>(text.held_out.size()),
              static_cast<long long>(text.size()), static_cast<long long>(pl::nn::parameter_count(network)));

  const pl::optim::Optimizer optimizer = pl::optim::AdamW{.learning_rate = set.at("--rate"), .beta2 = 0.99};
  pl::Compiled step = training_step(network, text, optimizer, batch, length);
  pl::Arrays state = pl::nn::parameters(network);
  const std::size_t count = state.size();
  for (pl::Array& s : optimizer.init(state)) state.push_back(std::move(s));
  pl::evaluate(state);

  const pl::random::Key key = pl::random::key(static_cast<std::uint64_t>(whole("--seed")) + 1);
  const auto begin = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  const std::int64_t steps = whole("--steps");
  double shown = 0, mean = 0;
  for (std::int64_t i = 0;; ++i) {
    const double time = seconds();
    const double done = steps > 0 ? static_cast<double>(i) / static_cast<double>(steps) : time / set.at("--seconds");
    if (done >= 1) {
      std::printf("%lld steps in %.1f s\n", static_cast<long long>(i), time);
      break;
    }
    const pl::Array share = pl::Array::from(std::vector<float>{static_cast<float>(rate_share(done))}, {});
    const double loss = step.step(state, {pl::random::fold_in(key, i).evaluate(), share})[0].item<double>();
    mean = i == 0 ? loss : mean + 0.02 * (loss - mean);
    if (time - shown < 10 && i > 0) continue;
    shown = time;
    std::printf("step %5lld  %6.1f s  %.3f bits per character\n", static_cast<long long>(i), time,
                mean / std::numbers::ln2);
    std::fflush(stdout);
  }
  pl::nn::set_parameters(network, pl::Arrays(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(count)));
  std::printf("held out: %.3f bits per character\n\n",
              novels::bits_per_character(
                  text, [&](const pl::Array& x) { return network(x); }, length));

  const std::string prompt = "It is a truth universally acknowledged, that ";
  std::string page = prompt;
  const auto start = Clock::now();
  std::int64_t written = 0, part = 0;
  // A text that is longer than the network's positions goes on from its last half.
  while (written < whole("--write")) {
    const std::string tail = page.size() < static_cast<std::size_t>(length / 2)
                                 ? page
                                 : page.substr(page.size() - static_cast<std::size_t>(length / 2));
    const std::int64_t more = std::min(whole("--write") - written, length - static_cast<std::int64_t>(tail.size()));
    const pl::Array tokens = network.generate(text.encode(tail), {.tokens = more,
                                                                  .temperature = set.at("--temperature"),
                                                                  .top_k = whole("--top-k"),
                                                                  .key = pl::random::fold_in(key, -1 - part)});
    page += text.decode(tokens).substr(tail.size());
    written += more;
    ++part;
  }
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  std::printf("%s\n\n(%.0f characters a second)\n", page.c_str(), static_cast<double>(written) / took);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings set = {{"--seconds", 300}, {"--steps", 0},    {"--features", 192}, {"--heads", 6},
                  {"--blocks", 4},    {"--length", 128}, {"--batch", 16},     {"--rate", 0.002},
                  {"--seed", 0},      {"--write", 600},  {"--top-k", 20},     {"--temperature", 0.8}};
  std::string path;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      path = word;
    } else if ((set.contains(word) || word == "--threads") && i + 1 < argc) {
      set[word] = std::atof(argv[++i]);
    } else {
      std::fprintf(stderr, "novels_gpt: unknown setting %s; the first lines of novels_gpt.cpp name all\n", argv[i]);
      return 2;
    }
  }
  try {
    return run(set, path);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
