// What a column is, and how it becomes inputs.
#include "columns.h"

#include "terminal.h"

namespace pellucid::cli {

std::string values_text(const data::ColumnSchema& column) {
  if (column.low) return fmt::format("{:.6g} to {:.6g}", *column.low, *column.high);
  if (!column.first.empty()) return fmt::format("{} to {}", column.first, column.last);
  if (!column.categories.empty()) {
    std::string list = fmt::format("{}", fmt::join(column.categories, ", "));
    return column.categories.size() > 2 ? fmt::format("{}: {}", column.categories.size(), list) : list;
  }
  return column.distinct > 0 ? counted(column.distinct, "text", "different texts") : "";
}

std::string missing_text(double share) {
  if (share == 0) return "";
  return share < 0.0005 ? "< 0.1 %" : fmt::format("{:.1f} %", share * 100);
}

namespace {

// With the form that was found out: 03/04/2024 may be read in two ways.
std::string date_words(const data::Feature& feature) {
  const bool plain = feature.format == "iso" || feature.format == "time";
  return fmt::format("date{}: {}", plain ? "" : " (" + feature.format + ")", fmt::join(feature.parts, ", "));
}

}  // namespace

std::string kind_of(const data::Feature& feature) {
  switch (feature.kind) {
    case data::Feature::Kind::kNumber:
      return "number";
    case data::Feature::Kind::kBinary:
    case data::Feature::Kind::kBoolean:
      return fmt::format("two values: {}, {}", shortened(feature.levels[0], 20), shortened(feature.levels[1], 20));
    case data::Feature::Kind::kText:
      return fmt::format("text: its words in {} inputs", feature.buckets);
    case data::Feature::Kind::kCategory:
    case data::Feature::Kind::kEmbedded:
      return fmt::format("category of {} values", feature.levels.size());
    case data::Feature::Kind::kDate:
      return date_words(feature);
  }
  return "";
}

std::string how_used(const data::Feature& feature) {
  std::string how;
  switch (feature.kind) {
    case data::Feature::Kind::kNumber:
      if (!feature.numbers[0].knots.empty()) {
        how = fmt::format("its share among the training values, median {:.6g}, as a normal quantile",
                          (feature.numbers[0].knots[63] + feature.numbers[0].knots[64]) / 2);
        break;
      }
      how = fmt::format("(x - {:.6g}) / {:.6g}{}", feature.numbers[0].center, feature.numbers[0].spread,
                        feature.numbers[0].clip        ? ", clipped smoothly to (-3, 3)"
                        : feature.numbers[0].log_tails ? ", tails by their logarithm"
                                                       : "");
      break;
    case data::Feature::Kind::kBinary:
    case data::Feature::Kind::kBoolean:
      how = fmt::format("-1 for '{}', 1 for '{}'", shortened(feature.levels[0], 24), shortened(feature.levels[1], 24));
      break;
    case data::Feature::Kind::kCategory:
      how = shortened(fmt::format("one of {}", fmt::join(feature.levels, ", ")), 70);
      if (feature.other_input) how += "; one input for any other";
      break;
    case data::Feature::Kind::kEmbedded:
      how = shortened(fmt::format("by number, one of {}", fmt::join(feature.levels, ", ")), 70);
      break;
    case data::Feature::Kind::kText:
      how = fmt::format("words, counted by their hash in {} inputs", feature.buckets);
      break;
    case data::Feature::Kind::kDate:
      how = date_words(feature);
      break;
  }
  if (feature.missing_input) how += "; one input says where it is missing";
  return how;
}

}  // namespace pellucid::cli
