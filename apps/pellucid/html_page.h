// A page that stands for itself: no script, nothing fetched, light and dark, wide and narrow. Whatever comes from data
// goes through escape().
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pellucid::cli::html {

/// Text for elements and attributes: & < > " ' are replaced; bytes that are no UTF-8, and control characters, become
/// U+FFFD.
std::string escape(std::string_view text);

/// One part of a page; `id` names it in the list at the top.
struct Section {
  std::string id, title;
  std::string body;  // HTML
};

/// A whole document. `title` and `subtitle` are text. Its policy forbids scripts and every request.
std::string page(const std::string& title, const std::string& subtitle, const std::vector<Section>& sections);

/// Rows of cells that are HTML, the first of which is the head; columns named in `right` are aligned to the right.
/// Scrolls where the page is too narrow.
std::string table(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right = {},
                  std::string_view css_class = "");

/// A picture with words under it; `svg` and `caption` are HTML.
std::string figure(const std::string& heading, const std::string& svg, const std::string& caption = "");
/// Pictures beside each other where there is room.
std::string row(const std::vector<std::string>& figures);

/// A heading within a section; the text is escaped.
std::string heading(std::string_view text);
std::string paragraph(std::string_view text);

}  // namespace pellucid::cli::html
