// Axes, lines, bars.
#include "html_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "html_page.h"
#include "terminal.h"

namespace pellucid::cli::html {
namespace {

constexpr double kDigit = 6.8;   // pixels of a digit, about
constexpr double kLetter = 8.4;  // and of a letter in a name
constexpr int kMostTicks = 6;

// An element with its title, if there is one.
std::string element(std::string_view name, const std::string& attributes, std::string_view title) {
  if (title.empty()) return fmt::format("<{} {}/>\n", name, attributes);
  return fmt::format("<{} {}><title>{}</title></{}>\n", name, attributes, escape(title), name);
}

std::vector<double> powers_of_ten(double low, double high) {
  std::vector<double> places;
  for (int power = static_cast<int>(std::floor(std::log10(low))); power <= std::ceil(std::log10(high)); ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double place = factor * std::pow(10.0, power);
      if (place >= low * 0.999 && place <= high * 1.001) places.push_back(place);
    }
  }
  if (places.size() <= kMostTicks) return places;
  std::erase_if(places, [](double place) {
    const double power = std::log10(place);
    return std::abs(power - std::round(power)) > 1e-9;
  });
  return places;
}

std::vector<double> places_of(const Axis& axis, int most) {
  return axis.logarithmic ? powers_of_ten(axis.low, axis.high) : ticks(axis.low, axis.high, most);
}

std::vector<std::string> texts_of(const Axis& axis, const std::vector<double>& places) {
  std::vector<std::string> texts;
  const double step = places.size() > 1 ? places[1] - places[0] : 1;
  for (const double place : places) {
    if (axis.logarithmic) {
      texts.push_back(fmt::format("{:g}", place));
    } else if (axis.percent) {
      texts.push_back(tick_text(100 * place, 100 * step) + " %");
    } else {
      texts.push_back(tick_text(place, step));
    }
  }
  return texts;
}

double share_of(const Axis& axis, double value) {
  if (axis.logarithmic) {
    return std::log(std::max(value, axis.low * 1e-3) / axis.low) / std::log(axis.high / axis.low);
  }
  return (value - axis.low) / (axis.high - axis.low);
}

}  // namespace

std::vector<double> ticks(double low, double high, int most) {
  const double rough = (high - low) / std::max(1, most);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999999) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> places;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) places.push_back(k * step);
  return places;
}

std::string tick_text(double value, double step) {
  if (std::abs(value) < step * 1e-6) return "0";
  const double size = std::max(std::abs(value), std::abs(step));
  if (size >= 1e7 || std::abs(step) < 1e-5) return fmt::format("{:.4g}", value);
  if (step >= 1) return grouped(std::llround(value));
  const int digits = static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  return fmt::format("{:.{}f}", value, std::clamp(digits, 1, 6));
}

Axis axis_over(const std::string& label, const std::vector<double>& values, bool from_zero) {
  double low = 0, high = 0;
  bool any = false;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
  if (from_zero) low = std::min(low, 0.0);
  if (!any || high <= low) {
    const double room = any && high != 0 ? std::abs(high) * 0.1 : 0.5;
    return {.label = label, .low = from_zero && low >= 0 ? 0 : low - room, .high = high + room};
  }
  const double room = 0.04 * (high - low);
  return {.label = label, .low = from_zero && low >= 0 ? 0 : low - room, .high = high + room};
}

Chart::Chart(Axis x, Axis y, std::string description, double width, double height)
    : x_(std::move(x)), y_(std::move(y)), description_(std::move(description)), width_(width), height_(height) {
  std::size_t widest = 0;
  for (const std::string& text : texts_of(y_, places_of(y_, kMostTicks))) widest = std::max(widest, text.size());
  left_ = 14 + kDigit * static_cast<double>(widest);
  top_ = y_.label.empty() ? 10 : 26;
  // The last tick's text stands half to the right of the axis.
  const std::vector<std::string> across = texts_of(x_, places_of(x_, kMostTicks));
  right_ = width_ - 6 - (across.empty() ? 0 : kDigit * static_cast<double>(across.back().size()) / 2);
  bottom_ = height_ - (x_.label.empty() ? 24 : 42);
}

double Chart::at_x(double x) const { return left_ + std::clamp(share_of(x_, x), -0.02, 1.02) * (right_ - left_); }
double Chart::at_y(double y) const { return bottom_ - std::clamp(share_of(y_, y), -0.02, 1.02) * (bottom_ - top_); }

std::string Chart::frame() const {
  std::string result;
  const std::vector<double> across = places_of(x_, kMostTicks), up = places_of(y_, kMostTicks);
  const std::vector<std::string> across_texts = texts_of(x_, across), up_texts = texts_of(y_, up);
  for (std::size_t i = 0; i < up.size(); ++i) {
    const double y = at_y(up[i]);
    result += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", left_, y,
                          right_, y);
    result +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left_ - 7, y + 4, up_texts[i]);
  }
  result += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", left_,
                        bottom_, right_, bottom_);
  for (std::size_t i = 0; i < across.size(); ++i) {
    const double x = at_x(across[i]);
    result += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", x, bottom_,
                          x, bottom_ + 4);
    result += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", x, bottom_ + 17,
                          across_texts[i]);
  }
  if (!x_.label.empty()) {
    result += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", (left_ + right_) / 2,
                          height_ - 6, escape(x_.label));
  }
  if (!y_.label.empty()) result += fmt::format("<text x=\"2\" y=\"13\">{}</text>\n", escape(y_.label));
  return result;
}

void Chart::line(const std::vector<double>& x, const std::vector<double>& y, std::string_view css) {
  std::string points;
  std::size_t count = 0;
  const auto end = [&] {
    if (count == 1) {
      const std::string place = points.substr(0, points.size() - 1);
      const std::size_t comma = place.find(',');
      drawn_ += fmt::format("<circle class=\"dot\" cx=\"{}\" cy=\"{}\" r=\"3\"/>\n", place.substr(0, comma),
                            place.substr(comma + 1));
    } else if (count > 1) {
      points.pop_back();
      drawn_ += fmt::format("<polyline class=\"{}\" points=\"{}\"/>\n", css, points);
    }
    points.clear();
    count = 0;
  };
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) {
      end();
      continue;
    }
    points += fmt::format("{:.1f},{:.1f} ", at_x(x[i]), at_y(y[i]));
    ++count;
  }
  end();
}

void Chart::rule(double x0, double y0, double x1, double y1, std::string_view title, std::string_view css) {
  drawn_ += element("line",
                    fmt::format("class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"", css, at_x(x0),
                                at_y(y0), at_x(x1), at_y(y1)),
                    title);
}

void Chart::dot(double x, double y, double radius, std::string_view css, std::string_view title) {
  drawn_ += element("circle",
                    fmt::format("class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"", css, at_x(x), at_y(y), radius),
                    title);
}

void Chart::whisker(double x, double y0, double y1) {
  const double left = at_x(x) - 4, right = at_x(x) + 4, middle = at_x(x), low = at_y(y0), high = at_y(y1);
  drawn_ +=
      fmt::format("<path class=\"whisker\" d=\"M{:.1f} {:.1f}H{:.1f}M{:.1f} {:.1f}H{:.1f}M{:.1f} {:.1f}V{:.1f}\"/>\n",
                  left, low, right, left, high, right, middle, low, high);
}

void Chart::bar(double x0, double y0, double x1, double y1, std::string_view css, std::string_view title) {
  const double left = at_x(x0), right = at_x(x1), top = at_y(std::max(y0, y1)), bottom = at_y(std::min(y0, y1));
  drawn_ += element("rect",
                    fmt::format("class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"", css, left,
                                top, std::max(0.5, right - left), std::max(0.0, bottom - top)),
                    title);
}

void Chart::area(double x0, double y0, double x1, double y1, std::string_view title) {
  bar(x0, y0, x1, y1, "hit", title);
}

void Chart::text(double x, double y, std::string_view words, std::string_view anchor, double down) {
  drawn_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", at_x(x), at_y(y) + down,
                        anchor, escape(words));
}

std::string Chart::svg() const {
  return fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\">\n{}{}</svg>\n", width_, height_,
                     escape(description_), frame(), drawn_);
}

namespace {

constexpr double kListWidth = 460, kListStep = 24, kBarHeight = 14;

// The columns of a list: names, what is drawn, texts.
struct Columns {
  Axis axis;
  double left, right;
  double at(double value) const { return left + share_of(axis, value) * (right - left); }
};

Columns columns_of(const std::vector<NamedBar>& list, bool from_zero) {
  std::size_t longest = 0, words = 0;
  std::vector<double> ends;
  for (const NamedBar& one : list) {
    longest = std::max(longest, width(shortened(one.name, 24)));
    words = std::max(words, width(one.text));
    ends.push_back(one.value);
    if (one.high > one.low) ends.insert(ends.end(), {one.low, one.high});
  }
  Axis axis = axis_over("", ends, from_zero);
  if (from_zero) {
    axis.high = std::max(0.0, *std::max_element(ends.begin(), ends.end()));
    axis.low = std::min(0.0, *std::min_element(ends.begin(), ends.end()));
    if (axis.high <= axis.low) axis.high = axis.low + 1;
  }
  return {.axis = axis,
          .left = 12 + kLetter * static_cast<double>(longest),
          .right = kListWidth - 14 - kDigit * static_cast<double>(words)};
}

std::string whisker_across(double low, double high, double middle) {
  return fmt::format("<path class=\"whisker\" d=\"M{:.1f} {:.1f}H{:.1f}M{:.1f} {:.1f}V{:.1f}M{:.1f} {:.1f}V{:.1f}\"/>",
                     low, middle, high, low, middle - 4, middle + 4, high, middle - 4, middle + 4);
}

// One line: its name, what `draw` makes of it at the given height, its whisker and its text.
template <class Draw>
std::string list_line(const NamedBar& one, const Columns& columns, double top, Draw draw) {
  const double middle = top + kBarHeight / 2 + 2;
  std::string text = fmt::format("<g><title>{}</title>", escape(one.title.empty() ? one.name : one.title));
  text += fmt::format("<rect class=\"hit\" x=\"0\" y=\"{:.1f}\" width=\"{:g}\" height=\"{:g}\"/>", top, kListWidth,
                      kListStep);
  text += fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", columns.left - 8,
                      middle + 4, escape(shortened(one.name, 24)));
  text += draw(middle);
  if (one.high > one.low) text += whisker_across(columns.at(one.low), columns.at(one.high), middle);
  if (!one.text.empty()) {
    text += fmt::format("<text x=\"{:g}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kListWidth - 2, middle + 4,
                        escape(one.text));
  }
  return text + "</g>\n";
}

std::string list_svg(double height, const std::string& description, const std::string& drawn) {
  return fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n", kListWidth, height,
                     escape(description), drawn);
}

}  // namespace

std::string bars(const std::vector<NamedBar>& list, const std::string& description, const std::string& label) {
  const Columns columns = columns_of(list, true);
  std::string text;
  double top = 4;
  for (const NamedBar& one : list) {
    text += list_line(one, columns, top, [&](double middle) {
      const double from = columns.at(std::min(0.0, one.value)), to = columns.at(std::max(0.0, one.value));
      return fmt::format("<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:g}\" rx=\"2\"/>",
                         from, middle - kBarHeight / 2, std::max(1.0, to - from), kBarHeight);
    });
    top += kListStep;
  }
  const double zero = columns.at(0);
  text += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" y1=\"2\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", zero, zero, top);
  if (!label.empty()) {
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                        (columns.left + columns.right) / 2, top + 16, escape(label));
    top += 20;
  }
  return list_svg(top + 4, description, text);
}

std::string dots(const std::vector<NamedBar>& list, const std::string& description, bool percent) {
  Columns columns = columns_of(list, false);
  columns.axis.percent = percent;
  const double bottom = 4 + kListStep * static_cast<double>(list.size());
  const std::vector<double> places = ticks(columns.axis.low, columns.axis.high, 4);
  const std::vector<std::string> texts = texts_of(columns.axis, places);
  std::string text;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const double x = columns.at(places[i]);
    text += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" y1=\"2\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", x, x, bottom);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", x, bottom + 14, texts[i]);
  }
  double top = 4;
  for (const NamedBar& one : list) {
    text += list_line(one, columns, top, [&](double middle) {
      return fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\"/>", columns.at(one.value),
                         middle);
    });
    top += kListStep;
  }
  return list_svg(bottom + 20, description, text);
}

}  // namespace pellucid::cli::html
