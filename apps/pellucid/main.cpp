// The command-line program: the verbs, and what becomes of errors.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "cli.h"
#include "pellucid/error.h"
#include "pellucid/tabular.h"
#include "pellucid/version.h"
#include "values.h"

namespace pellucid::cli {
namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  pellucid train income.csv --target income\n"
    "  pellucid predict income.safetensors new.csv > out.csv\n"
    "  pellucid evaluate income.safetensors held-out.csv\n"
    "  pellucid inspect income.safetensors\n"
    "  pellucid schema income.csv\n"
    "  pellucid train /usr/share/datasets/fashion-mnist --hidden 256,128 --epochs 10\n\n"
    "`pellucid VERB --help` has the options of a verb.\n\n"
    "Exit status\n"
    "  0    done\n"
    "  1    the data, a file or the training is at fault\n"
    "  2    the command line or the configuration file is at fault\n"
    "  129  130  143  ended by SIGHUP, SIGINT (Ctrl-C), SIGTERM; train saved the best parameters so far,\n"
    "       and `pellucid train --resume` goes on";

int complain(const char* text, int status) {
  std::fflush(stdout);
  std::fprintf(stderr, "pellucid: %s\n", text);
  return status;
}

// What the parser says, in words that help: an option that does not exist comes before one that is missing.
std::string explain(const CLI::App& program, const CLI::ParseError& error, const std::vector<std::string>& verbs) {
  const CLI::App* verb = &program;
  std::string command = "pellucid";
  for (const CLI::App* chosen : program.get_subcommands()) {
    verb = chosen;
    command += " " + chosen->get_name();
  }
  for (const std::string& word : program.remaining(true)) {
    if (!word.starts_with("-")) {
      return fmt::format("'{}' is one argument too many; `{} --help` shows what it takes", word, command);
    }
    return no_option(*verb, word, command);
  }
  for (const CLI::Option* option : verb->get_options()) {
    if (option->get_required() && option->count() == 0) {
      return fmt::format("{} is missing; `{} --help` has examples", option->get_type_name(), command);
    }
    const std::size_t most = static_cast<std::size_t>(std::max(option->get_items_expected_max(), 1));
    if (error.get_name() == "ArgumentMismatch" && option->count() > most) {
      return fmt::format("{} takes {}, and {} are given; leave one", option->get_name(),
                         counted(static_cast<std::int64_t>(most), "value", "values"), option->count());
    }
  }
  if (verb == &program && program.get_subcommands().empty() && error.get_name() == "RequiredError") {
    return fmt::format("a verb is needed: {}; `pellucid --help` explains them", fmt::join(verbs, ", "));
  }
  return fmt::format("{}; `{} --help` explains the options", error.what(), command);
}

// The library begins with an option's name: "label_smoothing 0.1 is ..." is of --label-smoothing.
std::string as_option(std::string text) {
  for (char& c : text) {
    if (c == ' ' || c == ':') break;
    if (c == '_') c = '-';
  }
  return "--" + text;
}

int run(int argc, char** argv) {
  remember_command_line(argc, argv);
  CLI::App program("Trains neural networks on tables and pictures, and predicts with them.", "pellucid");
  program.set_version_flag("--version", std::string("pellucid ") + version(), "The version");
  program.set_help_flag("-h,--help", "This text");
  program.require_subcommand(1);
  program.footer(kFooter);
  program.formatter(help_formatter());
  Action action;
  add_train(program, action);
  add_predict(program, action);
  add_evaluate(program, action);
  add_compare(program, action);
  add_inspect(program, action);
  add_schema(program, action);
  add_ops(program, action);
  std::vector<std::string> verbs;
  for (const CLI::App* verb : program.get_subcommands([](const CLI::App*) { return true; })) {
    verbs.push_back(verb->get_name());
  }
  std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words[0] == "help") {  // `help VERB` is `VERB --help`
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  if (!words.empty() && !words[0].starts_with("-") && std::find(verbs.begin(), verbs.end(), words[0]) == verbs.end()) {
    usage("there is no verb '{}'; take one of {}", words[0], fmt::join(verbs, ", "));
  }
  if (!words.empty() && !words[0].starts_with("-")) {
    check_values(*program.get_subcommand(words[0]), {words.begin() + 1, words.end()});
  }
  std::reverse(words.begin(), words.end());  // as the parser wants them
  try {
    program.parse(words);
  } catch (const CLI::Success& success) {  // --help and --version
    const int status = program.exit(success);
    flush();
    return status;
  } catch (const CLI::ParseError& error) {
    return complain(explain(program, error, verbs).c_str(), kUsage);
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
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the limit on sizes is an error like a full disk
  try {
    return run(argc, argv);
  } catch (const UsageError& error) {
    return complain(error.what(), kUsage);
  } catch (const Interrupted& error) {
    return complain(error.what(), kSignal + error.signal());
  } catch (const pellucid::OptionError& error) {
    return complain(as_option(error.what()).c_str(), kUsage);
  } catch (const pellucid::Error& error) {
    return complain(error.what(), kFailed);
  } catch (const std::bad_alloc&) {
    return complain("there is not enough memory; take fewer rows, smaller layers or a smaller --batch", kFailed);
  } catch (const std::exception& error) {
    return complain((std::string("internal error: ") + error.what()).c_str(), kFailed);
  }
}
