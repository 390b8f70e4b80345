// Models whose descriptions say something else than was written: refused with an Error, or read and able to predict;
// memory is never taken on a number's word alone.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>
#include <string>

#include "pellucid/io.h"
#include "pellucid/tabular.h"
#include "support/files.h"

namespace pellucid {
namespace {

using Json = nlohmann::json;

std::size_t peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) / 1024;
}

TEST(DamagedModels, AreRefusedOrPredict) {
  const TemporaryFolder folder;
  std::string csv = "n,c,d,y\n";
  for (int i = 0; i < 40; ++i) {
    csv += std::to_string(i % 7) + "," + "uvw"[i % 3] + ",2024-0" + std::to_string(1 + i % 9) + "-11," +
           (i % 2 == 0 ? "p" : "q") + "\n";
  }
  const io::Table table = io::parse_csv(csv);
  TableOptions options;
  options.epochs = 1;
  options.hidden = {{4, 4}};
  options.ensemble = 2;
  fit_table(table, "y", options).model.save(folder.path("m"));
  const io::ModelFile good = io::load_model(folder.path("m"));

  const std::size_t before = peak_megabytes();
  int refused = 0, read = 0, choice = 0;
  const auto attempt = [&](const io::ModelFile& file, const std::string& what) {
    io::save_model(folder.path("damaged"), file);
    try {
      TableModel model = TableModel::load(folder.path("damaged"));
      model.predict(table);
      ++read;
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
    } catch (const std::exception& error) {
      ADD_FAILURE() << what << ": " << error.what();
    }
  };
  for (std::string io::ModelFile::*part : {&io::ModelFile::network, &io::ModelFile::preprocessing}) {
    const Json whole = Json::parse(good.*part);
    const Json flat = whole.flatten();
    for (const auto& [place, value] : flat.items()) {
      const Json others[] = {0, -1, 1.5, std::int64_t{1} << 31, INT64_MAX, 1e300, "other", nullptr};
      for (const Json& other : others) {
        if (++choice % 3 != 0) continue;  // each value meets every third place: 3 and 8 have no common factor
        Json changed = whole;
        changed[Json::json_pointer(place)] = other;
        io::ModelFile file = good;
        file.*part = changed.dump();
        attempt(file, place + " is " + other.dump());
      }
    }
  }
  for (const auto& [name, array] : good.parameters) {
    io::ModelFile file = good;
    file.parameters.erase(name);
    attempt(file, "without " + name);
    file.parameters["another"] = array;
    attempt(file, name + " has another name");
    file = good;
    file.parameters[name] = Array(1);
    attempt(file, name + " has another shape");
  }
  EXPECT_GT(refused, 100);
  std::printf("%d descriptions refused, %d read; %zu MB more at most\n", refused, read, peak_megabytes() - before);
  EXPECT_LT(peak_megabytes() - before, 500U);
}

}  // namespace
}  // namespace pellucid
