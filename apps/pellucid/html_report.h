// The report: one page about a model, how it was trained and how good it is.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "assess.h"
#include "model.h"

namespace pellucid::cli {

struct ReportPart {
  std::string title;  // "on the 713 validation rows, which chose the epoch"
  Assessed assessed;
};

struct Report {
  std::string model, data;                           // where they lie
  std::vector<ReportPart> parts = {};                // the last one is shown in full
  std::vector<std::string> notes = {};               // what the reader of the data decided
  std::map<std::string, std::int64_t> missing = {};  // fields of columns, where the whole table was read
  std::string examples = {};                         // pictures, as HTML
  double seconds = 0;                                // of training; 0: this run did not train
};

/// The page. Hashes the files that the report names.
std::string report_page(Model& model, const Report& report);
/// Writes it, whole or not at all. Throws Error where that fails.
void write_report(const std::string& path, Model& model, const Report& report);

}  // namespace pellucid::cli
