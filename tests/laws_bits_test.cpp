// The same bits: every record compiled, with passes off, on any number of threads and with every instruction set gives
// the bits that it gives alone; and so do its derivatives to the second order.
#include <gtest/gtest.h>

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "kernels/kernels.h"
#include "pellucid/ops.h"
#include "pellucid/threads.h"
#include "support/environment.h"
#include "support/laws.h"
#include "support/left_out.h"
#include "support/problem.h"
#include "support/programs.h"

namespace pellucid::laws {
namespace {

std::string describe(const Case& c, DType dtype, const char* what = "") {
  return fmt::format("{} {} {} {}", c.record, c.label, pellucid::name_of(dtype), what);
}

/// The operation among others, so that there is something to fuse: operands and floating results pass through maps that
/// change nothing.
Arrays in_company(const Case& c, const Arrays& x) {
  Arrays inner;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool signed_data = c.operands[i].role == Role::kData && x[i].dtype() != bool_ && x[i].dtype() != bfloat16;
    inner.push_back(signed_data ? negative(negative(x[i])) : x[i]);
  }
  Arrays results;
  for (const Array& y : c.make(inner)) {
    results.push_back(y);
    if (!is_float(y.dtype()) || y.dtype() == bfloat16) continue;
    results.push_back(tanh(y) * 0.5 + abs(y));
    results.push_back(sum(y));
    if (y.rank() > 0) results.push_back(sum(y * y, 0));
  }
  return results;
}

/// Calls f for the cases that can stand among others: all but those that trace functions of their own.
bool can_have_company(const Case& c) { return c.record != "constant" && c.record != "placeholder"; }

/// Long arrays are tried in float32, or in the last type that the record has.
DType type_of_large(const Case& c) {
  const std::vector<DType> types = types_of(c);
  return std::find(types.begin(), types.end(), float32) != types.end() ? float32 : types.back();
}

std::string compare_all(const Arrays& a, const Arrays& b) {
  if (a.size() != b.size()) return "another number of results";
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::string text = difference(a[i], b[i]);
    if (!text.empty()) return fmt::format("result {}: {}", i, text);
  }
  return "";
}

/// A case with operands of one type in one layout.
struct Form {
  const Case* c;
  DType dtype;
  Layout layout;
  std::string text() const { return fmt::format("{} {}", describe(*c, dtype), name_of(layout)); }
  std::vector<Tensor> operands(std::uint64_t seed) const { return draw_operands(*c, dtype, layout, seed); }
};

/// All that can stand among other operations; of long arrays one type and layout.
std::vector<Form> forms(LeftOut& left_out) {
  std::vector<Form> list;
  for (const Case& c : cases()) {
    if (!can_have_company(c)) {
      left_out.add("cases of `constant` and `placeholder`, which trace functions of their own");
      continue;
    }
    if (c.large) {
      list.push_back({&c, type_of_large(c), Layout::kContiguous});
      left_out.add("long arrays in another type", static_cast<int>(types_of(c).size()) - 1);
      continue;
    }
    for (DType dtype : types_of(c)) {
      for (Layout layout : kLayouts) {
        const bool shape_of_its_own = layout == Layout::kEmpty || layout == Layout::kScalar;
        if (c.operands.empty() ? layout == Layout::kContiguous : c.any_shape || !shape_of_its_own)
          list.push_back({&c, dtype, layout});
      }
    }
  }
  return list;
}

TEST(LawsOfBits, CompiledAndUnfusedGiveTheSameBits) {
  int count = 0;
  LeftOut left_out;
  for (const Form& form : forms(left_out)) {
    if (form.c->large) {
      left_out.add("long arrays: laws_random_test has programs of them");
      continue;
    }
    const auto run = [&](const Arrays& a) { return in_company(*form.c, a); };
    const std::vector<Tensor> x = form.operands(2);
    const Arrays operands = to_arrays(x, form.layout), expected = evaluated(run(to_arrays(x)));
    EXPECT_EQ(compare_all(expected, evaluated(run(operands))), "") << form.text();
    auto compiled = compile(run);
    EXPECT_EQ(compare_all(expected, compiled(operands)), "") << form.text() << ", compiled";
    EXPECT_EQ(compare_all(expected, compiled(operands)), "") << form.text() << ", compiled, again";
    count += 3;
    for (const char* pass : {kAllPasses, "fuse", "place", "batch", "epilogue"}) {
      const Environment off("PELLUCID_DISABLE", pass);
      EXPECT_EQ(compare_all(expected, evaluated(run(operands))), "") << form.text() << " without " << pass;
      ++count;
    }
  }
  std::printf("compiled, and passes off: %d cases\n", count);
  left_out.print();
}

/// Gradient and the Hessian's product with a direction, as a function of the floating operands.
Function derivatives(const Problem& problem) {
  return [&problem, v = problem.direction(3)](const Arrays& at) {
    Arrays results = problem.gradient(at);
    for (Array& h : problem.hessian_times_reverse(at, v)) results.push_back(std::move(h));
    return results;
  };
}

bool has_derivatives(const Form& form) {
  return record_of(*form.c).differentiable && is_float(form.dtype) && !floating_operands(*form.c).empty();
}

void expect_no_thread_matters(const Function& f, const Arrays& x, const std::string& what, int& count) {
  auto compiled = compile(f);
  Arrays expected;
  for (int n : {1, 2, 3, 7}) {
    set_threads(n);
    const Arrays got = compiled(x);
    if (n == 1) {
      expected = got;
    } else {
      EXPECT_EQ(compare_all(expected, got), "") << what << ", " << n << " threads";
    }
    ++count;
  }
}

TEST(LawsOfBits, EveryNumberOfThreadsGivesTheSameBits) {
  int values = 0, slopes = 0;
  LeftOut left_out;
  const int before = threads();
  for (const Form& form : forms(left_out)) {
    const std::vector<Tensor> x = form.operands(3);
    expect_no_thread_matters([&](const Arrays& a) { return in_company(*form.c, a); }, to_arrays(x, form.layout),
                             form.text(), values);
    if (!has_derivatives(form) || form.layout != Layout::kContiguous) continue;
    const Problem problem(*form.c, x);
    expect_no_thread_matters(derivatives(problem), problem.x(), form.text() + " derivatives", slopes);
  }
  set_threads(before);
  std::printf("threads 1, 2, 3, 7: %d cases\n", values);
  std::printf("threads 1, 2, 3, 7, gradients and second derivatives: %d cases\n", slopes);
  left_out.print();
}

/// What the cases and their derivatives give, as one number for each record, and the number of cases.
std::map<std::string, std::uint64_t> digests(int& count, LeftOut& left_out) {
  std::map<std::string, std::uint64_t> all;
  count = 0;
  for (const Form& form : forms(left_out)) {
    const std::vector<Tensor> x = form.operands(4);
    std::uint64_t& hash = all.try_emplace(form.c->record, 0xCBF29CE484222325ULL).first->second;
    hash = digest(evaluated(in_company(*form.c, to_arrays(x, form.layout))), hash);
    ++count;
    if (!has_derivatives(form) || form.layout != Layout::kContiguous) continue;
    const Problem problem(*form.c, x);
    hash = digest(evaluated(derivatives(problem)(problem.x())), hash);
    ++count;
  }
  return all;
}

// A process has one instruction set, so that the others need processes of their own: this is what they run.
TEST(LawsOfOneInstructionSet, PrintsTheDigest) {
  int count = 0;
  LeftOut left_out;
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const auto& [record, digest] : digests(count, left_out)) {
    hash = (hash ^ digest) * 0x100000001B3ULL;
    if (std::getenv("PELLUCID_LAWS_EACH") != nullptr)
      std::printf("of %s: %016llx\n", record.c_str(), static_cast<unsigned long long>(digest));
  }
  std::printf("digest of %d cases with %s: %016llx\n", count, kernels::name_of(kernels::isa()),
              static_cast<unsigned long long>(hash));
}

/// The lines `of RECORD: DIGEST` of a text.
std::map<std::string, std::string> digests_in(const std::string& text) {
  std::map<std::string, std::string> all;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    const std::size_t colon = line.rfind(": ");
    if (line.rfind("of ", 0) == 0 && colon != std::string::npos)
      all[line.substr(3, colon - 3)] = line.substr(colon + 2);
    if (text.find('\n', at) == std::string::npos) break;
  }
  return all;
}

TEST(LawsOfBits, EveryInstructionSetGivesTheSameBits) {
  std::map<std::string, std::map<std::string, std::string>> found;
  const Environment each("PELLUCID_LAWS_EACH", "1");
  for (const char* name : {"avx2", "avx512"}) {
    const Environment isa("PELLUCID_ISA", name);
    // The shell that popen starts is /proc/self itself by then.
    const std::string command =
        std::filesystem::read_symlink("/proc/self/exe").string() + " --gtest_filter='LawsOfOneInstructionSet.*' 2>&1";
    FILE* child = popen(command.c_str(), "r");
    ASSERT_NE(child, nullptr);
    std::string text;
    char line[512];
    while (std::fgets(line, sizeof line, child) != nullptr) text += line;
    const int status = pclose(child);
    const std::size_t at = text.find("digest of ");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && at != std::string::npos) {
      std::printf("instruction set %s: %s\n", name, text.substr(at, text.find('\n', at) - at).c_str());
      found[name] = digests_in(text);
      EXPECT_GT(found[name].size(), 100U);
    } else if (text.find("processor") != std::string::npos && at == std::string::npos &&
               text.find("PELLUCID_ISA") != std::string::npos) {
      std::printf("  left out: instruction set %s, which this processor lacks\n", name);
    } else {
      ADD_FAILURE() << "the process with PELLUCID_ISA=" << name << " failed:\n" << text;
    }
  }
  for (const auto& [name, lines] : found) {
    for (const auto& [record, hash] : lines)
      EXPECT_EQ(hash, found.begin()->second[record]) << record << ": " << name << " and " << found.begin()->first;
  }
}

}  // namespace
}  // namespace pellucid::laws
