// report_frontier.cc - the schedules that no other one beats, arena against instructions.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codegen/report_svg.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

constexpr double kWide = 760, kHigh = 330, kLeft = 76, kRight = 24, kTop = 16, kBottom = 44;
constexpr double kLogFrom = 4;    // a range wider than this many times its least is drawn logarithmically
constexpr double kApart = 15;     // pixels between two numbered points
constexpr double kMargin = 0.06;  // of the range, at both ends

// Values to pixels.
struct Axis {
  double low = 0, high = 1, from = 0, to = 0;
  bool logarithmic = false;
  double operator()(double value) const {
    const double part = logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + (to - from) * part;
  }
};

Axis AxisOf(double low, double high, double from, double to) {
  Axis axis{low, high, from, to, low > 0 && high / low > kLogFrom};
  if (axis.logarithmic) {
    const double factor = std::pow(high / low, kMargin);
    axis.low = low / factor, axis.high = high * factor;
  } else {
    const double margin = std::max((high - low) * kMargin, high * 0.005 + 1);
    axis.low = std::max(low - margin, 0.0), axis.high = high + margin;
  }
  return axis;
}

// 1, 2, 5 times powers of ten where logarithmic, else about five round steps.
std::vector<double> Ticks(const Axis &axis) {
  std::vector<double> ticks;
  if (axis.logarithmic) {
    for (double power = std::pow(10, std::floor(std::log10(axis.low))); power <= axis.high; power *= 10)
      for (const double digit : {1.0, 2.0, 5.0})
        if (digit * power >= axis.low && digit * power <= axis.high) ticks.push_back(digit * power);
    return ticks;
  }
  const double rough = (axis.high - axis.low) / 5, power = std::pow(10, std::floor(std::log10(rough)));
  double step = power;
  for (const double digit : {1.0, 2.0, 5.0, 10.0})
    if (digit * power <= rough * 1.5) step = digit * power;
  for (double at = std::ceil(axis.low / step) * step; at <= axis.high; at += step) ticks.push_back(at);
  return ticks;
}

std::string TickText(double value, const char *unit) {
  if (value >= 1e9) return absl::StrFormat("%.4g G%s", value / 1e9, unit);
  if (value >= 1e6) return absl::StrFormat("%.4g M%s", value / 1e6, unit);
  if (value >= 1e3) return absl::StrFormat("%.4g k%s", value / 1e3, unit);
  return absl::StrFormat("%.4g %s", value, unit);
}

std::string Axes(const Axis &x, const Axis &y) {
  std::string svg;
  for (const double at : Ticks(x)) {
    absl::StrAppendFormat(&svg, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x(at), y.to, y.from);
    absl::StrAppendFormat(&svg, "<text class=\"tick mid\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x(at), y.from + 16,
                          TickText(at, "B"));
  }
  for (const double at : Ticks(y)) {
    absl::StrAppendFormat(&svg, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", x.from, y(at), x.to);
    absl::StrAppendFormat(&svg, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x.from - 6, y(at) + 4,
                          TickText(at, ""));
  }
  absl::StrAppendFormat(&svg, "<text class=\"axis end\" x=\"%.1f\" y=\"%.1f\">arena →</text>\n", x.to, kHigh - 8);
  absl::StrAppendFormat(&svg, "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\">instructions (estimate)</text>\n", x.from + 6,
                        kTop - 4);
  return svg;
}

// Exact: a disc; numeric: a diamond. The chosen one is larger.
std::string Point(const FrontierRow &row, double x, double y) {
  const double r = row.chosen ? 8 : 5;
  const std::string kind = absl::StrCat(row.exact ? "exact" : "numeric", row.chosen ? " chosen" : "");
  const std::string title =
      HtmlText(absl::StrCat(row.name, ": ", Grouped(row.arena_bytes), " B, ", Grouped(row.instructions),
                            " instructions, ", row.exact ? "exact" : "numeric", row.chosen ? ", chosen" : ""));
  if (row.exact)
    return absl::StrFormat("<circle class=\"point %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.0f\"><title>%s</title></circle>\n",
                           kind, x, y, r, title);
  return absl::StrFormat(
      "<path class=\"point %s\" d=\"M%.1f %.1fl%.0f %.0fl%.0f %.0fl%.0f %.0fz\"><title>%s</title></path>\n", kind, x,
      y - r - 1, r + 1, r + 1, -r - 1, r + 1, -r - 1, -r - 1, title);
}

// Numbers beside the points, as in the table; where points are dense the chosen one's goes first.
std::string Numbers(const ReportModel &model, const Axis &x, const Axis &y) {
  std::vector<size_t> order;
  for (size_t i = 0; i < model.frontier.size(); i++) order.push_back(i);
  std::stable_partition(order.begin(), order.end(), [&](size_t i) { return model.frontier[i].chosen; });
  std::vector<std::pair<double, double>> taken;
  std::string svg;
  for (const size_t i : order) {
    const FrontierRow &row = model.frontier[i];
    const double px = x(static_cast<double>(row.arena_bytes)) + 9, py = y(static_cast<double>(row.instructions)) - 8;
    const bool crowded = std::any_of(taken.begin(), taken.end(), [&](const std::pair<double, double> &p) {
      return std::abs(p.first - px) < kApart && std::abs(p.second - py) < kApart;
    });
    if (crowded) continue;
    taken.emplace_back(px, py);
    const bool at_edge = px > kWide - kRight - 40;
    absl::StrAppendFormat(&svg, "<text class=\"name%s\" x=\"%.1f\" y=\"%.1f\">%d%s</text>\n", at_edge ? " end" : "",
                          at_edge ? px - 4 : px, at_edge ? py - 4 : py, i + 1, row.chosen ? " chosen" : "");
  }
  return svg;
}

}  // namespace

std::string FrontierSvg(const ReportModel &model) {
  const std::vector<FrontierRow> &rows = model.frontier;
  if (rows.empty()) return "";
  const auto [least, most] =
      std::minmax_element(rows.begin(), rows.end(),
                          [](const FrontierRow &a, const FrontierRow &b) { return a.instructions < b.instructions; });
  const Axis x = AxisOf(static_cast<double>(rows.front().arena_bytes), static_cast<double>(rows.back().arena_bytes),
                        kLeft, kWide - kRight);
  const Axis y =
      AxisOf(static_cast<double>(least->instructions), static_cast<double>(most->instructions), kHigh - kBottom, kTop);
  std::string line, points;
  for (const FrontierRow &row : rows) {
    const double px = x(static_cast<double>(row.arena_bytes)), py = y(static_cast<double>(row.instructions));
    line += line.empty() ? absl::StrFormat("M%.1f %.1f", px, py) : absl::StrFormat("H%.1fV%.1f", px, py);
    points += Point(row, px, py);
  }
  const auto budget = static_cast<double>(model.ram_budget);
  std::string limit;
  if (budget > x.low && budget < x.high)
    limit = absl::StrFormat("<path class=\"level dashed\" d=\"M%.1f %.1fV%.1f\"/>\n", x(budget), kTop, kHigh - kBottom);
  return absl::StrCat(
      absl::StrFormat("<svg id=\"frontier\" width=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"arena "
                      "against instructions\">\n",
                      kWide, kWide, kHigh),
      Axes(x, y), limit, "<path class=\"front\" d=\"", line, "\"/>\n", points, Numbers(model, x, y), "</svg>\n");
}

}  // namespace onnx2mcu
