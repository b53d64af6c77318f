// The drawings of report.html from a schedule made by hand; tests/e2e/report_html.sh looks at real ones in a browser.
#include <gmock/gmock.h>

#include "codegen/report_svg.h"

namespace onnx2mcu {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

int Count(const std::string &text, const std::string &word) {
  int count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) count++;
  return count;
}

ReportBuffer BufferOf(const char *label, int64_t offset, int64_t bytes, int32_t first, int32_t last) {
  ReportBuffer buffer;
  buffer.name = buffer.label = label, buffer.kind = "tensor";
  buffer.offset = buffer.place.offset = offset, buffer.bytes = bytes;
  buffer.first = buffer.alone_first = first, buffer.last = buffer.alone_last = last;
  return buffer;
}

// Four calls in two stages; "a" over the whole time at the bottom, "b" above it in the last two.
ReportModel SmallModel() {
  ReportModel model;
  model.arena_bytes = model.arena_ram = model.lower_bound_bytes = 4000;
  for (const int32_t stage : {0, 0, 0, 1}) {
    ReportCall call;
    call.stage = stage, call.label = "fc", call.live_bytes = 1000;
    model.calls.push_back(call);
  }
  model.buffers = {BufferOf("a", 0, 1000, 0, 3), BufferOf("b", 1000, 3000, 2, 3)};
  model.segments = {{"first", 0, 3, 0}, {"second", 3, 4, 1}};
  return model;
}

TEST(HtmlText, LeavesNothingThatHtmlReads) {
  EXPECT_EQ(HtmlText("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
  EXPECT_EQ(HtmlText("197×192"), "197×192");
  EXPECT_EQ(HtmlText(std::string("a\0b\n\x1b\x7f", 6)), "a b   ");
  EXPECT_EQ(HtmlText("a\xffz"), "a\xef\xbf\xbdz");  // no UTF-8: the replacement character
}

TEST(Kilobytes, IsDecimal) {
  EXPECT_EQ(Kilobytes(0), "0 B");
  EXPECT_EQ(Kilobytes(999), "999 B");
  EXPECT_EQ(Kilobytes(1000), "1.0 kB");
  EXPECT_EQ(Kilobytes(97149), "97.1 kB");
}

TEST(Short, KeepsThreeDigitsOrSo) {
  EXPECT_EQ(Short(999), "999");
  EXPECT_EQ(Short(5100), "5.1 k");
  EXPECT_EQ(Short(83400000), "83.4 M");
  EXPECT_EQ(Short(1257000000), "1.26 G");
}

TEST(ChartFrame, TimeGoesRightAndBytesGoUp) {
  const ChartFrame frame{10, 20, 400, 100, 2, 6, 1000};
  EXPECT_EQ(frame.X(2), 10);
  EXPECT_EQ(frame.X(6), 410);
  EXPECT_EQ(frame.Y(0), 120);
  EXPECT_EQ(frame.Y(1000), 20);
}

TEST(BufferRects, LieWhereTheBuffersLie) {
  const ChartFrame frame{0, 0, 400, 400, 0, 4, 4000};
  const std::string svg = BufferRects(SmallModel(), frame);
  EXPECT_THAT(svg, HasSubstr("data-b=\"0\" x=\"0.00\" y=\"300.00\" width=\"400.00\" height=\"100.00\""));
  EXPECT_THAT(svg, HasSubstr("data-b=\"1\" x=\"200.00\" y=\"0.00\" width=\"200.00\" height=\"300.00\""));
  EXPECT_THAT(svg, HasSubstr(">a 1.0 kB</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("class=\"over\"")));
}

TEST(BufferRects, AreCutToTheFrame) {
  const ChartFrame frame{0, 0, 300, 400, 0, 3, 4000};
  EXPECT_THAT(BufferRects(SmallModel(), frame), HasSubstr("data-b=\"1\" x=\"200.00\" y=\"0.00\" width=\"100.00\""));
  const ChartFrame before{0, 0, 200, 400, 0, 2, 4000};
  EXPECT_THAT(BufferRects(SmallModel(), before), Not(HasSubstr("data-b=\"1\"")));
}

TEST(BufferRects, HatchWhatIsOverwritten) {
  ReportModel model = SmallModel();
  model.buffers[1].offset = 500;  // over the upper half of "a"
  model.overwrites = {{0, 1}};
  ASSERT_TRUE(Collide(model.buffers[0], model.buffers[1]));
  const ChartFrame frame{0, 0, 400, 400, 0, 4, 4000};
  EXPECT_THAT(BufferRects(model, frame), HasSubstr("<path class=\"over\" d=\"M200.0 300.0h200.0v50.0h-200.0z\"/>"));
}

TEST(OverviewSvg, HasOneRectPerBufferAndOneStepPerCall) {
  const std::string svg = OverviewSvg(SmallModel());
  EXPECT_EQ(Count(svg, "<rect "), 2);
  const std::string curve = svg.substr(svg.find("id=\"live\""));
  EXPECT_EQ(Count(curve.substr(0, curve.find("/>")), "H"), 4);
  EXPECT_THAT(svg, HasSubstr("arena = lower bound 4.0 kB"));
}

TEST(SegmentSvg, NamesCallsAndLoops) {
  const ReportModel model = SmallModel();
  const std::string svg = SegmentSvg(model, model.segments[0]);
  EXPECT_EQ(Count(svg, "class=\"call\""), 3);
  EXPECT_EQ(Count(svg, "class=\"loop\""), 1);
  EXPECT_THAT(svg, HasSubstr("stage 0: whole"));
}

TEST(FrontierSvg, MarksTheChosenAndTheNumeric) {
  ReportModel model = SmallModel();
  EXPECT_EQ(FrontierSvg(model), "");
  for (const int64_t arena : {1000, 2000, 3000}) {
    FrontierRow row;
    row.name = "rows", row.arena_bytes = arena, row.instructions = 9000000 - arena;
    row.chosen = arena == 2000, row.exact = arena != 1000;
    model.frontier.push_back(row);
  }
  const std::string svg = FrontierSvg(model);
  EXPECT_EQ(Count(svg, "class=\"point "), 3);
  EXPECT_EQ(Count(svg, "<circle class=\"point exact"), 2);
  EXPECT_EQ(Count(svg, "<circle class=\"point exact chosen\""), 1);
  EXPECT_EQ(Count(svg, "<path class=\"point numeric\""), 1);
  EXPECT_THAT(svg, HasSubstr(">2 chosen</text>"));
}

}  // namespace
}  // namespace onnx2mcu
