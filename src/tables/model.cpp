// TableModel: its file, and its predictions.
#include "base/fail.h"
#include "pellucid/io.h"
#include "pellucid/ops.h"
#include "pellucid/tabular.h"
#include "tables/recipe.h"

namespace pellucid {

using base::fail;
using namespace nlohmann::literals;

namespace {

// Numbers without names, as the columns of training.
io::Table as_columns(const TableModel& model, const Array& x) {
  const auto record = nlohmann::json::parse(model.record, nullptr, false);
  const auto names = record.value("/data/columns"_json_pointer, std::vector<std::string>());
  if (names.empty()) fail("predict: the model does not say in which order its columns stood; give a table with names");
  if (x.rank() == 2 && x.size(1) != static_cast<std::int64_t>(names.size())) {
    fail("predict: x has {} columns, and the model was trained on {}; give them all, in the order of training",
         x.size(1), names.size());
  }
  return table_of(x, names);
}

}  // namespace

Array TableModel::output(const Array& inputs) { return tables::output_of(network, target().task, inputs); }

Array TableModel::predict(const io::Table& table) {
  const Array said = output(data::encode(preprocessing, table, data::all_rows(table.rows)).x);
  if (classifies()) return said;
  const data::Target& t = target();
  const Array value = reshape(slice(said, 1, 0, 1), {-1});
  return clip(data::in_units(t, value), t.low, t.high).evaluate();
}

Array TableModel::predict(const Array& x) { return predict(as_columns(*this, x)); }

Array TableModel::intervals(const io::Table& table) {
  if (classifies()) fail("intervals: the model predicts classes, and has intervals for numbers alone");
  const Array said = output(data::encode(preprocessing, table, data::all_rows(table.rows)).x);
  if (said.size(1) != 3) fail("intervals: the model was trained without them; train it without `fast`");
  return data::in_units(target(), slice(said, 1, 1, 3)).evaluate();
}

Array TableModel::intervals(const Array& x) { return intervals(as_columns(*this, x)); }

io::Table TableModel::predict_table(const io::Table& table) {
  return data::decode_predictions(target(), output(data::encode(preprocessing, table, data::all_rows(table.rows)).x));
}

void TableModel::save(const std::string& path) const {
  io::ModelFile file;
  for (const nn::NamedArray& array : nn::named_parameters(network)) file.parameters[array.name] = array.value;
  for (const nn::NamedArray& array : nn::named_buffers(network)) file.parameters[array.name] = array.value;
  file.network = nn::to_json(nn::describe(network));
  file.preprocessing = data::to_json(preprocessing);
  file.training = record;
  io::save_model(path, file);
}

TableModel TableModel::load(const std::string& path) {
  const io::ModelFile file = io::load_model(path);
  TableModel model;
  try {
    if (data::source_of(file.preprocessing) != data::Source::kTable) {
      fail("the model is of pictures; `pellucid predict` takes it");
    }
    model.network = nn::build_sequential(nn::description_from_json(file.network));
    std::vector<nn::NamedArray> arrays;
    for (const auto& [name, value] : file.parameters) arrays.push_back({name, value});
    nn::set_arrays(model.network, arrays);
    nn::assign_paths(model.network);
    model.preprocessing = data::preprocessing_from_json(file.preprocessing);
  } catch (const Error& error) {
    fail("'{}': {}", path, error.what());
  }
  model.record = file.training;
  return model;
}

io::Table table_of(const Array& x, const std::vector<std::string>& names) {
  if (x.rank() != 2) fail("table_of: x has shape {}, and must have two axes: rows and columns", x.shape());
  const auto columns = static_cast<std::size_t>(x.size(1));
  if (!names.empty() && names.size() != columns) {
    fail("table_of: x has {} columns, and {} names are given; name each", columns, names.size());
  }
  io::Table table;
  table.source = "<array>";
  table.rows = x.size(0);
  const Array turned = astype(x, float64);
  for (std::size_t i = 0; i < columns; ++i) {
    io::Column column;
    column.name = names.empty() ? "x" + std::to_string(i) : names[i];
    const auto at = static_cast<std::int64_t>(i);
    column.numbers = reshape(slice(turned, 1, at, at + 1), {-1}).to_vector<double>();
    table.columns.push_back(std::move(column));
  }
  return table;
}

}  // namespace pellucid
