#include "codegen/report_html.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codegen/printer.h"
#include "codegen/report_svg.h"
#include "codegen/runtime.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

using Json = nlohmann::ordered_json;

// No "<", ">" or "&" is left, so it neither ends the script element nor needs escaping.
std::string ScriptJson(const Json &json) {
  std::string text;
  for (const char c : json.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    if (c == '<' || c == '>' || c == '&')
      absl::StrAppendFormat(&text, "\\u%04x", static_cast<unsigned>(c));
    else
      text += c;
  }
  return text;
}

Json DataOf(const ReportModel &model) {
  Json data = {{"model", model.model},
               {"target", model.target},
               {"board", model.board},
               {"arena_bytes", model.arena_ram},
               {"arena_lower_bound_bytes", model.lower_bound_bytes},
               {"buffers", Json::array()},
               {"calls", Json::array()},
               {"segments", Json::array()},
               {"alternatives", Json::array()}};
  for (const ReportBuffer &b : model.buffers)
    data["buffers"].push_back({{"name", b.name},
                               {"label", b.label},
                               {"kind", b.kind},
                               {"arena", b.place.arena},
                               {"offset", b.place.offset},
                               {"bytes", b.bytes},
                               {"first", b.first},
                               {"last", b.last}});
  for (const ReportCall &c : model.calls)
    data["calls"].push_back({{"stage", c.stage},
                             {"name", c.node},
                             {"kernel", c.kernel},
                             {"rows", c.rows},
                             {"live_bytes", c.live_bytes},
                             {"instructions", c.instructions}});
  for (const ReportSegment &s : model.segments)
    data["segments"].push_back({{"name", s.name}, {"begin", s.begin}, {"end", s.end}, {"alike", s.alike}});
  for (const FrontierRow &r : model.frontier)
    data["alternatives"].push_back({{"name", r.name},
                                    {"exact", r.exact},
                                    {"chosen", r.chosen},
                                    {"arena_bytes", r.arena_bytes},
                                    {"instructions_estimate", r.instructions},
                                    {"flash_bytes_read", r.flash_bytes_read}});
  return data;
}

// ---- Key figures

std::string Figure(const std::string &name, const std::string &value, const std::string &note) {
  return Fill("<div><dt>$name$</dt><dd>$value$</dd><dd class=\"note\">$note$</dd></div>\n",
              {{"name", name}, {"value", value}, {"note", note}});
}

// One decimal; three where that would say 0.0 of something.
std::string Percent(int64_t part, int64_t whole) {
  if (whole <= 0) return "";
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  return part > 0 && percent < 0.1 ? absl::StrFormat("%.3f %%", percent) : absl::StrFormat("%.1f %%", percent);
}

std::string OfLimit(int64_t bytes, int64_t limit, const char *what) {
  return limit > 0 ? absl::StrCat(Percent(bytes, limit), " of ", Kilobytes(limit), " ", what) : "no limit given";
}

std::string Figures(const ReportModel &model, const Sizes &sizes, const Budget &budget) {
  const int64_t ram = model.arena_ram + sizes.data + sizes.bss + sizes.stack;
  const int64_t flash = sizes.text + sizes.rodata + sizes.weights + sizes.data;
  const int64_t over = model.arena_ram - model.lower_bound_bytes;
  int64_t reads = 0;
  for (const ReportCall &call : model.calls) reads += call.flash_bytes_read;
  const std::string time =
      model.clock_hz <= 0
          ? "per inference"
          : absl::StrFormat("%.1f ms at %d MHz if each took one cycle",
                            1e3 * static_cast<double>(model.instructions) / static_cast<double>(model.clock_hz),
                            model.clock_hz / 1000000);
  const std::string bound = over == 0 ? "exactly the lower bound of this schedule"
                                      : absl::StrCat(Percent(over, model.lower_bound_bytes), " over the lower bound, ",
                                                     Grouped(model.lower_bound_bytes), " B");
  return absl::StrCat("<dl class=\"figures\">\n", Figure("arena", absl::StrCat(Grouped(model.arena_ram), " B"), bound),
                      Figure("RAM, all of it", absl::StrCat(Grouped(ram), " B"), OfLimit(ram, budget.ram, "RAM")),
                      Figure("flash", absl::StrCat(Grouped(flash), " B"), OfLimit(flash, budget.flash, "flash")),
                      Figure("instructions (estimate)", Short(model.instructions), time),
                      Figure("multiply-accumulates", Short(model.macs), "of the imported model"),
                      Figure("read from flash", absl::StrCat(Short(reads), "B"),
                             absl::StrCat("per inference; weights are ", Kilobytes(model.weight_bytes))),
                      "</dl>\n");
}

// ---- Sections

std::string Legend(const ReportModel &model) {
  const std::pair<const char *, const char *> kinds[] = {{"stream", "residual stream"},
                                                         {"tensor", "tensor"},
                                                         {"tile", "tile: current rows of a loop"},
                                                         {"scratch", "scratch of one call"},
                                                         {"state", "state between calls"},
                                                         {"input", "the input, or a band of it"}};
  std::string html = "<p class=\"legend\">";
  for (const auto &[kind, text] : kinds) {
    const bool used = std::any_of(model.buffers.begin(), model.buffers.end(),
                                  [k = kind](const ReportBuffer &b) { return b.kind == k; });
    if (used) absl::StrAppend(&html, "<span class=\"key ", kind, "\"></span>", text, " ");
  }
  if (!model.overwrites.empty())
    absl::StrAppend(&html, "<span class=\"key over\"></span>new rows over rows that nobody needs any more");
  return html + "</p>\n";
}

std::string MapSection(const ReportModel &model) {
  if (model.calls.empty()) return "";
  return absl::StrCat(
      "<section>\n<h2>Memory map</h2>\n<p>Every buffer of the arena: how long it lives (left to right) and where it "
      "lies "
      "(bottom to top). Below, the bytes alive during each call.</p>\n",
      Legend(model), OverviewSvg(model), "<p id=\"info\" role=\"status\"></p>\n</section>\n");
}

std::string DetailSection(const ReportModel &model) {
  if (model.calls.empty()) return "";
  std::string html =
      "<section>\n<h2>Block by block</h2>\n<p>The same map, one column per call. Blocks that are alike are drawn once. "
      "A "
      "bracket is a loop: rows per iteration of all rows.</p>\n<div class=\"details\">\n";
  for (size_t i = 0; i < model.segments.size(); i++) {
    if (model.segments[i].alike != static_cast<int32_t>(i)) continue;
    std::string others;
    for (size_t j = i + 1; j < model.segments.size(); j++)
      if (model.segments[j].alike == static_cast<int32_t>(i))
        absl::StrAppend(&others, others.empty() ? "the same for " : ", ", model.segments[j].name);
    absl::StrAppend(&html, "<figure>\n<figcaption><b>", HtmlText(model.segments[i].name), "</b> ", HtmlText(others),
                    "</figcaption>\n", SegmentSvg(model, model.segments[i]), "</figure>\n");
  }
  return html + "</div>\n</section>\n";
}

std::string FrontierSection(const ReportModel &model) {
  std::string rows;
  for (size_t i = 0; i < model.frontier.size(); i++) {
    const FrontierRow &r = model.frontier[i];
    absl::StrAppend(&rows, r.chosen ? "<tr class=\"chosen\">" : "<tr>", "<td class=\"n\">", i + 1, "</td><td>",
                    HtmlText(r.name), r.chosen ? " <b>chosen</b>" : "", "</td><td>", r.exact ? "exact" : "numeric",
                    "</td><td class=\"n\">", Grouped(r.arena_bytes), "</td><td class=\"n\">",
                    Percent(r.arena_bytes - r.lower_bound_bytes, r.lower_bound_bytes), "</td><td class=\"n\">",
                    Grouped(r.instructions), "</td><td class=\"n\">", Grouped(r.flash_bytes_read), "</td></tr>\n");
  }
  return absl::StrCat(
      "<section>\n<h2>Schedules</h2>\n<p>Of all schedules that were priced, those that no other one beats in both "
      "arena "
      "and instructions. <i>Exact</i> ones give the bytes of the model as written; <i>numeric</i> ones round "
      "otherwise.</p>\n",
      FrontierSvg(model),
      "<div class=\"wide\"><table>\n<thead><tr><th class=\"n\">#</th><th>schedule</th><th>bytes out</th><th "
      "class=\"n\">arena B</th><th class=\"n\">over its bound</th><th class=\"n\">instructions</th><th "
      "class=\"n\">flash "
      "reads B</th></tr></thead>\n<tbody>\n",
      rows, "</tbody>\n</table></div>\n</section>\n");
}

// A number with a bar behind it: its share of the largest in the column.
std::string Bar(int64_t value, int64_t most) {
  const double share = most > 0 ? 100.0 * static_cast<double>(value) / static_cast<double>(most) : 0;
  return absl::StrFormat("<td class=\"n bar\" style=\"--p:%.1f%%\">%s</td>", share, Grouped(value));
}

std::string LoopText(const ReportCall &call) {
  return call.rows > 0 ? absl::StrCat(call.rows, " of ", call.steps) : "whole";
}

std::string LayerSection(const ReportModel &model) {
  int64_t most = 0, live = 0;
  for (const ReportCall &c : model.calls) most = std::max(most, c.instructions), live = std::max(live, c.live_bytes);
  std::string rows;
  for (size_t t = 0; t < model.calls.size(); t++) {
    const ReportCall &c = model.calls[t];
    const bool first = t == 0 || model.calls[t - 1].stage != c.stage;
    absl::StrAppend(&rows, "<tr data-t=\"", t, first ? "\" class=\"first\">" : "\">", "<td class=\"n\">",
                    first ? absl::StrCat(c.stage) : "", "</td><td>", HtmlText(c.block), "</td><td title=\"",
                    HtmlText(c.node), "\">", HtmlText(c.label), "</td><td>", HtmlText(c.kernel), "</td><td>",
                    first ? LoopText(c) : "", "</td><td>", HtmlText(c.shapes), "</td>");
    absl::StrAppend(&rows, Bar(c.live_bytes, live), "<td class=\"n\">", Grouped(c.macs), "</td>",
                    Bar(c.instructions, most), "<td class=\"n\">", Grouped(c.weight_bytes), "</td><td class=\"n\">",
                    Grouped(c.flash_bytes_read), "</td></tr>\n");
  }
  return absl::StrCat(
      "<section>\n<h2>Layers</h2>\n<p>Every call in the order of the program; a line above begins a stage, whose calls "
      "share one loop.</p>\n<div class=\"wide\"><table id=\"layers\">\n<thead><tr><th "
      "class=\"n\">stage</th><th>block</th><th>node</th><th>op</th><th>rows</th><th>shapes</th><th class=\"n\">arena "
      "in use B</th><th class=\"n\">MACs</th><th class=\"n\">instructions</th><th class=\"n\">weights B</th><th "
      "class=\"n\">flash reads B</th></tr></thead>\n<tbody>\n",
      rows, "</tbody>\n</table></div>\n</section>\n");
}

std::string BufferSection(const ReportModel &model) {
  std::string rows;
  for (size_t i = 0; i < model.buffers.size(); i++) {
    const ReportBuffer &b = model.buffers[i];
    absl::StrAppend(&rows, "<tr data-b=\"", i, "\"><td>", HtmlText(b.label), "</td><td><span class=\"key ", b.kind,
                    "\"></span>", b.kind, "</td><td class=\"n\">", HtmlText(PlaceText(b)), "</td><td class=\"n\">",
                    Grouped(b.bytes), "</td><td class=\"n\">", b.first_stage, "</td><td class=\"n\">", b.last_stage,
                    "</td><td>", HtmlText(b.name), "</td></tr>\n");
  }
  return absl::StrCat(
      "<section>\n<h2>Buffers</h2>\n<div class=\"wide\"><table "
      "id=\"buffers\">\n<thead><tr><th>buffer</th><th>kind</th><th class=\"n\">offset</th><th "
      "class=\"n\">bytes</th><th "
      "class=\"n\">first stage</th><th class=\"n\">last stage</th><th>name in the model</th></tr></thead>\n<tbody>\n",
      rows, "</tbody>\n</table></div>\n</section>\n");
}

std::string Warnings(const Graph &graph) {
  std::string html;
  for (const std::string &warning : graph.warnings) absl::StrAppend(&html, "<li>", HtmlText(warning), "</li>\n");
  return html.empty() ? "" : absl::StrCat("<section>\n<h2>Warnings</h2>\n<ul>\n", html, "</ul>\n</section>\n");
}

}  // namespace

std::string ReportHtml(const Compilation &compilation, const Sizes &sizes, const Budget &budget) {
  const ReportModel model = ReportModelOf(compilation, budget.ram);
  const std::string where = model.board.empty() ? model.target : absl::StrCat(model.board, " (", model.target, ")");
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"/>\n<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\"/>\n<title>",
      HtmlText(model.model), " on ", HtmlText(where), "</title>\n<style>\n", RuntimeFile("report.css"),
      "</style>\n</head>\n<body>\n<header>\n<h1>", HtmlText(model.model), " <span>on ", HtmlText(where),
      "</span></h1>\n", Figures(model, sizes, budget), "</header>\n", MapSection(model), DetailSection(model),
      FrontierSection(model), LayerSection(model), BufferSection(model), Warnings(compilation.graph),
      "<footer>onnx2mcu ", model.version, ", model ", model.sha256.substr(0, 16),
      "; 1 kB is 1000 B</footer>\n<script id=\"data\" type=\"application/json\">", ScriptJson(DataOf(model)),
      "</script>\n<script>\n", RuntimeFile("report.js"), "</script>\n</body>\n</html>\n");
}

}  // namespace onnx2mcu
