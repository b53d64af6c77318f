// codegen/report_svg.h - the drawings of report.html, as inline SVG; colours and fonts are report.css's.
#pragma once
#include <string>

#include "codegen/report_model.h"

namespace onnx2mcu {

// Text for HTML: valid UTF-8 without control characters, with &, <, > and quotes escaped.
std::string HtmlText(const std::string &text);
std::string PlaceText(const ReportBuffer &buffer);  // "4,096", "4,096 of CCM"
std::string Kilobytes(int64_t bytes);               // "97.1 kB", 1 kB = 1000 B; below 1000 B "640 B"
std::string Short(int64_t count);                   // "1.26 G", "83.4 M", "5.1 k"

// Times [begin, end) from left to right, bytes [0, bytes] from bottom to top, in pixels.
struct ChartFrame {
  double left = 0, top = 0, width = 0, height = 0;
  int32_t begin = 0, end = 0;
  int64_t bytes = 0;
  double X(int32_t time) const { return left + width * (time - begin) / (end - begin); }
  double Y(int64_t at) const { return top + height * (1 - static_cast<double>(at) / static_cast<double>(bytes)); }
};

// The whole schedule: the map, and below it the live bytes against arena and lower bound. One rect per buffer.
std::string OverviewSvg(const ReportModel &model);
// One segment, wide enough to be read: the same map with its calls and loops named.
std::string SegmentSvg(const ReportModel &model, const ReportSegment &segment);
// Arena against instructions: a point per schedule that no other one beats.
std::string FrontierSvg(const ReportModel &model);

// Shared by the drawings: lines and labels of the bytes axis; the buffers alive within the frame's times.
std::string BytesAxis(const ChartFrame &frame);
std::string BufferRects(const ReportModel &model, const ChartFrame &frame);

}  // namespace onnx2mcu
