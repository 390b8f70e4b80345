// pellucid.io: files.
#include "pellucid/io.h"

#include <nanobind/stl/map.h>

#include "options.h"
#include "table.h"

namespace pellucid::python {

namespace {

using Tensors = std::map<std::string, Array>;

Tensors tensors_of(const nb::dict& given) {
  Tensors tensors;
  Arrays list;
  for (const auto& [key, value] : given) {
    if (!PyUnicode_Check(key.ptr())) throw nb::type_error("write_safetensors: the names of arrays are texts");
    const auto name = nb::cast<std::string>(key);
    Array array = as_array(value, ("write_safetensors: '" + name + "'").c_str(), true);
    if (array.weak())
      array = array.dtype() == DType::kInt64 ? astype(array, DType::kInt64) : astype(array, DType::kFloat32);
    list.push_back(array);
    tensors[name] = array;
  }
  evaluate_released(list);
  return tensors;
}

nb::dict dict_of(const Tensors& tensors) {
  nb::dict dict;
  for (const auto& [name, array] : tensors) dict[name.c_str()] = array;
  return dict;
}

/// A function of a path alone, without the interpreter's lock.
template <class F>
void reader(nb::module_& m, const char* name, const char* doc, F f) {
  m.def(
      name,
      [f](nb::handle path) {
        const std::string text = path_of(path);
        const Unlocked release;
        return f(text);
      },
      nb::arg("path"), doc);
}

io::CsvOptions csv_options(const std::string& separator, bool header, const std::vector<std::string>& missing,
                           const std::vector<std::string>& text, const std::vector<std::string>& numeric) {
  if (separator.size() > 1) throw nb::value_error("read_csv: the separator is one character; '' finds it out");
  io::CsvOptions options;
  options.separator = separator.empty() ? '\0' : separator[0];
  options.header = header;
  options.missing = missing;
  options.text = text;
  options.numeric = numeric;
  return options;
}

void bind_csv(nb::module_& m) {
  m.def(
      "read_csv",
      [](nb::handle path, const std::string& separator, bool header, const std::vector<std::string>& missing,
         const std::vector<std::string>& text, const std::vector<std::string>& numeric) {
        const std::string name = path_of(path);
        const io::CsvOptions options = csv_options(separator, header, missing, text, numeric);
        const Unlocked release;
        return io::read_csv(name, options);
      },
      nb::arg("path"), nb::kw_only(), nb::arg("separator") = "", nb::arg("header") = true,
      nb::arg("missing") = nb::list(), nb::arg("text") = nb::list(), nb::arg("numeric") = nb::list(),
      "A CSV file as a Table, plain or compressed by gzip or zstd, UTF-8. A column is numeric where every field is a "
      "number or missing.\n\n"
      "separator: '' finds it out. header: False names columns column_1, column_2, ... missing: fields that are "
      "missing "
      "in every column, beside the empty one. text: columns that stay text even where all fields are numbers. numeric: "
      "columns that must be numbers. Raises ValueError naming file and line.");
  m.def(
      "parse_csv",
      [](const std::string& csv, const std::string& separator, bool header, const std::string& source) {
        return io::parse_csv(csv, csv_options(separator, header, {}, {}, {}), source);
      },
      nb::arg("csv"), nb::kw_only(), nb::arg("separator") = "", nb::arg("header") = true, nb::arg("source") = "<text>",
      "The same over text in memory; source stands for the file in messages.");
  m.def(
      "write_csv", [](nb::handle path, nb::handle table) { io::write_csv(path_of(path), table_of_object(table)); },
      nb::arg("path"), nb::arg("table"),
      "Numbers with the fewest digits that read back the same, nothing where missing.");
  m.def(
      "to_csv", [](nb::handle table) { return io::to_csv(table_of_object(table)); }, nb::arg("table"),
      "What write_csv writes, as text.");
}

void bind_models(nb::module_& m) {
  nb::class_<io::ModelFile>(m, "ModelFile", "All that is needed to predict, and how it came about; see load_model.")
      .def_prop_ro(
          "parameters", [](const io::ModelFile& f) { return dict_of(f.parameters); }, "A dict of arrays by name.")
      .def_ro("network", &io::ModelFile::network, "The network's description, as JSON: nn.build makes it.")
      .def_ro("preprocessing", &io::ModelFile::preprocessing, "As JSON: data.Preprocessing.from_json reads it.")
      .def_ro("training", &io::ModelFile::training, "The record of how it was trained, as JSON.");
  m.def(
      "save_model",
      [](nb::handle path, const nb::dict& parameters, const std::string& network, const std::string& preprocessing,
         const std::string& training) {
        const io::ModelFile file{tensors_of(parameters), network, preprocessing, training};
        const std::string text = path_of(path);
        const Unlocked release;
        io::save_model(text, file);
      },
      nb::arg("path"), nb::arg("parameters"), nb::arg("network") = "{}", nb::arg("preprocessing") = "{}",
      nb::arg("training") = "{}",
      "One safetensors file with the descriptions, JSON texts, in its metadata: what the shell reads and writes.");
  reader(m, "load_model", "A ModelFile. Raises ValueError where the file is no Pellucid model or of a newer format.",
         &io::load_model);
}

}  // namespace

void bind_io(nb::module_& parent) {
  nb::module_ m = parent.def_submodule("io");
  bind_csv(m);
  reader(m, "read_idx", "An IDX file (MNIST's format), plain or compressed by gzip.", &io::read_idx);
  reader(m, "read_npy", "An NPY file of numbers; of objects or text it is a ValueError.", &io::read_npy);
  reader(m, "read_image", "A PNG or JPEG file as uint8 (height, width), or (height, width, 3) where it has colours.",
         &io::read_image);
  m.def(
      "read_npz", [](nb::handle path) { return dict_of(io::read_npz(path_of(path))); }, nb::arg("path"),
      "The arrays of an NPZ file, a dict by name.");
  m.def(
      "write_npy",
      [](nb::handle path, const Operand& array) {
        evaluate_released(array);
        io::write_npy(path_of(path), array);
      },
      nb::arg("path"), nb::arg("array"), "An NPY file; bfloat16 is written as float32.");
  m.def(
      "read_safetensors",
      [](nb::handle path) {
        const std::string text = path_of(path);
        io::TensorFile file;
        {
          const Unlocked release;
          file = io::read_safetensors(text);
        }
        return nb::make_tuple(dict_of(file.tensors), file.metadata);
      },
      nb::arg("path"),
      "(arrays by name, metadata), two dicts. F16 is read as float32; I8, I16, U16 as int32; U32, U64 "
      "as int64.");
  m.def(
      "write_safetensors",
      [](nb::handle path, const nb::dict& arrays, const std::map<std::string, std::string>& metadata) {
        const io::TensorFile file{tensors_of(arrays), metadata};
        const std::string text = path_of(path);
        const Unlocked release;
        io::write_safetensors(text, file);
      },
      nb::arg("path"), nb::arg("arrays"), nb::arg("metadata") = nb::dict(),
      "A safetensors file of a dict of arrays by name. It is there whole or not at all.");
  bind_models(m);
}

void bind_data(nb::module_& parent) {
  nb::module_ m = parent.def_submodule("data");
  bind_table(m);
  bind_preprocessing(m);
  bind_pictures(m);
}

}  // namespace pellucid::python
