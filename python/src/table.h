// Tables as Python gives them.
#pragma once

#include <span>

#include "core.h"
#include "pellucid/data.h"

namespace pellucid::python {

/// A Table, or a dict of columns. Throws TypeError otherwise.
io::Table table_of_object(nb::handle value);
/// Row numbers: a sequence or array of integers; None: all rows.
data::Rows rows_of(nb::handle value, const io::Table& table);
Array array_of(const std::vector<std::int64_t>& values);
Array array_of(std::span<const double> values);

/// 'robust', 'standard', 'quantile', 'none' or 'unclipped'; throws ValueError otherwise.
data::Scaling scaling_of(const std::string& name);

void bind_table(nb::module_& m);
/// What estimators need (tables.cpp).
void bind_table_methods(nb::class_<io::Table>& table);
void bind_preprocessing(nb::module_& m);
void bind_pictures(nb::module_& m);

}  // namespace pellucid::python
