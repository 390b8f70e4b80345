// Reading declarations, and writing them as tables.
#include "support/reference_page.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include <fmt/format.h>

#include "pellucid/ops.h"
#include "support/laws.h"
#include "support/public_maps.h"

namespace pellucid::laws {
namespace {

std::string trimmed(const std::string& text, const char* around) {
  const std::size_t first = text.find_first_not_of(around);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(around) - first + 1);
}
/// What a comment says.
std::string said(const std::string& line) {
  const std::string text = trimmed(line, " ");
  return trimmed(text.substr(std::min(text.find_first_not_of('/'), text.size())), " ");
}

/// The bars of a table's cells would end them.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string types_text(const std::set<DType>& types) {
  if (types.size() == kDTypes) return "all";
  if (types.empty()) return "";
  std::set<DType> numbers(kAllDTypes.begin() + 1, kAllDTypes.end());
  if (types == numbers) return "all but bool";
  std::vector<std::string> names;
  for (DType t : kAllDTypes) {
    if (types.count(t) != 0) names.emplace_back(pellucid::name_of(t));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::set<DType> types_of_record(const ops::Record& record) {
  if (record.dtypes.empty()) return std::set<DType>(kAllDTypes.begin(), kAllDTypes.end());
  return std::set<DType>(record.dtypes.begin(), record.dtypes.end());
}

/// Which types a public function takes: those of its cases, or for one that stands on a record those that do not throw.
std::set<DType> types_of_function(const std::string& name) {
  for (const PublicMap& map : public_maps()) {
    if (map.name != name) continue;
    std::set<DType> types;
    for (DType dtype : kAllDTypes) {
      const Array x = ones({2}, dtype);
      try {
        (map.one != nullptr ? map.one(x) : map.two(x, x)).evaluate();
        types.insert(dtype);
      } catch (const Error&) {  // that is what is being found out
      }
    }
    return types;
  }
  std::set<DType> types;
  for (const Case& c : cases()) {
    if (c.record != name) continue;
    for (DType dtype : types_of(c)) types.insert(dtype);
  }
  return types;
}

/// "[4, 6], [6, 5] -> [4, 5]" of a composed function's first case, or what the record says.
std::string shapes_of_function(const std::string& name) {
  if (const ops::Record* record = ops::find_record(name)) return std::string(record->shapes);
  for (const Case& c : cases()) {
    if (c.record != name || !c.composed) continue;
    std::vector<std::string> in, out;
    for (const Operand& operand : c.operands) in.push_back(to_string(operand.shape));
    for (const Array& y : c.make(to_arrays(draw_operands(c, types_of(c).back(), Layout::kContiguous, 1))))
      out.push_back(to_string(y.shape()));
    return fmt::format("{}{}-> {}", fmt::join(in, ", "), in.empty() ? "" : " ", fmt::join(out, ", "));
  }
  return "";
}

std::string derivative_of_function(const std::string& name) {
  bool known = false, flows = false;
  for (const Case& c : cases()) {
    if (c.record != name) continue;
    known = true;
    flows = flows || record_of(c).differentiable;
  }
  return !known ? "" : flows ? "yes" : "no";
}

std::string functions_table(const std::string& header) {
  std::string text, section;
  for (const Declaration& d : declarations_of(header)) {
    if (d.section != section || text.empty()) {
      section = d.section;
      if (!section.empty()) text += fmt::format("\n### {}\n", section);
      text += "\n| C++ | computes | shapes | types | derivative |\n|---|---|---|---|---|\n";
    }
    std::string comment = d.comment;
    const ops::Record* record = ops::find_record(d.name);
    if (comment.empty() && record != nullptr) comment = record->summary;
    text += fmt::format("| `{}` | {} | {} | {} | {} |\n", cell(d.text), cell(comment), cell(shapes_of_function(d.name)),
                        types_text(types_of_function(d.name)), derivative_of_function(d.name));
  }
  return text;
}

std::string random_table() {
  std::string text = "\n| C++ | draws |\n|---|---|\n";
  for (const Declaration& d : declarations_of("random.h"))
    text += fmt::format("| `{}` | {} |\n", cell(d.text), cell(d.comment));
  return text;
}

std::string records_table() {
  std::string text = "\n| primitive | computes | shapes | types | derivative | ulp |\n|---|---|---|---|---|---|\n";
  for (const ops::Record* record : ops::all_records()) {
    const std::string ulp = record->kind != ops::Kind::kMap ? ""
                            : record->ulp == 0              ? "exact"
                                                            : fmt::format("{}", record->ulp);
    text += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", record->name, cell(std::string(record->summary)),
                        cell(std::string(record->shapes)), types_text(types_of_record(*record)),
                        record->differentiable ? "yes" : "no", ulp);
  }
  return text;
}

}  // namespace

std::vector<Declaration> declarations_of(const std::string& header) {
  std::ifstream file(std::string(PELLUCID_SOURCE_DIR) + "/include/pellucid/" + header);
  static const std::regex function(
      R"(^(?:Arrays?|TopK|ScanStep|Key|std::vector<Key>|std::function<Arrays\(const Arrays&\)>) (\w+)\(.*)");
  std::vector<Declaration> list;
  std::string line, section, comment;
  bool inside = false;  // a struct
  while (std::getline(file, line)) {
    if (line.rfind("struct ", 0) == 0 && line.find('}') == std::string::npos) inside = true;
    if (line.rfind("};", 0) == 0) inside = false;
    if (line.rfind("// ----", 0) == 0) {
      section = trimmed(line, "/- ");
      comment.clear();
      continue;
    }
    if (line.rfind("///", 0) == 0) {
      comment += (comment.empty() ? "" : " ") + said(line);
      continue;
    }
    std::smatch match;
    if (!inside && std::regex_match(line, match, function)) {
      const std::string name = match[1];  // of `line`, which is read on
      std::string text = line;
      while (text.find(';') == std::string::npos && std::getline(file, line)) text += " " + trimmed(line, " ");
      Declaration d{section, name, text.substr(0, text.find(';')), comment};
      if (d.comment.empty() && text.find("//") != std::string::npos) d.comment = said(text.substr(text.find("//")));
      list.push_back(d);
    }
    comment.clear();
  }
  return list;
}

std::string reference_page() {
  cases();  // registers the records that are made when they are first asked for
  std::string text =
      "# Operations\n\n"
      "Made from the records (`src/ops/`), the public headers and the cases of the law tests; do not edit it. After a\n"
      "change: `PELLUCID_UPDATE=1 build/release/tests/reference_page_test`. `pellucid ops` prints the primitives "
      "too.\n\n"
      "- **shapes**: in letters for primitives; for a function composed of primitives, those of an example.\n"
      "- **types**: of the data operands. What a function takes and its primitive does not is converted: integers and "
      "bool\n"
      "  to float32, bfloat16 to float32 and back.\n"
      "- **derivative**: *no* where none flows; those of all others hold to the second order in reverse and forward "
      "mode.\n"
      "- **ulp**: the most error of a float32 result in units in the last place; for sums and products see "
      "`numbers.md`.\n\n"
      "The operators `+ - * / < <= > >= & | ^ ! ~` are add, subtract (negative), multiply, divide, the comparisons, "
      "and\n"
      "bitwise_and, bitwise_or, bitwise_xor, logical_not, bitwise_invert. Every operation works under `vmap` and "
      "`compile`.\n"
      "\n## Functions: `pellucid/ops.h`\n";
  text += functions_table("ops.h");
  for (const char* header : {"ops_window.h", "ops_pool.h", "ops_attention.h"})
    text += fmt::format("\n## Functions: `pellucid/{}`\n{}", header, functions_table(header));
  text += "\n## Random numbers: `pellucid/random.h`, in `pellucid::random`\n";
  text += random_table();
  text += "\n## Primitives\n\nAll functions above are made of these.\n";
  text += records_table();
  return text;
}

}  // namespace pellucid::laws
