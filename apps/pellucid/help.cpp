// How --help looks: descriptions wrapped beside the options, without the checks' own texts.
#include <algorithm>
#include <memory>

#include "cli.h"

namespace pellucid::cli {
namespace {

constexpr std::size_t kTextColumn = 28;
constexpr std::size_t kLastColumn = 118;

class Help : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool positional) const override {
    std::string name = "  " + (positional ? option->get_type_name() : option->get_name());
    if (!positional && option->get_items_expected() > 0) name += " " + option->get_type_name();
    std::string text;
    std::string line = padded(name, kTextColumn);
    if (width(name) >= kTextColumn) {
      text = name + "\n";
      line = std::string(kTextColumn, ' ');
    }
    std::size_t at = 0;
    const std::string& words = option->get_description();
    while (at < words.size()) {
      const std::size_t end = std::min(words.find(' ', at), words.size());
      const std::string word = words.substr(at, end - at);
      if (width(line) > kTextColumn && width(line) + 1 + width(word) > kLastColumn) {
        text += line + "\n";
        line = std::string(kTextColumn, ' ');
      }
      if (width(line) > kTextColumn) line += ' ';
      line += word;
      at = end + 1;
    }
    return text + line + "\n";
  }

  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string text = "\nUsage: " + (name.empty() ? app->get_name() : name);
    if (!app->get_subcommands([](const CLI::App*) { return true; }).empty()) return text + " VERB ...\n";
    for (const CLI::Option* option : app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
      text += option->get_required() ? " " + option->get_type_name() : " [" + option->get_type_name() + "]";
    }
    return text + " [OPTIONS]\n";
  }

  // The library puts a blank line between groups itself, and none before the first.
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    std::string text = CLI::Formatter::make_help(app, std::move(name), mode);
    for (std::size_t at = text.find("\n\n\n"); at != std::string::npos; at = text.find("\n\n\n")) text.erase(at, 1);
    while (text.ends_with("\n\n")) text.pop_back();
    return text.ends_with('\n') ? text : text + '\n';
  }

  std::string make_subcommands(const CLI::App* app, CLI::AppFormatMode) const override {
    std::string text;
    for (const CLI::App* verb : app->get_subcommands([](const CLI::App*) { return true; })) {
      text += padded("  " + verb->get_name(), kTextColumn) + verb->get_description() + "\n";
    }
    return text.empty() ? text : "\nVerbs\n" + text;
  }

  std::string make_group(std::string group, bool positional, std::vector<const CLI::Option*> options) const override {
    std::string text = group + "\n";
    for (const CLI::Option* option : options) text += make_option(option, positional);
    return "\n" + text;
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() {
  auto help = std::make_shared<Help>();
  help->column_width(kTextColumn);
  help->label("Positionals", "Arguments");
  return help;
}

}  // namespace pellucid::cli
