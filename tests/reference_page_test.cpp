// docs/operations.md is what the records, headers and cases say, and no public operation lacks its cases.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "support/laws.h"
#include "support/reference_page.h"

namespace pellucid::laws {
namespace {

TEST(ReferencePage, IsUpToDate) {
  const std::string path = std::string(PELLUCID_SOURCE_DIR) + "/docs/operations.md";
  const std::string page = reference_page();
  if (std::getenv("PELLUCID_UPDATE") != nullptr) std::ofstream(path, std::ios::binary) << page;
  std::ifstream file(path, std::ios::binary);
  std::stringstream committed;
  committed << file.rdbuf();
  EXPECT_TRUE(committed.str() == page) << path << " is stale; run this test with PELLUCID_UPDATE=1 and commit the file";
}

TEST(ReferencePage, EveryPublicOperationHasCases) {
  // Evaluated at once rather than traced, or tried by tests of their own.
  const std::set<std::string> elsewhere = {"nonzero"};
  std::set<std::string> tried;
  for (const Case& c : cases()) tried.insert(c.record);
  std::vector<Declaration> list = declarations_of("ops.h");
  for (Declaration& d : declarations_of("ops_window.h")) list.push_back(std::move(d));
  EXPECT_GT(list.size(), 100U);
  for (const Declaration& d : list) {
    EXPECT_TRUE(tried.count(d.name) != 0 || elsewhere.count(d.name) != 0)
        << d.text << " has no case; add one to tests/support/composed_cases.cpp";
  }
}

}  // namespace
}  // namespace pellucid::laws
