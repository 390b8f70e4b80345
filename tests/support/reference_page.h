// The reference page of operations, made from the public headers, the records and the cases of the laws.
#pragma once

#include <string>
#include <vector>

namespace pellucid::laws {

/// A function that a public header declares.
struct Declaration {
  std::string section;  // the heading that it stands under
  std::string name, text, comment;
};
/// The functions of include/pellucid/<header>, in order; operators are left out.
std::vector<Declaration> declarations_of(const std::string& header);

/// docs/operations.md as it should be.
std::string reference_page();

}  // namespace pellucid::laws
