// An LSTM learns to write like six novels, character by character, in a fixed time: bits per character of text that it
// has not seen, and a page of its own. bench/novels_lstm_torch.py is the same in PyTorch.
//
//     scripts/novels.sh                                    fetches the text
//     novels_lstm [--seconds 300 | --steps N] [--features 128] [--hidden 256] [--layers 1] [--length 128] [--batch 32]
//                 [--rate 0.003] [--dropout 0] [--temperature 0.8] [--write 600] [--seed 0] [--threads N] [FILE]
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numbers>
#include <string>

#include "novels.h"

namespace pl = pellucid;

namespace {

using Settings = std::map<std::string, double>;
using Clock = std::chrono::steady_clock;

struct Characters : pl::nn::Module {
  Characters(std::int64_t symbols, std::int64_t features, std::int64_t hidden, std::int64_t layers, double dropout)
      : embedding(symbols, features),
        recurrent(features, hidden, {.layers = layers, .dropout = dropout}),
        head(hidden, symbols) {}
  pl::Array operator()(const pl::Array& tokens) const { return head(recurrent(embedding(tokens))); }
  PELLUCID_MEMBERS(embedding, recurrent, head)
  pl::nn::Embedding embedding;
  pl::nn::LSTM recurrent;
  pl::nn::Linear head;
};

/// One step of training as a plan: (parameters..., optimiser's state..., key, share of the learning rate) -> (the new
/// ones..., loss).
pl::Compiled training_step(Characters& network, const novels::Text& text, const pl::optim::Optimizer& optimizer,
                           std::int64_t batch, std::int64_t length) {
  const auto loss = pl::nn::functional(network, [&, batch, length](const pl::Arrays& in) {
    const pl::nn::Context training(in[0]);
    const pl::Array window = novels::batch(text.training, in[0], batch, length + 1);
    const pl::Array logits = network(pl::slice(window, 1, 0, length));
    return pl::Arrays{pl::loss::cross_entropy(logits, pl::slice(window, 1, 1, length + 1))};
  });
  const std::size_t count = pl::nn::parameters(network).size();
  return pl::compile(
      [=](const pl::Arrays& in) {
        const auto at = [&](std::size_t i) { return in.begin() + static_cast<std::ptrdiff_t>(i); };
        const pl::Arrays parameters(at(0), at(count)), state(at(count), in.end() - 2);
        pl::Arrays given = parameters;
        given.push_back(in[in.size() - 2]);
        std::vector<int> which(count);
        for (std::size_t i = 0; i < count; ++i) which[i] = static_cast<int>(i);
        const auto result = pl::value_and_grad(loss, {.arguments = which})(given);
        auto next = optimizer.update(parameters, pl::optim::clip_by_global_norm(result.gradients, 1), state);
        pl::Arrays out;
        // The update is proportional to the learning rate, so a share of it is a share of the rate.
        for (std::size_t i = 0; i < count; ++i) {
          out.push_back(parameters[i] + in.back() * (next.parameters[i] - parameters[i]));
        }
        for (const pl::Array& s : next.state) out.push_back(s);
        out.push_back(result.value);
        return out;
      },
      {.name = "novels_lstm"});
}

/// Rises over the first twentieth, then falls along a cosine to a twentieth.
double rate_share(double done) {
  if (done < 0.05) return done / 0.05;
  return 0.05 + 0.95 * (1 + std::cos(std::numbers::pi * (done - 0.05) / 0.95)) / 2;
}

/// `prompt`, and `count` characters after it, drawn from softmax(logits / temperature). One plan reads a character.
std::string write(const Characters& network, const novels::Text& text, const std::string& prompt, std::int64_t count,
                  double temperature, const pl::random::Key& key) {
  const pl::Array tokens = text.encode(prompt);
  const auto read = [&](const pl::Array& given, const pl::nn::RecurrentState& state) {
    return network.recurrent(network.embedding(given), {.initial = state});
  };
  const auto next_of = [&](const pl::nn::RecurrentResult& result, const pl::Array& own_key) {
    const std::int64_t last = result.outputs.size(1) - 1;
    const pl::Array logits = network.head(pl::squeeze(pl::slice(result.outputs, 1, last, last + 1), 1));
    return pl::expand_dims(pl::random::categorical(own_key, logits / temperature), -1);
  };
  auto one = pl::compile([&](const pl::Arrays& in) {
    const pl::nn::RecurrentResult result = read(in[0], {in[1], in[2]});
    return pl::Arrays{next_of(result, pl::random::fold_in(in[3], in[4])), result.last.hidden, result.last.cell};
  });
  const pl::nn::RecurrentResult start = read(tokens, {});
  pl::Arrays now{next_of(start, pl::random::fold_in(key, 0)), start.last.hidden, start.last.cell};
  std::string page = prompt;
  for (std::int64_t i = 1; i <= count; ++i) {
    page += text.decode(now[0]);
    now = one(pl::Arrays{now[0], now[1], now[2], key, pl::Array::from(std::vector<std::int64_t>{i}, {})});
  }
  return page;
}

int run(Settings set, const std::string& path) {
  const auto whole = [&](const char* name) { return static_cast<std::int64_t>(set.at(name)); };
  if (set.contains("--threads")) pl::set_threads(static_cast<int>(whole("--threads")));
  const novels::Text text = novels::load(path);
  const std::int64_t length = whole("--length");
  Characters network(text.size(), whole("--features"), whole("--hidden"), whole("--layers"), set.at("--dropout"));
  pl::nn::initialize(network, pl::random::key(static_cast<std::uint64_t>(whole("--seed"))));
  std::printf("%lld characters to learn from, %lld held out, %lld different; %lld parameters\n",
              static_cast<long long>(text.training.size()), static_cast<long long>(text.held_out.size()),
              static_cast<long long>(text.size()), static_cast<long long>(pl::nn::parameter_count(network)));

  const pl::optim::Optimizer optimizer = pl::optim::Adam{.learning_rate = set.at("--rate")};
  pl::Compiled step = training_step(network, text, optimizer, whole("--batch"), length);
  pl::Arrays state = pl::nn::parameters(network);
  const std::size_t count = state.size();
  for (pl::Array& s : optimizer.init(state)) state.push_back(std::move(s));
  pl::evaluate(state);
  const pl::random::Key key = pl::random::key(static_cast<std::uint64_t>(whole("--seed")) + 1);
  const auto begin = Clock::now();
  const std::int64_t steps = whole("--steps");
  double shown = 0, mean = 0;
  for (std::int64_t i = 0;; ++i) {
    const double time = std::chrono::duration<double>(Clock::now() - begin).count();
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
  const auto start = Clock::now();
  const std::string page = write(network, text, "It is a truth universally acknowledged, that ", whole("--write"),
                                 set.at("--temperature"), pl::random::fold_in(key, -1));
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  std::printf("%s\n\n(%.0f characters a second)\n", page.c_str(), set.at("--write") / took);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings set = {{"--seconds", 300}, {"--steps", 0},    {"--features", 128}, {"--hidden", 256},
                  {"--layers", 1},    {"--length", 128}, {"--batch", 32},     {"--rate", 0.003},
                  {"--dropout", 0},   {"--seed", 0},     {"--write", 600},    {"--temperature", 0.8}};
  std::string path;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      path = word;
    } else if ((set.contains(word) || word == "--threads") && i + 1 < argc) {
      set[word] = std::atof(argv[++i]);
    } else {
      std::fprintf(stderr, "novels_lstm: unknown setting %s; the first lines of novels_lstm.cpp name all\n", argv[i]);
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
