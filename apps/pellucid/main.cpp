// The command-line program: the verbs, and what becomes of errors.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "cli.h"
#include "pellucid/error.h"
#include "pellucid/version.h"

namespace pellucid::cli {
namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  pellucid train income.csv --target income\n"
    "  pellucid predict income.safetensors new.csv > out.csv\n"
    "  pellucid evaluate income.safetensors held-out.csv\n"
    "  pellucid inspect income.safetensors\n"
    "  pellucid train /usr/share/datasets/fashion-mnist --hidden 256,128 --epochs 10\n\n"
    "`pellucid VERB --help` has all options of a verb. Exit status: 0 done; 1 the data, a file or the training is at "
    "fault;\n2 the command line is; 130 interrupted (the best parameters so far were saved).";

int complain(const char* text, int status) {
  std::fflush(stdout);
  std::fprintf(stderr, "pellucid: %s\n", text);
  return status;
}

int run(int argc, char** argv) {
  CLI::App program("Trains neural networks on tables and pictures, and predicts with them.", "pellucid");
  program.set_version_flag("--version", std::string("pellucid ") + version(), "The version");
  program.set_help_flag("--help", "This text");
  program.require_subcommand(1);
  program.footer(kFooter);
  program.formatter(help_formatter());
  Action action;
  add_train(program, action);
  add_predict(program, action);
  add_evaluate(program, action);
  add_inspect(program, action);
  add_ops(program, action);
  std::vector<std::string> verbs;
  for (const CLI::App* verb : program.get_subcommands([](const CLI::App*) { return true; })) {
    verbs.push_back(verb->get_name());
  }
  if (argc > 1 && argv[1][0] != '-' && std::find(verbs.begin(), verbs.end(), argv[1]) == verbs.end()) {
    usage("there is no verb '{}'; take one of {}", argv[1], fmt::join(verbs, ", "));
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help and --version
    const int status = program.exit(success);
    flush();
    return status;
  } catch (const CLI::ParseError& error) {
    std::string verb = "pellucid";
    for (const CLI::App* chosen : program.get_subcommands()) verb += " " + chosen->get_name();
    return complain(fmt::format("{}; `{} --help` explains the options", error.what(), verb).c_str(), kUsage);
  }
  const int status = action();
  flush();
  return status;
}

}  // namespace
}  // namespace pellucid::cli

int main(int argc, char** argv) {
  using namespace pellucid::cli;
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    return std::printf("pellucid %s\n", pellucid::version()) > 0 && std::fflush(stdout) == 0 ? kDone : kFailed;
  }
  try {
    return run(argc, argv);
  } catch (const UsageError& error) {
    return complain(error.what(), kUsage);
  } catch (const pellucid::Error& error) {
    return complain(error.what(), kFailed);
  } catch (const std::bad_alloc&) {
    return complain("there is not enough memory; take fewer rows, smaller layers or a smaller --batch", kFailed);
  } catch (const std::exception& error) {
    return complain((std::string("internal error: ") + error.what()).c_str(), kFailed);
  }
}
