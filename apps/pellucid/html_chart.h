// Pictures as inline SVG: a coordinate system with ticks at round numbers, and what is drawn in it. Colours are classes
// of the page's style.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pellucid::cli::html {

/// Round numbers within [low, high], about `most` of them, 1, 2 or 5 times a power of ten apart.
std::vector<double> ticks(double low, double high, int most);
/// Ticks that differ by `step` with the digits they need: "0.25", "1,500", "2e+09".
std::string tick_text(double value, double step);

struct Axis {
  std::string label;
  double low = 0, high = 1;
  bool percent = false;      // of shares
  bool logarithmic = false;  // low and high are above 0
};

/// Room for the values, a little wider, and never empty. NaN and infinities do not count.
Axis axis_over(const std::string& label, const std::vector<double>& values, bool from_zero = false);

class Chart {
 public:
  /// `description` is read out in the place of the picture; all texts are escaped here.
  Chart(Axis x, Axis y, std::string description, double width = 460, double height = 300);

  /// Places that are not numbers end a line, and the next one begins it again.
  void line(const std::vector<double>& x, const std::vector<double>& y, std::string_view css);
  /// Between two places.
  void rule(double x0, double y0, double x1, double y1, std::string_view title = "", std::string_view css = "rule");
  void dot(double x, double y, double radius, std::string_view css, std::string_view title = "");
  /// From y0 to y1, with ends.
  void whisker(double x, double y0, double y1);
  /// A box between two corners.
  void bar(double x0, double y0, double x1, double y1, std::string_view css, std::string_view title = "");
  /// Invisible, to carry a title.
  void area(double x0, double y0, double x1, double y1, std::string_view title);
  void text(double x, double y, std::string_view words, std::string_view anchor = "middle", double down = 0);

  std::string svg() const;

 private:
  double at_x(double x) const;
  double at_y(double y) const;
  std::string frame() const;

  Axis x_, y_;
  std::string description_, drawn_;
  double width_, height_, left_, top_, right_, bottom_;
};

/// A line of a chart of horizontal bars.
struct NamedBar {
  std::string name;
  double value = 0;
  double low = 0, high = 0;  // of a whisker; equal: none
  std::string title;         // what is shown where the mouse stands
  std::string text;          // at the bar's end
};
std::string bars(const std::vector<NamedBar>& list, const std::string& description, const std::string& label = "");
/// The same as points over an axis that holds them closely, for numbers that differ by little.
std::string dots(const std::vector<NamedBar>& list, const std::string& description, bool percent = false);

}  // namespace pellucid::cli::html
