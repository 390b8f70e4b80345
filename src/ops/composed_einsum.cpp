// einsum: the equation read into labels, operands contracted from left to right.
#include <algorithm>
#include <cctype>
#include <map>

#include "ops/composed.h"
#include "ops/einsum.h"

namespace pellucid::ops {
namespace {

constexpr int kEllipsis = -1;        // in a parsed term
constexpr int kEllipsisAxes = 1000;  // labels of the axes of "...", counted from the last; letters are below 256

struct Equation {
  std::vector<Labels> operands;  // letters, and at most one kEllipsis in each
  Labels output;
  bool explicit_output = false;
};

Labels parse_term(const std::string& equation, std::string_view term) {
  Labels labels;
  for (std::size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if (c == ' ') continue;
    if (c == '.') {
      if (term.substr(i, 3) != "..." || std::find(labels.begin(), labels.end(), kEllipsis) != labels.end()) {
        fail("einsum", "'{}': an ellipsis is three dots, once in an operand", equation);
      }
      labels.push_back(kEllipsis);
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      labels.push_back(c);
    } else {
      fail("einsum", "'{}': the character '{}' is neither a letter nor one of '.', ',', '->'", equation, c);
    }
  }
  return labels;
}

Equation parse(const std::string& equation) {
  Equation result;
  const std::string_view text = equation;
  const std::size_t arrow = text.find("->");
  std::string_view left = text.substr(0, arrow);
  for (;;) {
    const std::size_t comma = left.find(',');
    result.operands.push_back(parse_term(equation, left.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    left.remove_prefix(comma + 1);
  }
  result.explicit_output = arrow != std::string_view::npos;
  if (result.explicit_output) result.output = parse_term(equation, text.substr(arrow + 2));
  return result;
}

/// The operand with a label for each axis; "..." stands for as many as are left.
Labels label_axes(const std::string& equation, const Labels& term, const Array& x) {
  const bool ellipsis = std::find(term.begin(), term.end(), kEllipsis) != term.end();
  const std::size_t named = term.size() - (ellipsis ? 1 : 0), rank = x.shape().size();
  if (ellipsis ? named > rank : named != rank) {
    fail("einsum", "'{}': {} labels for an operand of shape {}, which has {} axes", equation, named, x.shape(), rank);
  }
  Labels labels;
  for (int label : term) {
    if (label != kEllipsis) labels.push_back(label);
    for (std::size_t d = rank - named; label == kEllipsis && d > 0; --d) {
      labels.push_back(kEllipsisAxes + static_cast<int>(d));
    }
  }
  return labels;
}

/// Where a label stands twice, the diagonal of those two axes.
Labelled diagonals(const std::string& equation, Labelled x) {
  for (std::size_t a = 0; a < x.labels.size(); ++a) {
    for (std::size_t b = x.labels.size(); b-- > a + 1;) {
      if (x.labels[a] != x.labels[b]) continue;
      const Shape& shape = x.array.shape();
      if (shape[a] != shape[b]) {
        fail("einsum", "'{}': label '{}' stands for sizes {} and {} of {}", equation, static_cast<char>(x.labels[a]),
             shape[a], shape[b], shape);
      }
      const int label = x.labels[a];
      const int last = x.array.rank() - 1;
      x.array = diag(moveaxis(moveaxis(x.array, static_cast<int>(b), last), static_cast<int>(a), last - 1));
      x.labels.erase(x.labels.begin() + static_cast<std::ptrdiff_t>(b));
      x.labels.erase(x.labels.begin() + static_cast<std::ptrdiff_t>(a));
      x.labels.push_back(label);
      return diagonals(equation, std::move(x));
    }
  }
  return x;
}

/// Without "->": the axes of the ellipses, then the letters that stand once, in alphabetical order.
Labels implicit_output(const std::vector<Labels>& operands) {
  std::map<int, int> count;
  for (const Labels& labels : operands) {
    for (int label : labels) ++count[label];
  }
  Labels output, letters;
  for (const auto& [label, times] : count) {
    if (label > kEllipsisAxes) output.insert(output.begin(), label);
    if (label < kEllipsisAxes && times == 1) letters.push_back(label);
  }
  output.insert(output.end(), letters.begin(), letters.end());
  return output;
}

Labels explicit_output(const std::string& equation, const Labels& term, const std::vector<Labels>& operands) {
  int most = 0;  // axes of the longest ellipsis
  for (const Labels& labels : operands) {
    for (int label : labels) most = std::max(most, label - kEllipsisAxes);
  }
  Labels output;
  bool ellipsis = false;
  for (int label : term) {
    if (label == kEllipsis) {
      ellipsis = true;
      for (int d = most; d > 0; --d) output.push_back(kEllipsisAxes + d);
      continue;
    }
    if (std::find(output.begin(), output.end(), label) != output.end()) {
      fail("einsum", "'{}': label '{}' stands twice in the output", equation, static_cast<char>(label));
    }
    bool known = false;
    for (const Labels& labels : operands)
      known = known || std::find(labels.begin(), labels.end(), label) != labels.end();
    if (!known) fail("einsum", "'{}': label '{}' of the output is in no operand", equation, static_cast<char>(label));
    output.push_back(label);
  }
  if (most > 0 && !ellipsis) {
    fail("einsum", "'{}': the output drops the axes of '...'; write '...' there, or name the axes and sum them",
         equation);
  }
  return output;
}

void check_sizes(const std::string& equation, const std::vector<Labelled>& operands) {
  std::map<int, std::int64_t> sizes;
  for (const Labelled& x : operands) {
    for (std::size_t d = 0; d < x.labels.size(); ++d) {
      const std::int64_t size = x.array.shape()[d];
      auto [at, fresh] = sizes.emplace(x.labels[d], size);
      if (fresh || at->second == size) continue;
      if (x.labels[d] < kEllipsisAxes) {
        fail("einsum", "'{}': label '{}' stands for sizes {} and {}", equation, static_cast<char>(x.labels[d]),
             at->second, size);
      }
      if (at->second != 1 && size != 1) {
        fail("einsum", "'{}': sizes {} and {} of '...' do not broadcast", equation, at->second, size);
      }
      at->second = std::max(at->second, size);
      if (size == 0 || at->second == 0) at->second = 0;
    }
  }
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the helpers above

Array einsum(const std::string& equation, const Arrays& operands) {
  const Equation parsed = parse(equation);
  if (parsed.operands.size() != operands.size()) {
    fail("einsum", "'{}' names {} operands, but {} are given", equation, parsed.operands.size(), operands.size());
  }
  std::vector<Labelled> list;
  std::vector<Labels> labels;
  const Arrays same = promoted("einsum", operands);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    labels.push_back(label_axes(equation, parsed.operands[i], same[i]));
    list.push_back(diagonals(equation, {same[i], labels[i]}));
  }
  check_sizes(equation, list);
  const Labels output =
      parsed.explicit_output ? explicit_output(equation, parsed.output, labels) : implicit_output(labels);
  Labelled result = list[0];
  for (std::size_t i = 1; i < list.size(); ++i) {
    Labels kept = output;  // and what later operands need
    for (std::size_t j = i + 1; j < list.size(); ++j)
      kept.insert(kept.end(), list[j].labels.begin(), list[j].labels.end());
    result = contracted("einsum", result, list[i], kept);
  }
  return ordered(summed(result, output), output).array;
}

}  // namespace pellucid
