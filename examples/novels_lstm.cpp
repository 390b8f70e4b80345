// An LSTM learns to write like six novels, character by character, in a fixed time: bits per character of text that it
// has not seen, and a page of its own. bench/novels_lstm_torch.py is the same in PyTorch.
//
//     scripts/novels.sh                                    fetches the text
//     novels_lstm [--seconds 300 | --steps N] [--features 128] [--hidden 256] [--layers 1] [--length 128] [--batch 32]
//                 [--rate 0.003] [--dropout 0] [--temperature 0.8] [--write 600] [--seed 0] [--threads N] [FILE]
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "novels.h"
#include "novels_training.h"

namespace pl = pellucid;

namespace {

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

void run(const novels::Settings& set, const std::string& path) {
  const novels::Text text = novels::load(path);
  Characters network(text.size(), set.whole("--features"), set.whole("--hidden"), set.whole("--layers"),
                     set.at("--dropout"));
  const auto seed = static_cast<std::uint64_t>(set.whole("--seed"));
  pl::nn::initialize(network, pl::random::key(seed));
  novels::learn(network, text, pl::optim::Adam{.learning_rate = set.at("--rate")}, set);

  const pl::random::Key key = pl::random::key(seed + 1);
  const auto start = novels::Clock::now();
  const std::string page = write(network, text, "It is a truth universally acknowledged, that ", set.whole("--write"),
                                 set.at("--temperature"), pl::random::fold_in(key, -1));
  const double took = std::chrono::duration<double>(novels::Clock::now() - start).count();
  std::printf("%s\n\n(%.0f characters a second)\n", page.c_str(), set.at("--write") / took);
}

}  // namespace

int main(int argc, char** argv) {
  return novels::program("novels_lstm", argc, argv,
                         {{"--seconds", 300},
                          {"--steps", 0},
                          {"--features", 128},
                          {"--hidden", 256},
                          {"--layers", 1},
                          {"--length", 128},
                          {"--batch", 32},
                          {"--rate", 0.003},
                          {"--dropout", 0},
                          {"--seed", 0},
                          {"--write", 600},
                          {"--temperature", 0.8}},
                         &run);
}
