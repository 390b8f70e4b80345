// Finding the chains of a group's program, and running one over a tile.
#include <algorithm>
#include <array>
#include <cstring>

#include "graph/group.h"

namespace pellucid::graph {

namespace {

using kernels::EdgeLink;
using kernels::LinkOperand;
using Kind = GroupCode::Kind;
using Op = GroupCode::Op;

/// How an instruction becomes a link.
struct Shape {
  kernels::LinkCode code = nullptr;
  int running = -1;  // which operand, 0 to 2, is the running value
};

/// Shorter runs of instructions are faster by their kernels, which do not jump (x + row, relu: by a quarter).
constexpr std::size_t kLeastChain = 3;

/// Elements of a value that is too large for the last-level cache.
constexpr std::int64_t kStreamed = 8 << 20;

std::array<int, 3> operands(const Op& op) { return {op.a, op.b, op.c}; }

class ChainFinder {
 public:
  ChainFinder(const GroupCode& code, const std::vector<char>& in_prologue, const std::vector<char>& is_number,
              std::size_t least)
      : code_(code), in_prologue_(in_prologue), is_number_(is_number), least_(least), readers_(code.slots.size(), 0) {
    for (const Op& op : code.ops) {
      for (int slot : operands(op)) {
        if (slot >= 0) ++readers_[static_cast<std::size_t>(slot)];
      }
    }
  }

  std::vector<Chain> find() {
    for (std::size_t i = 0; i < code_.ops.size(); ++i) {
      if (in_prologue_[i] != 0) continue;
      const int running = run_.empty() ? -1 : code_.ops[run_.back()].y;
      Shape shape = shape_of(code_.ops[i], running);
      if (shape.code == nullptr) {
        finish();
        continue;
      }
      if (3 * (run_.size() + 1) + 1 > kMostLinks) {
        finish();
        shape = shape_of(code_.ops[i], -1);
        if (shape.code == nullptr) continue;
      }
      run_.push_back(i);
      shapes_.push_back(shape);
    }
    finish();
    return std::move(chains_);
  }

 private:
  const GroupCode::Slot& slot(int s) const { return code_.slots[static_cast<std::size_t>(s)]; }

  Shape shape_with(const Op& op, int running) const {
    std::array<LinkOperand, 3> how = {LinkOperand::kNone, LinkOperand::kNone, LinkOperand::kNone};
    const auto slots = operands(op);
    for (int k = 0; k < 3; ++k) {
      const int s = slots[static_cast<std::size_t>(k)];
      if (s < 0) continue;
      how[static_cast<std::size_t>(k)] = k == running                                   ? LinkOperand::kRunning
                                         : is_number_[static_cast<std::size_t>(s)] != 0 ? LinkOperand::kNumber
                                                                                        : LinkOperand::kMemory;
    }
    const Shape shape{kernels::find_link(op.map, how[0], how[1], how[2]), running};
    return shape;
  }

  /// The link of an instruction after one whose result lies in slot `held` (-1: none): it takes that as its running
  /// value if it can, else another operand, which is loaded.
  Shape shape_of(const Op& op, int held) const {
    if (op.kind != Kind::kMap || op.level != Level::kFull || !kernels::has_links(op.map)) return {};
    const auto slots = operands(op);
    for (int k = 0; k < 3 && held >= 0; ++k) {
      if (slots[static_cast<std::size_t>(k)] != held) continue;
      if (const Shape shape = shape_with(op, k); shape.code != nullptr) return shape;
    }
    for (int k = 0; k < 3; ++k) {
      const int s = slots[static_cast<std::size_t>(k)];
      if (s < 0 || slot(s).size != sizeof(float) || is_number_[static_cast<std::size_t>(s)] != 0) continue;
      if (const Shape shape = shape_with(op, k); shape.code != nullptr) return shape;
    }
    return {};
  }

  bool held_at(std::size_t k) const {  // the running value of the k-th instruction is the result of the one before
    return k > 0 &&
           operands(code_.ops[run_[k]])[static_cast<std::size_t>(shapes_[k].running)] == code_.ops[run_[k - 1]].y;
  }

  void finish() {
    if (!run_.empty() && run_.size() >= least_ && (run_.size() > 1 || slot(code_.ops[run_[0]].y).in_memory)) add();
    run_.clear();
    shapes_.clear();
  }

  void add() {
    Chain chain;
    chain.first = run_.front();
    chain.last = run_.back() + 1;
    for (std::size_t k = 0; k < run_.size(); ++k) {
      const Op& op = code_.ops[run_[k]];
      const auto slots = operands(op);
      const auto running = static_cast<std::size_t>(shapes_[k].running);
      if (!held_at(k)) chain.links.push_back({kernels::edge_link(EdgeLink::kLoad), slots[running]});
      Chain::Link link{shapes_[k].code};
      for (std::size_t j = 0; j < 3; ++j) {
        if (j == running || slots[j] < 0) continue;
        // Numbers as -2 - slot: they are copied, since a later value of the chain may take their place in scratch.
        const bool number = is_number_[static_cast<std::size_t>(slots[j])] != 0;
        (link.p == -1 ? link.p : link.q) = number ? -2 - slots[j] : slots[j];
      }
      chain.links.push_back(link);
      const bool handed_on = k + 1 < run_.size() && held_at(k + 1);
      if (slot(op.y).in_memory || readers_[static_cast<std::size_t>(op.y)] > (handed_on ? 1 : 0)) {
        const bool mask = kernels::makes_mask(op.map);
        chain.links.push_back({kernels::edge_link(mask ? EdgeLink::kStoreMask : EdgeLink::kStore), op.y, -1, !mask});
      }
    }
    chain.links.push_back({kernels::edge_link(EdgeLink::kEnd)});
    chains_.push_back(std::move(chain));
  }

  const GroupCode& code_;
  const std::vector<char>& in_prologue_;
  const std::vector<char>& is_number_;
  std::size_t least_;
  std::vector<int> readers_;  // of each slot
  std::vector<std::size_t> run_;
  std::vector<Shape> shapes_;  // of the run's instructions
  std::vector<Chain> chains_;
};

}  // namespace

std::vector<Chain> chains_of(const GroupCode& code, const std::vector<char>& in_prologue,
                             const std::vector<char>& is_number, std::size_t least) {
  return ChainFinder(code, in_prologue, is_number, least).find();
}

void GroupStep::plan_chains() {
  if (!pass_enabled("chain")) return;
  const auto n = static_cast<std::int64_t>(kernels::chain_block());
  if (tile_rows_ * tile_cols_ < n) return;
  std::vector<char> is_number(code_.slots.size(), 0);
  for (std::size_t s = 0; s < code_.slots.size(); ++s) is_number[s] = code_.slots[s].filled != nullptr;
  for (const Op& op : code_.ops) {
    if (op.kind == Kind::kExpandRows && (tile_rows_ == 1 || op.row_stride == 0))
      is_number[static_cast<std::size_t>(op.y)] = 1;
  }
  if (code_.rows * code_.cols >= kStreamed) {
    chains_ = chains_of(code_, in_prologue_, is_number, 1);
    std::size_t chained = 0, all = 0;
    bool writes = false;  // a value of full size to memory
    for (const Chain& chain : chains_) chained += chain.last - chain.first;
    for (const Op& op : code_.ops) {
      if (op.kind != Kind::kMap || op.level != Level::kFull) continue;
      ++all;
      writes = writes || code_.slots[static_cast<std::size_t>(op.y)].in_memory;
    }
    may_stream_ = writes && chained >= all;
  }
  if (!may_stream_) chains_ = chains_of(code_, in_prologue_, is_number, kLeastChain);
}

// What is larger than the last-level cache goes past it: a store would first read the line that it overwrites. Not
// where the line was read anyway, as a result in the place of an operand, and not in programs that also compute what is
// costly (softmax): those wait for arithmetic, and stores past the caches made them a fifth slower.
void GroupStep::find_streams() {
  streams_.assign(code_.slots.size(), 0);
  if (!may_stream_) return;
  const auto overlaps = [&](std::size_t s, std::size_t t) {
    const auto reach = [&](std::size_t of) {
      return code_.rows * code_.cols * static_cast<std::int64_t>(code_.slots[of].size);
    };
    return base_[s] < base_[t] + reach(t) && base_[t] < base_[s] + reach(s);
  };
  for (const Chain& chain : chains_) {
    for (const Chain::Link& link : chain.links) {
      const auto s = static_cast<std::size_t>(link.p);
      if (!link.stores || !code_.slots[s].in_memory) continue;
      streams_[s] = std::none_of(moving_.begin(), moving_.end(),
                                 [&](std::size_t other) { return other != s && overlaps(s, other); });
    }
  }
  // What the program reads again after it has written it stays in the caches.
  for (const Op& op : code_.ops) {
    for (int slot : {op.a, op.b, op.c}) {
      if (slot >= 0) streams_[static_cast<std::size_t>(slot)] = 0;
    }
  }
}

void GroupStep::run_map(const Op& op, std::byte* const* at, std::size_t done, std::size_t n) const {
  const auto pointer = [&](int slot) {
    return slot < 0 ? nullptr : at[slot] + done * code_.slots[static_cast<std::size_t>(slot)].size;
  };
  op.map(pointer(op.y), pointer(op.a), pointer(op.b), pointer(op.c), n);
}

void GroupStep::run_chain(const Chain& chain, std::byte* const* at, std::size_t n) const {
  // Not cleared: among stores past the caches, a kilobyte of others for every tile made 64 MB 1.6 times slower.
  std::array<kernels::Link, kMostLinks> links;
  std::array<float, 2 * kMostLinks> numbers;
  std::size_t taken = 0;
  const auto pointer = [&](int slot) -> const void* {
    if (slot >= -1) return slot < 0 ? nullptr : at[slot];
    std::memcpy(&numbers[taken], at[-2 - slot], sizeof(float));
    return &numbers[taken++];
  };
  for (std::size_t k = 0; k < chain.links.size(); ++k) {
    const Chain::Link& link = chain.links[k];
    links[k] = {link.code, pointer(link.p), pointer(link.q)};
    if (link.stores && streams_[static_cast<std::size_t>(link.p)] != 0 &&
        reinterpret_cast<std::uintptr_t>(at[link.p]) % 64 == 0) {
      links[k].code = kernels::edge_link(EdgeLink::kStream);
    }
  }
  const std::size_t whole = n / kernels::chain_block() * kernels::chain_block();
  kernels::run_chain(links.data(), whole);
  if (whole == n) return;
  for (std::size_t i = chain.first; i < chain.last; ++i) {
    if (in_prologue_[i] == 0) run_map(code_.ops[i], at, whole, n - whole);
  }
}

}  // namespace pellucid::graph
