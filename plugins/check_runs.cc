// Clauses on run(): the same bytes in every way that the planner may call it.
#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "plugins/check_clauses.h"

namespace onnx2mcu::check {
namespace {

struct Range {
  int64_t low, high;
};
Range RangeOf(o2m_dtype dtype) {
  switch (dtype) {
    case O2M_S8:
      return {-128, 127};
    case O2M_U8:
      return {0, 255};
    case O2M_S16:
      return {-32768, 32767};
    case O2M_S32:
      return {-(1 << 23), 1 << 23};  // partial sums leave headroom
    default:
      return {0, 1};
  }
}

void Store(o2m_dtype dtype, int64_t value, float real, uint8_t *to) {
  const int64_t size = BytesOf(dtype);
  if (dtype == O2M_F32)
    std::memcpy(to, &real, sizeof real);
  else
    std::memcpy(to, &value, size);  // two's complement, little endian
}

int64_t ValueFor(Fill fill, const Range &range, int64_t zero_point, Random &random) {
  const int64_t edges[] = {range.low, range.high, zero_point, std::min(range.high, zero_point + 1), range.low + 1};
  switch (fill) {
    case Fill::kRandom:
      return random.Between(range.low, range.high);
    case Fill::kEdges:
      return edges[random.Between(0, 4)];
    case Fill::kLow:
      return range.low;
    case Fill::kHigh:
      return range.high;
    default:
      return zero_point;
  }
}

}  // namespace

std::vector<Bytes> MakeInputs(const NodeSpec &spec, Fill fill, uint64_t seed) {
  std::vector<Bytes> all;
  Random random{seed * 8 + static_cast<uint64_t>(fill)};
  for (const TensorSpec &input : spec.inputs) {
    Bytes bytes(CountOf(input) * BytesOf(input.dtype));
    const Range range = RangeOf(input.dtype);
    const int64_t zero_point = input.quant.zero_point.empty() ? 0 : input.quant.zero_point[0];
    for (size_t i = 0; i < bytes.size(); i += BytesOf(input.dtype))
      Store(input.dtype, ValueFor(fill, range, zero_point, random), random.Unit(), &bytes[i]);
    all.push_back(input.data.empty() ? bytes : input.data);
  }
  return all;
}

std::vector<int32_t> TileSizes(int32_t steps) {
  std::set<int32_t> sizes;
  for (int32_t rows : {1, 2, 3, 4, 7, 16, steps / 2 + 1, steps - 1})
    if (rows >= 1 && rows < steps) sizes.insert(rows);
  return {sizes.begin(), sizes.end()};
}

int32_t ShortTile(int32_t steps) {
  for (const int32_t rows : {3, 2, 5, 7})
    if (rows < steps && steps % rows != 0) return rows;
  return std::max(steps - 1, 1);
}

namespace {

std::vector<Bytes> RunPacked(const NodeSpec &packed, const o2m_target &target, const std::vector<Bytes> &inputs,
                             const RunOptions &options, Reporter &report) {
  const o2m_memory probe = MemoryOf(packed, target, 1);
  const int32_t rows = options.rows > 0 ? options.rows : std::max(probe.steps, 1);
  Session session(packed, MemoryOf(packed, target, rows), inputs, options);
  session.Run();
  for (const Finding &finding : session.findings()) report.Fail(finding.clause, finding.seen);
  report.Count("guard bytes");
  return session.Outputs();
}

}  // namespace

std::vector<Bytes> RunNode(const NodeSpec &spec, const o2m_target &target, const std::vector<Bytes> &inputs,
                           const RunOptions &options, Reporter &report) {
  const absl::StatusOr<NodeSpec> packed = Pack(spec, target, 0);
  if (packed.ok()) return RunPacked(*packed, target, inputs, options, report);
  report.Fail("pack succeeds", std::string(packed.status().message()));
  return {};
}

void ExpectRun(const std::string &clause, const std::string &how, const NodeSpec &spec, const o2m_target &target,
               const std::vector<Bytes> &inputs, const RunOptions &options, const std::vector<Bytes> &expected,
               Reporter &report) {
  report.Begin(clause);
  const std::vector<Bytes> got = RunNode(spec, target, inputs, options, report);
  if (got.empty()) return;
  const std::string difference = Difference(spec, expected, got);
  report.Expect(clause, difference.empty() ? "" : how + difference);
}

namespace {

// The first run in this process, between two looks at the plugin's writable memory.
std::vector<Bytes> FirstRun(const Subject &subject, const std::vector<Bytes> &inputs, Reporter &report) {
  report.Begin("no static state");
  const auto address = reinterpret_cast<const void *>(subject.inferred.op->run);
  const absl::StatusOr<NodeSpec> packed = Pack(subject.inferred, subject.target, 0);
  const int32_t steps = std::max(MemoryOf(*packed, subject.target, 1).steps, 1);
  Session session(*packed, MemoryOf(*packed, subject.target, steps), inputs, {});
  const Bytes before = WritableMemoryOf(address);
  session.Run();
  const Bytes after = WritableMemoryOf(address);
  for (const Finding &finding : session.findings()) report.Fail(finding.clause, finding.seen);
  const std::vector<Bytes> outputs = session.Outputs();
  int64_t changed = 0;
  for (size_t i = 0; i < before.size(); i++) changed += before[i] != after[i];
  report.Expect("no static state",
                changed == 0 ? "" : absl::StrCat("run() changed ", changed, " bytes of the plugin's .data or .bss"));
  const std::vector<Bytes> second = RunPacked(*packed, subject.target, inputs, {}, report);
  const std::string difference = Difference(*packed, outputs, second);
  report.Expect("no static state", difference.empty() ? "" : "run twice: " + difference);
  return outputs;
}

// One run with other bytes wherever the op must not look, at a time.
void CheckPoison(const Subject &subject, const std::vector<Bytes> &inputs, const std::vector<Bytes> &expected,
                 Reporter &report) {
  const auto run = [&](const char *clause, const char *how, uint8_t Poison::*which, uint8_t value, int32_t rows) {
    RunOptions options;
    options.rows = rows;
    options.poison.*which = value;
    ExpectRun(clause, how, subject.inferred, subject.target, inputs, options, expected, report);
  };
  for (const uint8_t value : {uint8_t{0x00}, uint8_t{0x7F}}) {
    run("stale scratch", "with other bytes in scratch on entry: ", &Poison::scratch, value, 0);
    run("outputs written", "with other bytes in the outputs on entry: ", &Poison::prior, value, 0);
    run("operands only", "with other bytes around the operands: ", &Poison::gap, value, 0);
  }
}

void CheckTiles(const Subject &subject, const std::vector<Bytes> &inputs, const std::vector<Bytes> &expected,
                Reporter &report) {
  const int32_t steps = MemoryOf(subject.inferred, subject.target, 1).steps;
  for (const int32_t rows : TileSizes(steps)) {
    RunOptions options;
    options.rows = rows;
    const int32_t last = steps % rows;
    const std::string how =
        last ? absl::StrCat("rows=", rows, ", last tile ", last, ": ") : absl::StrCat("rows=", rows, ": ");
    ExpectRun("rows == whole", how, subject.inferred, subject.target, inputs, options, expected, report);
    if (!report.ok()) return;
    options.poison.others = 0x81;
    ExpectRun("rows of the step", how + "with other bytes in rows outside the step: ", subject.inferred, subject.target,
              inputs, options, expected, report);
    options = {};
    options.rows = rows;
    options.poison.scratch = 0x7F;
    ExpectRun("stale scratch", how + "with other bytes in scratch on entry: ", subject.inferred, subject.target, inputs,
              options, expected, report);
  }
}

void CheckStrides(const Subject &subject, const std::vector<Bytes> &inputs, const std::vector<Bytes> &expected,
                  Reporter &report) {
  for (const Strided &strided : StridedSpecs(subject)) {
    RunOptions options;
    const int32_t steps = MemoryOf(strided.spec, subject.target, 1).steps;
    ExpectRun(strided.clause, strided.name + ": ", strided.spec, subject.target, inputs, options, expected, report);
    if (steps < 2) continue;
    options.rows = ShortTile(steps);
    options.poison.gap = 0x81;
    ExpectRun(strided.clause, absl::StrCat(strided.name, ", rows=", options.rows, ": "), strided.spec, subject.target,
              inputs, options, expected, report);
  }
}

// Lays the rows of the access axis one behind the other, where the op admits it: false where it does not.
bool PutRowsOutermost(TensorSpec &tensor, const o2m_access &access) {
  if (access.extent <= 0) return false;
  const auto outer = tensor.dims.begin() + access.axis;
  if (std::all_of(tensor.dims.begin(), outer, [](int32_t dim) { return dim == 1; })) return true;
  if (access.layout != O2M_ANY_STRIDES) return false;
  int64_t stride = 1;
  for (size_t d = tensor.dims.size(); d-- > 0;) {
    if (static_cast<int32_t>(d) == access.axis) continue;
    tensor.strides[d] = stride;
    stride *= tensor.dims[d];
  }
  tensor.strides[access.axis] = stride;
  return true;
}

int64_t RowBytes(const TensorSpec &tensor, const o2m_access &access) {
  return tensor.strides[access.axis] * BytesOf(tensor.dtype);
}

// The least distance in bytes from the start of output 0 to that of an input it is written over (MEMORY.md, 1). In
// place, every step must find its own and all later rows; else the rows of its whole call as well.
int64_t DistanceOf(const NodeSpec &spec, const o2m_memory &memory, size_t input, int32_t rows, bool in_place) {
  const o2m_access &x = memory.inputs[input], &y = memory.outputs[0];
  const int64_t x_row = RowBytes(spec.inputs[input], x), y_row = RowBytes(spec.outputs[0], y);
  const int64_t y_rows = spec.outputs[0].dims[y.axis];
  const auto written = [&](int64_t done) { return std::min<int64_t>(done * y.step, y_rows) * y_row; };
  const auto needed = [&](int64_t step) { return std::max<int64_t>(step * x.step - x.before, 0) * x_row; };
  int64_t distance = 0;
  for (int64_t first = 0; first < memory.steps; first += in_place ? 1 : rows) {
    const int64_t done = std::min<int64_t>(first + (in_place ? 1 : rows), memory.steps);
    if (in_place) distance = std::max(distance, written(first) - needed(first));
    if (!in_place) distance = std::max(distance, written(done) - needed(first));
    if (in_place && done < memory.steps) distance = std::max(distance, written(done) - needed(done));
  }
  const int64_t align = std::max(BytesOf(spec.inputs[input].dtype), BytesOf(spec.outputs[0].dtype));
  return (distance + align - 1) / align * align;
}

void CheckOverwritten(const Subject &subject, const NodeSpec &spec, size_t input, int32_t rows, bool declared,
                      const std::vector<Bytes> &inputs, const std::vector<Bytes> &expected, Reporter &report) {
  const o2m_memory memory = MemoryOf(spec, subject.target, rows);
  RunOptions options;
  options.rows = rows;
  options.overwrite = static_cast<int>(input);
  options.distance = memory.steps > 0 ? DistanceOf(spec, memory, input, rows, declared) : 0;
  ExpectRun("overwritten == not overwritten",
            absl::StrCat("output 0 over input ", input, " at distance ", options.distance, ", rows=", rows, ": "), spec,
            subject.target, inputs, options, expected, report);
}

void CheckOverwriting(const Subject &subject, const std::vector<Bytes> &inputs, const std::vector<Bytes> &expected,
                      Reporter &report) {
  const NodeSpec &spec = subject.inferred;
  const o2m_memory memory = MemoryOf(spec, subject.target, 1);
  for (size_t i = 0; i < spec.inputs.size(); i++) {
    if (spec.inputs[i].missing() || spec.inputs[i].is_constant) continue;
    const bool bit = memory.in_place_inputs >> i & 1;
    const o2m_access &x = memory.inputs[i];
    if (memory.steps == 0) {
      const bool fits = CountOf(spec.inputs[i]) * BytesOf(spec.inputs[i].dtype) >=
                        CountOf(spec.outputs[0]) * BytesOf(spec.outputs[0].dtype);
      if (bit && fits) CheckOverwritten(subject, spec, i, 1, true, inputs, expected, report);
      continue;
    }
    NodeSpec rows_first = spec;
    if (!PutRowsOutermost(rows_first.inputs[i], x) || !PutRowsOutermost(rows_first.outputs[0], memory.outputs[0]))
      continue;
    const bool declared = bit && x.extent == x.step && x.before == 0;
    for (const int32_t rows : {1, ShortTile(memory.steps), memory.steps})
      CheckOverwritten(subject, rows_first, i, rows, declared, inputs, expected, report);
  }
}

// Two nodes step in turns; each must give what it gives alone.
void CheckInterleaved(const Subject &subject, const std::vector<Bytes> &inputs, const std::vector<Bytes> &expected,
                      Reporter &report) {
  report.Begin("no static state");
  const absl::StatusOr<NodeSpec> a = Pack(subject.inferred, subject.target, 0);
  const absl::StatusOr<NodeSpec> b = Pack(subject.next, subject.target, 0);
  if (!a.ok() || !b.ok()) return;
  const std::vector<Bytes> other = MakeInputs(*b, Fill::kEdges, subject.seed + 1);
  RunOptions options;
  options.rows = 1;
  const std::vector<Bytes> alone = RunPacked(*b, subject.target, other, options, report);
  Session first(*a, MemoryOf(*a, subject.target, 1), inputs, options);
  Session second(*b, MemoryOf(*b, subject.target, 1), other, options);
  while (!first.done() || !second.done()) {
    if (!first.done()) first.Step();
    if (!second.done()) second.Step();
  }
  for (const std::string &difference :
       {Difference(*a, expected, first.Outputs()), Difference(*b, alone, second.Outputs())})
    report.Expect("no static state",
                  difference.empty() ? "" : "interleaved with node '" + subject.next.name + "': " + difference);
}

// Corner values in place of random ones, whole and in tiles.
void CheckCorners(const Subject &subject, Reporter &report) {
  const int32_t steps = MemoryOf(subject.inferred, subject.target, 1).steps;
  for (const Fill fill : kFills) {
    const std::vector<Bytes> inputs = MakeInputs(subject.inferred, fill, subject.seed);
    report.Begin("rows == whole");
    const std::vector<Bytes> whole = RunNode(subject.inferred, subject.target, inputs, {}, report);
    RunOptions options;
    options.rows = ShortTile(std::max(steps, 1));
    options.poison.scratch = 0x7F;
    ExpectRun("rows == whole", absl::StrCat("corner values, rows=", options.rows, ": "), subject.inferred,
              subject.target, inputs, options, whole, report);
  }
}

}  // namespace

bool CheckRuns(const Subject &subject, Reporter &report) {
  const std::vector<Bytes> inputs = MakeInputs(subject.inferred, Fill::kRandom, subject.seed);
  const std::vector<Bytes> expected = FirstRun(subject, inputs, report);
  if (report.ok()) CheckPoison(subject, inputs, expected, report);
  if (report.ok()) CheckTiles(subject, inputs, expected, report);
  if (!report.ok()) return false;
  CheckStrides(subject, inputs, expected, report);
  CheckOverwriting(subject, inputs, expected, report);
  CheckInterleaved(subject, inputs, expected, report);
  CheckCorners(subject, report);
  return true;
}

}  // namespace onnx2mcu::check
