// Which rows are learned from, which are held out, and what is suspicious about them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pellucid/tabular.h"

namespace pellucid::tables {

struct RowParts {
  data::Rows training, validation, test;
};

/// The options with what the schema's roles say filled in: group, time, weights, columns to leave out; where rows are
/// grouped or ordered, and nothing is said of validation, a fifth of them. Throws OptionError where the two disagree,
/// or columns do not serve.
TableOptions with_roles(const io::Table& table, const std::string& target, TableOptions options);

/// Splits labelled rows: test rows first, validation rows from the others; at random by classes (-1 where missing,
/// empty for numbers), by whole groups, or the newest ones.
RowParts split_rows(const io::Table& table, const data::Rows& rows, const std::vector<std::int32_t>& classes,
                    const TableOptions& options, double validation);

/// Leaks, and rows that are in training too; where each network leaves out a part of the training rows (`folds`), rows
/// that are there more than once.
std::vector<std::string> warnings_of(const data::Preprocessing& preprocessing, const io::Table& table,
                                     const RowParts& parts, bool folds);

}  // namespace pellucid::tables
