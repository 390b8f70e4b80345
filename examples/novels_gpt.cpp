// A GPT learns to write like six novels, character by character, in a fixed time: bits per character of text that it
// has not seen, and a page of its own.
//
//     scripts/novels.sh                                    fetches the text
//     novels_gpt [--seconds 300 | --steps N] [--features 192] [--heads 6] [--blocks 4] [--length 128] [--batch 16]
//                [--rate 0.002] [--temperature 0.8] [--top-k 20] [--write 600] [--seed 0] [--threads N] [FILE]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "novels.h"
#include "novels_training.h"

namespace pl = pellucid;

namespace {

void run(const novels::Settings& set, const std::string& path) {
  const novels::Text text = novels::load(path);
  const std::int64_t length = set.whole("--length");
  pl::nn::GPT network({.vocabulary = text.size(),
                       .length = length,
                       .features = set.whole("--features"),
                       .heads = set.whole("--heads"),
                       .blocks = set.whole("--blocks")});
  const auto seed = static_cast<std::uint64_t>(set.whole("--seed"));
  pl::nn::initialize(network, pl::random::key(seed));
  novels::learn(network, text, pl::optim::AdamW{.learning_rate = set.at("--rate"), .beta2 = 0.99}, set);

  const pl::random::Key key = pl::random::key(seed + 1);
  const std::string prompt = "It is a truth universally acknowledged, that ";
  std::string page = prompt;
  const auto start = novels::Clock::now();
  std::int64_t written = 0, part = 0;
  // A text that is longer than the network's positions goes on from its last half.
  while (written < set.whole("--write")) {
    const std::string tail = page.size() < static_cast<std::size_t>(length / 2)
                                 ? page
                                 : page.substr(page.size() - static_cast<std::size_t>(length / 2));
    const std::int64_t more = std::min(set.whole("--write") - written, length - static_cast<std::int64_t>(tail.size()));
    const pl::Array tokens = network.generate(text.encode(tail), {.tokens = more,
                                                                  .temperature = set.at("--temperature"),
                                                                  .top_k = set.whole("--top-k"),
                                                                  .key = pl::random::fold_in(key, -1 - part)});
    page += text.decode(tokens).substr(tail.size());
    written += more;
    ++part;
  }
  const double took = std::chrono::duration<double>(novels::Clock::now() - start).count();
  std::printf("%s\n\n(%.0f characters a second)\n", page.c_str(), static_cast<double>(written) / took);
}

}  // namespace

int main(int argc, char** argv) {
  return novels::program("novels_gpt", argc, argv,
                         {{"--seconds", 300},
                          {"--steps", 0},
                          {"--features", 192},
                          {"--heads", 6},
                          {"--blocks", 4},
                          {"--length", 128},
                          {"--batch", 16},
                          {"--rate", 0.002},
                          {"--seed", 0},
                          {"--write", 600},
                          {"--top-k", 20},
                          {"--temperature", 0.8}},
                         &run);
}
