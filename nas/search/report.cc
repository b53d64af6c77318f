// report.html of a search: drawings are inline SVG, colours follow the reader's scheme.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "importer/ir/text.h"
#include "nas/search/record.h"

namespace onnx2mcu {
namespace {

constexpr double kWide = 560, kHigh = 300, kLeft = 56, kBottom = 34, kTop = 16, kRight = 16;

constexpr char kStyle[] = R"(
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #5a6470; --line: #d5dae0; --grid: #e9ecef;
  --card: #f5f7f9; --dot: #9cc4ea; --front: #2a6cab; --mark: #c7361f; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ec; --soft: #9aa4af; --line: #3a4149;
  --grid: #262b31; --card: #1d2226; --dot: #1f4c77; --front: #6faee8; --mark: #ff7a61; } }
body { margin: 0 auto; padding: 24px 28px 40px; max-width: 1200px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1 { margin: 0 0 16px; font-size: 27px; } h2 { margin: 36px 0 4px; font-size: 19px; }
p { margin: 4px 0 10px; max-width: 52em; color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(172px, 1fr)); gap: 10px; margin: 0; }
.figures div { padding: 10px 12px; background: var(--card); border-radius: 6px; }
.figures dt { color: var(--soft); font-size: 13px; } .figures dd { margin: 0; font-size: 20px; font-weight: 600; }
.plots { display: flex; flex-wrap: wrap; gap: 18px; } svg { max-width: 100%; height: auto; font-size: 11px; }
text { fill: var(--soft); } .end { text-anchor: end; } .mid { text-anchor: middle; }
.grid { stroke: var(--grid); fill: none; } .limit { stroke: var(--mark); stroke-dasharray: 5 4; fill: none; }
.dot { fill: var(--dot); } .front { fill: var(--front); } .best { fill: var(--front); stroke: var(--mark); stroke-width: 2.5; }
.line { stroke: var(--front); fill: none; stroke-width: 1.6; } .mean { stroke: var(--soft); fill: none; }
table { border-collapse: collapse; font-size: 12.5px; } th, td { padding: 3px 10px; text-align: right; }
th { border-bottom: 1px solid var(--ink); } td:first-child, th:first-child { text-align: left; }
tr.best td { background: var(--card); }
)";

std::string Escaped(const std::string &text) {
  std::string html;
  for (const char c : text) {
    if (c == '&') html += "&amp;";
    if (c == '<') html += "&lt;";
    if (c == '>') html += "&gt;";
    if (c == '"') html += "&quot;";
    if (c != '&' && c != '<' && c != '>' && c != '"') html += c;
  }
  return html;
}

struct Scale {
  double low = 0, high = 1, from = 0, to = 1;  // values, pixels
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

// With a margin of a twentieth on either side.
Scale ScaleOf(const std::vector<double> &values, double from, double to) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double margin = std::max((*high - *low) / 20, 1e-9);
  return {*low - margin, *high + margin, from, to};
}

std::string Ticks(const Scale &x, const Scale &y, double x_unit, const char *x_format) {
  std::string svg;
  for (int i = 0; i <= 4; i++) {
    const double at = x.low + (x.high - x.low) * i / 4, up = y.low + (y.high - y.low) * i / 4;
    absl::StrAppendFormat(&svg, "<path class=\"grid\" d=\"M%.1f %.1fH%.1fM%.1f %.1fV%.1f\"/>\n", x.from, y(up), x.to,
                          x(at), y.from, y.to);
    absl::StrAppendFormat(&svg, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">%.1f %%</text>\n", x.from - 6, y(up) + 4,
                          100 * up);
    absl::StrAppend(&svg, absl::StrFormat("<text class=\"mid\" x=\"%.1f\" y=\"%.1f\">", x(at), y.from + 14),
                    x_format[0] == 'i' ? absl::StrFormat("%.0f", at) : absl::StrFormat("%.1f", at / x_unit),
                    "</text>\n");
  }
  return svg;
}

std::string Svg(const std::string &label, const std::string &content) {
  return absl::StrCat(
      absl::StrFormat("<svg width=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", kWide, kWide,
                      kHigh, label),
      content,
      absl::StrFormat("<text class=\"mid\" x=\"%.1f\" y=\"%.1f\">%s</text>\n</svg>\n", kWide / 2, kHigh - 4, label));
}

std::string Dot(const SearchRecord &record, const Objective &objective, size_t i, double x, double y) {
  const Evaluation &evaluation = record.history.evaluations[i];
  const bool front = std::find(record.frontier.begin(), record.frontier.end(), i) != record.frontier.end();
  return absl::StrFormat("<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"><title>%s: %.2f %%</title></circle>\n",
                         i == record.best ? "best"
                         : front          ? "front"
                                          : "dot",
                         x, y, i == record.best ? 6 : 3, Escaped(Describe(objective, evaluation.genes)),
                         100 * evaluation.accuracy);
}

// Accuracy against one of Needs(), in KiB or millions.
std::string Scatter(const SearchRecord &record, const Objective &objective, size_t which, const std::string &label) {
  std::vector<double> xs, ys;
  for (const Evaluation &evaluation : record.history.evaluations) {
    xs.push_back(static_cast<double>(Needs(evaluation.cost, record.limits)[which].value));
    ys.push_back(evaluation.accuracy);
  }
  const Scale x = ScaleOf(xs, kLeft, kWide - kRight), y = ScaleOf(ys, kHigh - kBottom, kTop);
  std::string dots, limit;
  for (size_t i = 0; i < xs.size(); i++)
    if (i != record.best) dots += Dot(record, objective, i, x(xs[i]), y(ys[i]));
  dots += Dot(record, objective, record.best, x(xs[record.best]), y(ys[record.best]));
  const auto bound = static_cast<double>(Needs({}, record.limits)[which].limit);
  if (bound > x.low && bound < x.high)
    limit = absl::StrFormat("<path class=\"limit\" d=\"M%.1f %.1fV%.1f\"/>\n", x(bound), kTop, kHigh - kBottom);
  return Svg(label, absl::StrCat(Ticks(x, y, which == 2 ? 1e6 : 1024, "f"), limit, dots));
}

// Best so far and mean of each generation.
std::string Generations(const SearchRecord &record) {
  std::vector<double> best, mean, values;
  size_t i = 0;
  const std::vector<Evaluation> &all = record.history.evaluations;
  for (int32_t g = 0; i < all.size(); g++) {
    double sum = 0, most = best.empty() ? 0 : best.back();
    const size_t begin = i;
    for (; i < all.size() && all[i].generation == g; i++)
      sum += all[i].accuracy, most = std::max(most, all[i].accuracy);
    if (i == begin) continue;
    best.push_back(most);
    mean.push_back(sum / static_cast<double>(i - begin));
  }
  values = best;
  values.insert(values.end(), mean.begin(), mean.end());
  const Scale x = {0, std::max(1.0, static_cast<double>(best.size()) - 1), kLeft, kWide - kRight};
  const Scale y = ScaleOf(values, kHigh - kBottom, kTop);
  const auto path = [&](const std::vector<double> &line, const char *kind) {
    std::string d;
    for (size_t g = 0; g < line.size(); g++)
      absl::StrAppendFormat(&d, "%s%.1f %.1f", d.empty() ? "M" : "L", x(static_cast<double>(g)), y(line[g]));
    return absl::StrCat("<path class=\"", kind, "\" d=\"", d, "\"/>\n");
  };
  return Svg("generation: best so far, and mean (grey)",
             absl::StrCat(Ticks(x, y, 1, "i"), path(mean, "mean"), path(best, "line")));
}

std::string Figure(const std::string &name, const std::string &value) {
  return absl::StrCat("<div><dt>", name, "</dt><dd>", value, "</dd></div>\n");
}

std::string Percent(double share) { return absl::StrFormat("%.2f %%", 100 * share); }

// The finalist that an evaluation became; null: none.
const Finalist *FinalistOf(const SearchRecord &record, size_t evaluation) {
  for (const Finalist &finalist : record.finalists)
    if (finalist.evaluation == evaluation) return &finalist;
  return nullptr;
}

std::string Figures(const SearchRecord &record, const Heading &heading) {
  const Evaluation &best = record.history.evaluations[record.best];
  const Cost &cost = best.cost;
  const auto of = [](int64_t value, int64_t limit) {
    return limit == 0 ? Grouped(value) : absl::StrCat(Grouped(value), " of ", Grouped(limit));
  };
  std::string html = "<dl class=\"figures\">\n";
  const Finalist *finalist = FinalistOf(record, record.best);
  if (finalist != nullptr) html += Figure(heading.tuned, Percent(finalist->tuned.accuracy));
  html += absl::StrCat(Figure(heading.inherited, Percent(best.accuracy)),
                       Figure("RAM, bytes", of(cost.ram_bytes(), record.limits.ram_bytes)),
                       Figure("flash, bytes", of(cost.flash_bytes(), record.limits.flash_bytes)),
                       Figure("instructions, estimate", of(cost.instructions, record.limits.instructions)));
  if (!record.binding.limit.empty()) html += Figure("held back by", record.binding.limit);
  html += Figure("networks evaluated", Grouped(static_cast<int64_t>(record.history.evaluations.size())));
  for (const auto &[name, value] : heading.figures) html += Figure(name, value);
  return html + "</dl>\n";
}

std::string Blocks(const VitConfig &winner) {
  std::string rows;
  for (size_t i = 0; i < winner.blocks.size(); i++) {
    const BlockConfig &block = winner.blocks[i];
    const auto rank = [](int64_t r) { return r == 0 ? std::string("dense") : absl::StrCat(r); };
    absl::StrAppend(&rows, "<tr><td>", i, "</td><td>", block.heads, "</td><td>", block.head_dim, "</td><td>",
                    block.mlp_dim, "</td><td>", rank(block.ranks.qkv), "</td><td>", rank(block.ranks.proj));
    absl::StrAppend(&rows, "</td><td>", rank(block.ranks.fc1), "</td><td>", rank(block.ranks.fc2), "</td></tr>\n");
  }
  return absl::StrCat("<p>", TokensOf(winner), " tokens of dim ", winner.dim, ", patch ", winner.patch,
                      "</p>\n<table><tr><th>block</th><th>heads</th><th>head dim</th><th>mlp dim</th><th>rank qkv</th>"
                      "<th>rank proj</th><th>rank fc1</th><th>rank fc2</th></tr>\n",
                      rows, "</table>\n");
}

std::string Memory(const Cost &cost) {
  std::string rows;
  const std::vector<std::pair<const char *, int64_t>> parts = {{"RAM: arena", cost.arena_bytes},
                                                               {"RAM: stack", cost.stack_bytes},
                                                               {"flash: weights", cost.weight_bytes},
                                                               {"flash: constants", cost.constant_bytes},
                                                               {"flash: code", cost.code_bytes}};
  for (const auto &[name, bytes] : parts)
    absl::StrAppend(&rows, "<tr><td>", name, "</td><td>", Grouped(bytes), " B</td></tr>\n");
  return absl::StrCat("<table>", rows, "</table>\n");
}

std::string Refused(const std::string &of, const Refusals &refusals) {
  const auto share = [&](int64_t count) {
    return absl::StrFormat(
        "</td><td>%.1f %%",
        refusals.drawn == 0 ? 0.0 : 100.0 * static_cast<double>(count) / static_cast<double>(refusals.drawn));
  };
  return absl::StrCat("<tr><td>", of, "</td><td>", Grouped(refusals.drawn), share(refusals.refused),
                      share(refusals.by_limit[0]), share(refusals.by_limit[1]), share(refusals.by_limit[2]),
                      "</td></tr>\n");
}

// Rows of evaluations; the first column numbers them.
std::string Networks(const SearchRecord &record, const Objective &objective, const Heading &heading,
                     const std::vector<size_t> &networks, const std::string &first) {
  std::string rows;
  const bool tuned = !record.finalists.empty();
  for (size_t i = 0; i < networks.size(); i++) {
    const Evaluation &e = record.history.evaluations[networks[i]];
    const Finalist *finalist = FinalistOf(record, networks[i]);
    absl::StrAppend(&rows, networks[i] == record.best ? "<tr class=\"best\"><td>" : "<tr><td>", i, "</td><td>",
                    Percent(e.accuracy));
    if (tuned) absl::StrAppend(&rows, "</td><td>", finalist != nullptr ? Percent(finalist->tuned.accuracy) : "-");
    absl::StrAppend(&rows, "</td><td>", Grouped(e.cost.ram_bytes()), "</td><td>", Grouped(e.cost.flash_bytes()));
    absl::StrAppend(&rows, "</td><td>", Grouped(e.cost.instructions), "</td><td style=\"text-align:left\">",
                    Escaped(Describe(objective, e.genes)), "</td></tr>\n");
  }
  return absl::StrCat(
      "<table><tr><th>", first, "</th><th>", heading.inherited, "</th>",
      tuned ? absl::StrCat("<th>", heading.tuned, "</th>") : "",
      "<th>RAM, B</th><th>flash, B</th><th>instructions</th><th style=\"text-align:left\">genes</th></tr>\n", rows,
      "</table>\n");
}

std::string Finalists(const SearchRecord &record, const Objective &objective, const Heading &heading) {
  if (record.finalists.empty()) return "";
  std::vector<size_t> networks;
  for (const Finalist &finalist : record.finalists) networks.push_back(finalist.evaluation);
  return absl::StrCat("<h2>Finalists</h2>\n<p>The best of them is the winner.</p>\n",
                      Networks(record, objective, heading, networks, "finalist"));
}

// Of an outer search, in the order of training.
std::string Spaces(const SearchRecord &record, const Objective &objective) {
  std::string rows;
  for (const SpaceRecord &space : record.outer.records) {
    const Genes held = HeldAt(objective.genes, space.point);
    absl::StrAppend(&rows, held == record.outer.held ? "<tr class=\"best\"><td>" : "<tr><td>",
                    Escaped(DescribeHeld(objective.genes, held)), "</td><td>", space.rounds, "</td><td>");
    absl::StrAppend(&rows, Percent(space.score.accuracy), "</td><td>", Percent(space.score.legal_share),
                    "</td></tr>\n");
  }
  if (record.outer.by.empty()) return "";
  const std::string chosen = absl::StrCat("<h2>The space</h2>\n<p>By ", record.outer.by, ": ",
                                          Escaped(DescribeHeld(objective.genes, record.outer.held)), "</p>\n");
  if (rows.empty()) return chosen;
  return absl::StrCat(chosen, "<table><tr><th>space</th><th>rounds</th><th>mean accuracy</th><th>legal</th></tr>\n",
                      rows, "</table>\n");
}

std::string RefusedTable(const SearchRecord &record) {
  if (record.sampled.drawn == 0) return "";
  return absl::StrCat(
      "<h2>Refused by the limits</h2>\n<table><tr><th>of</th><th>drawn</th><th>any</th><th>RAM</th>"
      "<th>flash</th><th>instructions</th></tr>\n",
      Refused("the space, drawn evenly", record.sampled), Refused("candidates", record.history.refusals), "</table>\n");
}

std::string Head(const Heading &heading) {
  return absl::StrCat("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>",
                      Escaped(heading.title), "</title>\n<style>", kStyle, "</style></head><body>\n<h1>",
                      Escaped(heading.title), "</h1>\n<p>", Escaped(heading.subtitle), "</p>\n");
}

std::string Plots(const SearchRecord &record, const Objective &objective) {
  return absl::StrCat("<h2>Networks</h2>\n<div class=\"plots\">\n", Scatter(record, objective, 0, "RAM, KiB"),
                      Scatter(record, objective, 1, "flash, KiB"),
                      Scatter(record, objective, 2, "million instructions, estimate"),
                      record.history.generations > 0 ? Generations(record) : "", "</div>\n");
}

}  // namespace

std::string HtmlOf(const SearchRecord &record, const Objective &objective, const Heading &heading) {
  return absl::StrCat(Head(heading), Figures(record, heading), Plots(record, objective),
                      Finalists(record, objective, heading), "<h2>The winner's blocks</h2>\n", Blocks(record.winner),
                      "<h2>The winner's memory</h2>\n", Memory(record.history.evaluations[record.best].cost)) +
         absl::StrCat(Spaces(record, objective), RefusedTable(record), "<h2>Frontier</h2>\n<p>", heading.frontier,
                      "</p>\n", Networks(record, objective, heading, record.frontier, "file"), "</body></html>\n");
}

std::string HtmlOf(const SearchRecord &record, const Objective &objective) {
  Heading heading;
  heading.title = "Search in " + record.space;
  heading.subtitle = absl::StrCat("Space ", record.space, " (sha256 ", record.space_sha256.substr(0, 12), "), ",
                                  record.strategy, ", seed ", record.seed, ", accuracies of ", record.source);
  return HtmlOf(record, objective, heading);
}

}  // namespace onnx2mcu
