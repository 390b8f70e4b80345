// The frame of a page and its style.
#include "html_page.h"

#include <fmt/format.h>

namespace pellucid::cli::html {
namespace {

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark;
  --ground: #ffffff; --panel: #f6f7f9; --line: #dfe3e8; --text: #1d2430; --soft: #5b6675;
  --one: #2f6db5; --two: #c2611a; --three: #3c8a4e; --wash: 47,109,181; --warn: 194,97,26; --bad: #b3372f; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #14181f; --panel: #1b212a; --line: #313a46; --text: #e4e8ee; --soft: #9aa6b5;
  --one: #78aef0; --two: #efa05e; --three: #7dcf92; --wash: 96,152,222; --warn: 239,160,94; --bad: #ef857c; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { font-size: 28px; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; margin: 0 0 6px; overflow-wrap: anywhere; }
.subtitle { margin: 0; color: var(--soft); overflow-wrap: anywhere; }
nav { margin: 20px 0 0; padding-bottom: 14px; border-bottom: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 15px; }
a { color: var(--one); text-decoration: none; } a:hover { text-decoration: underline; }
section { padding-top: 36px; }
h2 { font-size: 20px; font-weight: 650; margin: 0 0 14px; }
h3 { font-size: 16px; font-weight: 600; margin: 26px 0 8px; }
p { margin: 0 0 12px; max-width: 72ch; overflow-wrap: anywhere; } .soft { color: var(--soft); font-size: 14px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 0 0 20px; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; }
.tile b { display: block; font-size: 24px; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { display: block; color: var(--soft); font-size: 13.5px; line-height: 1.45; }
.scroll { overflow-x: auto; margin: 0 0 14px; max-width: 100%; }
table { border-collapse: collapse; font-size: 14.5px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13.5px; }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:last-child, th:last-child { padding-right: 0; }
td.r, th.r { text-align: right; white-space: nowrap; } td:not(.r) { overflow-wrap: anywhere; min-width: 13ch; }
table.wide td:nth-child(2) { min-width: 7ch; } table.wide td:nth-child(4) { min-width: 20ch; } table.wide td:last-child { min-width: 28ch; }
table.heat { border-collapse: separate; border-spacing: 2px; } table.heat th, table.heat td { border: 0; padding: 5px 9px; min-width: 0; }
table.heat th.r, table.heat td.r { text-align: center; white-space: nowrap; } table.heat td { border-radius: 3px; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 16px; margin: 0 0 18px; }
figure { margin: 0; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px 12px; min-width: 0; }
.row > figure:only-child { max-width: 620px; }
figure h3 { margin: 0 0 2px; font-size: 15px; } figcaption { color: var(--soft); font-size: 13.5px; line-height: 1.45; margin-top: 6px; }
svg { display: block; width: 100%; height: auto; max-width: 560px; }
svg text { fill: var(--soft); font-size: 12px; font-family: inherit; } svg text.name { fill: var(--text); }
.key { display: inline-block; margin-right: 16px; font-size: 13.5px; color: var(--soft); }
.key::before { content: ""; display: inline-block; width: 14px; height: 3px; border-radius: 2px; vertical-align: middle; margin-right: 6px; background: var(--one); }
.key.two::before { background: var(--two); } .key.three::before { background: var(--three); }
.grid { stroke: var(--line); stroke-width: 1; } .axis { stroke: var(--soft); stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.one, .rule.one, .whisker.one { stroke: var(--one); } .line.two, .rule.two { stroke: var(--two); } .line.three { stroke: var(--three); }
.rule { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 4 4; fill: none; }
.whisker { stroke: var(--text); stroke-width: 1.4; fill: none; }
.dot { fill: var(--one); } .dot.two { fill: var(--two); } .cloud { fill: var(--one); fill-opacity: 0.4; } .bar { fill: var(--one); fill-opacity: 0.8; } .bar.pale { fill-opacity: 0.3; }
.hit { fill: transparent; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; margin: 0 0 14px; overflow-x: auto;
  font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { font: 0.92em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
ul { margin: 0 0 14px; padding-left: 20px; } li { margin: 3px 0; overflow-wrap: anywhere; }
details { margin: 0 0 14px; } summary { cursor: pointer; color: var(--one); font-size: 15px; margin-bottom: 8px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 12px; margin: 0 0 14px; }
.pictures div { font-size: 13px; line-height: 1.35; overflow-wrap: anywhere; } .pictures img { display: block; width: 100%; image-rendering: pixelated; border-radius: 6px; border: 1px solid var(--line); margin-bottom: 4px; }
.good { color: var(--three); } .bad { color: var(--bad); }
footer { color: var(--soft); font-size: 13.5px; padding-top: 40px; padding-bottom: 40px; }
@media (max-width: 600px) { main, header, footer { padding-left: 16px; padding-right: 16px; } header { padding-top: 24px; } h1 { font-size: 23px; } figure { padding: 12px; } svg text { font-size: 13.5px; } }
@media print { section { break-inside: avoid; } nav { display: none; } }
)css";

// The length of the character that begins at `at`, or 0 where the bytes are no UTF-8.
std::size_t character(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 && first <= 0xF4  ? 4
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xC2 && first < 0xE0 ? 2
                                                             : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  const bool wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                     (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return wrong ? 0 : length;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character(text, at);
    const char c = text[at];
    const bool control = length == 1 && (static_cast<unsigned char>(c) < 32 || c == 127) && c != '\n' && c != '\t';
    if (length == 0 || control) {
      result += "\xEF\xBF\xBD";
    } else if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '"') {
      result += "&quot;";
    } else if (c == '\'') {
      result += "&#39;";
    } else {
      result += text.substr(at, length);
    }
    at += length == 0 ? 1 : length;
  }
  return result;
}

std::string page(const std::string& title, const std::string& subtitle, const std::vector<Section>& sections) {
  std::string text =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src "
      "data:\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n";
  text += fmt::format("<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n", escape(title), kStyle);
  text += fmt::format("<header>\n<h1>{}</h1>\n<p class=\"subtitle\">{}</p>\n<nav aria-label=\"Sections\">",
                      escape(title), escape(subtitle));
  for (const Section& section : sections) {
    text += fmt::format("<a href=\"#{}\">{}</a>", section.id, escape(section.title));
  }
  text += "</nav>\n</header>\n<main>\n";
  for (const Section& section : sections) {
    text += fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n", section.id, escape(section.title),
                        section.body);
  }
  return text +
         "</main>\n<footer>Made by pellucid. This page needs no network and runs no script.</footer>\n"
         "</body>\n</html>\n";
}

std::string table(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right,
                  std::string_view css_class) {
  std::string text = css_class.empty()
                         ? "<div class=\"scroll\" tabindex=\"0\"><table>\n"
                         : fmt::format("<div class=\"scroll\" tabindex=\"0\"><table class=\"{}\">\n", css_class);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += i == 0 ? "<thead><tr>" : "<tr>";
    for (std::size_t j = 0; j < rows[i].size(); ++j) {
      const char* mark = j < right.size() && right[j] ? " class=\"r\"" : "";
      text += i == 0 ? fmt::format("<th scope=\"col\"{}>{}</th>", mark, rows[i][j])
                     : fmt::format("<td{}>{}</td>", mark, rows[i][j]);
    }
    text += i == 0 ? "</tr></thead><tbody>\n" : "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

std::string figure(const std::string& heading, const std::string& svg, const std::string& caption) {
  return fmt::format("<figure><h3>{}</h3>\n{}{}</figure>\n", escape(heading), svg,
                     caption.empty() ? "" : "<figcaption>" + caption + "</figcaption>");
}

std::string row(const std::vector<std::string>& figures) {
  return fmt::format("<div class=\"row\">\n{}</div>\n", fmt::join(figures, ""));
}

std::string heading(std::string_view text) { return fmt::format("<h3>{}</h3>\n", escape(text)); }
std::string paragraph(std::string_view text) { return fmt::format("<p>{}</p>\n", escape(text)); }

}  // namespace pellucid::cli::html
