// report_map.cc - who lives where, and when: the memory map over the schedule.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codegen/report_svg.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

constexpr double kMapWidth = 1120, kMapLeft = 62, kMapRight = 12;  // of a drawing; pixels
constexpr double kLetter = 6.3, kLine = 12;                        // of a label
constexpr double kSmallLetter = 4.6, kSmallLine = 7.5;             // of a label in a flat box
constexpr double kTickApart = 34;
constexpr double kNarrowest = 26, kWidest = 96;  // columns of a segment's map

// The least of 1, 2 and 5 times a power of ten whose ticks are far enough apart.
int64_t TickStep(const ChartFrame &frame) {
  const double least = static_cast<double>(frame.bytes) * kTickApart / frame.height;
  for (int64_t power = 1;; power *= 10)
    for (const int64_t factor : {1, 2, 5})
      if (static_cast<double>(factor * power) >= least) return factor * power;
}

std::string TickText(int64_t bytes) {
  return bytes < 1000 ? absl::StrCat(bytes, bytes > 0 ? " B" : "")
                      : absl::StrFormat("%.4g kB", static_cast<double>(bytes) / 1000);
}

// What is drawn of a buffer: cut to the frame.
struct Box {
  double x = 0, y = 0, width = 0, height = 0;
};
Box BoxOf(const ChartFrame &frame, int32_t first, int32_t last, int64_t low, int64_t high) {
  const double x = frame.X(std::max(first, frame.begin)), end = frame.X(std::min(last, frame.end - 1) + 1);
  return {x, frame.Y(high), end - x, frame.Y(low) - frame.Y(high)};
}
bool Within(const ReportBuffer &b, const ChartFrame &frame) { return b.last >= frame.begin && b.first < frame.end; }

std::string Description(const ReportBuffer &b) {
  const std::string stages = b.first_stage == b.last_stage
                                 ? absl::StrCat("stage ", b.first_stage)
                                 : absl::StrCat("stages ", b.first_stage, " to ", b.last_stage);
  return absl::StrCat(b.label, " (", b.kind, "): ", Grouped(b.bytes), " B at ", PlaceText(b), ", ", stages, "; ",
                      b.name);
}

std::string Text(const char *kind, double x, double y, bool upright, const std::string &text) {
  const std::string turn = upright ? absl::StrFormat(" transform=\"rotate(-90 %.1f %.1f)\"", x, y) : "";
  return absl::StrFormat("<text class=\"%s\" x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", kind, x, y, turn, HtmlText(text));
}

// The label in the part of the box where the buffer is alone: along it, upright, small, or not at all.
std::string Label(const ReportBuffer &b, const ChartFrame &frame) {
  const bool cut = b.alone_last < frame.begin || b.alone_first >= frame.end;
  const Box box = cut ? BoxOf(frame, b.first, b.last, b.offset, b.offset + b.bytes)
                      : BoxOf(frame, b.alone_first, b.alone_last, b.offset, b.offset + b.bytes);
  const std::string full = absl::StrCat(b.label, " ", Kilobytes(b.bytes));
  for (const std::string &text : {full, b.label}) {
    const auto letters = static_cast<double>(text.size());
    const double length = kLetter * letters + 6;
    if (length <= box.width && box.height >= kLine)
      return Text("name", box.x + 4, box.y + std::min(box.height / 2 + 4, 14.0), false, text);
    if (length <= box.height && box.width >= kLine)
      return Text("name", box.x + box.width / 2 + 4, box.y + box.height - 4, true, text);
    if (kSmallLetter * letters + 4 <= box.width && box.height >= kSmallLine)
      return Text("name small", box.x + 3, box.y + box.height / 2 + 3, false, text);
  }
  return "";
}

// Where rows of one buffer replace rows of another.
std::string Hatching(const ReportModel &model, const ChartFrame &frame) {
  std::string svg;
  for (const auto &[x, y] : model.overwrites) {
    const ReportBuffer &a = model.buffers[x], &b = model.buffers[y];
    const int32_t first = std::max(a.first, b.first), last = std::min(a.last, b.last);
    if (last < frame.begin || first >= frame.end) continue;
    const Box box =
        BoxOf(frame, first, last, std::max(a.offset, b.offset), std::min(a.offset + a.bytes, b.offset + b.bytes));
    absl::StrAppendFormat(&svg, "<path class=\"over\" d=\"M%.1f %.1fh%.1fv%.1fh%.1fz\"/>\n", box.x, box.y, box.width,
                          box.height, -box.width);
  }
  return svg;
}

// Loops and calls under a segment's map.
std::string CallNames(const ReportModel &model, const ChartFrame &frame, double bottom) {
  std::string svg;
  for (int32_t t = frame.begin; t < frame.end; t++) {
    const ReportCall &call = model.calls[static_cast<size_t>(t)];
    const double x = (frame.X(t) + frame.X(t + 1)) / 2 + 4, y = frame.top + frame.height + 8;
    absl::StrAppend(&svg, Text("call", x, y, true, call.label));
  }
  for (int32_t t = frame.begin, end; t < frame.end; t = end) {
    const ReportCall &call = model.calls[static_cast<size_t>(t)];
    for (end = t + 1; end < frame.end && model.calls[static_cast<size_t>(end)].stage == call.stage;) end++;
    const double left = frame.X(t) + 3, right = frame.X(end) - 3;
    absl::StrAppendFormat(&svg, "<path class=\"loop\" d=\"M%.1f %.1fv5H%.1fv-5\"/>\n", left, bottom, right);
    std::string text = absl::StrCat("stage ", call.stage);
    const std::string rows = call.rows > 0 ? absl::StrCat(call.rows, " of ", call.steps) : "whole";
    if (right - left > kLetter * static_cast<double>(text.size() + rows.size() + 2))
      absl::StrAppend(&text, ": ", rows);
    else if (right - left < kLetter * static_cast<double>(text.size()))
      text = absl::StrCat(call.stage);
    absl::StrAppendFormat(&svg, "<text class=\"loops\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", (left + right) / 2,
                          bottom + 18, text);
  }
  return svg;
}

// Names of the segments above the overview, and lines between them.
std::string SegmentBands(const ReportModel &model, const ChartFrame &frame, double bottom) {
  std::string svg;
  for (const ReportSegment &segment : model.segments) {
    const double x = frame.X(segment.begin), width = frame.X(segment.end) - x;
    absl::StrAppendFormat(&svg, "<path class=\"band\" d=\"M%.1f %.1fV%.1f\"/>\n", x, frame.top - 18, bottom);
    if (width >= kLetter * static_cast<double>(segment.name.size()) + 4)
      absl::StrAppendFormat(&svg, "<text class=\"band\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x + width / 2,
                            frame.top - 6, HtmlText(segment.name));
  }
  return svg;
}

std::string Level(const ChartFrame &frame, int64_t bytes, const std::string &name, bool above) {
  const double right = frame.left + frame.width, y = frame.Y(bytes);
  return absl::StrFormat(
      "<path class=\"level %s\" d=\"M%.1f %.1fH%.1f\"/>\n<text class=\"level\" x=\"%.1f\" y=\"%.1f\">%s %s</text>\n",
      above ? "solid" : "dashed", frame.left, y, right, right - 6, above ? y - 4 : y + 13, name, Kilobytes(bytes));
}

// Where one region of RAM ends and the next begins.
std::string RegionLines(const ReportModel &model, const ChartFrame &frame) {
  std::string svg;
  for (size_t i = 1; i < model.regions.size(); i++)
    absl::StrAppend(&svg, Level(frame, model.regions[i].first, model.regions[i].second + " above", true));
  return svg;
}

// Live bytes call by call: a staircase.
std::string LiveCurve(const ReportModel &model, const ChartFrame &frame) {
  std::string d = absl::StrFormat("M%.1f %.1f", frame.left, frame.Y(0));
  for (int32_t t = frame.begin; t < frame.end; t++)
    absl::StrAppendFormat(&d, "V%.1fH%.1f", frame.Y(model.calls[static_cast<size_t>(t)].live_bytes), frame.X(t + 1));
  std::string svg = absl::StrFormat("<path id=\"live\" class=\"live\" d=\"%sV%.1fz\"/>\n", d, frame.Y(0));
  const bool met = model.arena_ram == model.lower_bound_bytes;
  absl::StrAppend(&svg, Level(frame, model.arena_ram, met ? "arena = lower bound" : "arena", true));
  if (!met) absl::StrAppend(&svg, Level(frame, model.lower_bound_bytes, "lower bound", false));
  if (model.ram_budget > model.arena_ram && model.ram_budget <= frame.bytes)
    absl::StrAppend(&svg, Level(frame, model.ram_budget, "RAM budget", true));
  return svg;
}

int64_t CurveTop(const ReportModel &model) {
  const int64_t top = model.arena_bytes * 5 / 4 + 1;
  return model.ram_budget > model.arena_bytes && model.ram_budget <= model.arena_bytes * 3 / 2
             ? std::max(top, model.ram_budget * 9 / 8)
             : top;
}

}  // namespace

std::string HtmlText(const std::string &text) {
  using Json = nlohmann::json;
  const std::string valid =
      Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
  std::string html;
  for (const char c : valid) {
    if (c == '&')
      html += "&amp;";
    else if (c == '<')
      html += "&lt;";
    else if (c == '>')
      html += "&gt;";
    else if (c == '"')
      html += "&quot;";
    else if (static_cast<unsigned char>(c) >= ' ' && c != 0x7f)
      html += c;
    else
      html += ' ';
  }
  return html;
}

std::string PlaceText(const ReportBuffer &buffer) {
  return absl::StrCat(Grouped(buffer.place.offset), buffer.region.empty() ? "" : " of ", buffer.region);
}

std::string Kilobytes(int64_t bytes) {
  if (bytes < 1000) return absl::StrCat(bytes, " B");
  return absl::StrFormat("%.1f kB", static_cast<double>(bytes) / 1000);
}

std::string Short(int64_t count) {
  const auto value = static_cast<double>(count);
  if (count >= 1000000000) return absl::StrFormat("%.2f G", value / 1e9);
  if (count >= 1000000) return absl::StrFormat("%.1f M", value / 1e6);
  if (count >= 1000) return absl::StrFormat("%.1f k", value / 1e3);
  return absl::StrCat(count);
}

std::string BytesAxis(const ChartFrame &frame) {
  std::string svg;
  const int64_t step = TickStep(frame);
  for (int64_t at = 0; at <= frame.bytes; at += step) {
    absl::StrAppendFormat(&svg, "<path class=\"grid\" d=\"M%.1f %.1fh%.1f\"/>\n", frame.left, frame.Y(at), frame.width);
    absl::StrAppendFormat(&svg, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", frame.left - 6,
                          frame.Y(at) + 4, TickText(at));
  }
  return svg;
}

std::string BufferRects(const ReportModel &model, const ChartFrame &frame) {
  std::string svg, labels;
  for (size_t i = 0; i < model.buffers.size(); i++) {
    const ReportBuffer &b = model.buffers[i];
    if (!Within(b, frame)) continue;
    const Box box = BoxOf(frame, b.first, b.last, b.offset, b.offset + b.bytes);
    absl::StrAppendFormat(&svg,
                          "<rect class=\"%s\" data-b=\"%d\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                          "height=\"%.2f\"><title>%s</title></rect>\n",
                          b.kind, i, box.x, box.y, box.width, box.height, HtmlText(Description(b)));
    absl::StrAppend(&labels, Label(b, frame));
  }
  return absl::StrCat(svg, Hatching(model, frame), labels);
}

std::string OverviewSvg(const ReportModel &model) {
  const auto count = static_cast<int32_t>(model.calls.size());
  const ChartFrame map{kMapLeft, 26,    kMapWidth - kMapLeft - kMapRight,       360,
                       0,        count, std::max<int64_t>(model.arena_bytes, 1)};
  ChartFrame curve = map;
  curve.top = map.top + map.height + 24, curve.height = 130, curve.bytes = CurveTop(model);
  const double bottom = curve.top + curve.height;
  return absl::StrCat(
      absl::StrFormat("<svg id=\"map\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"memory map and live bytes\" "
                      "data-left=\"%.1f\" data-width=\"%.1f\" data-calls=\"%d\">\n",
                      kMapWidth, bottom + 26, map.left, map.width, count),
      "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
      "patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V6\"/></pattern></defs>\n",
      BytesAxis(map), BufferRects(model, map), RegionLines(model, map), BytesAxis(curve), LiveCurve(model, curve),
      SegmentBands(model, map, bottom),
      absl::StrFormat("<path id=\"cursor\" class=\"cursor\" d=\"\" data-top=\"%.1f\" data-bottom=\"%.1f\"/>\n", map.top,
                      bottom),
      absl::StrFormat(
          "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\">the schedule, call by call: %d calls in %d stages →</text>\n",
          map.left, bottom + 18, count, model.calls.empty() ? 0 : model.calls.back().stage + 1),
      "</svg>\n");
}

std::string SegmentSvg(const ReportModel &model, const ReportSegment &segment) {
  const double columns = segment.end - segment.begin;
  const double column = std::clamp((kMapWidth - kMapLeft - kMapRight) / columns, kNarrowest, kWidest);
  const ChartFrame map{
      kMapLeft, 10, column * columns, 330, segment.begin, segment.end, std::max<int64_t>(model.arena_bytes, 1)};
  size_t longest = 0;
  for (int32_t t = segment.begin; t < segment.end; t++)
    longest = std::max(longest, model.calls[static_cast<size_t>(t)].label.size());
  const double bottom = map.top + map.height + 16 + kLetter * static_cast<double>(longest);
  const double width = map.left + map.width + kMapRight;
  return absl::StrCat(absl::StrFormat("<svg class=\"detail\" width=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
                                      "aria-label=\"memory map of %s\">\n",
                                      width, width, bottom + 26, HtmlText(segment.name)),
                      BytesAxis(map), BufferRects(model, map), RegionLines(model, map), CallNames(model, map, bottom),
                      "</svg>\n");
}

}  // namespace onnx2mcu
