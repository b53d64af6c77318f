#include "bench/cost_fit.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bench/nnls.h"

namespace onnx2mcu {
namespace {

constexpr char kHead[] = "case,form,rows,instructions";
constexpr int32_t kAllRows = std::numeric_limits<int32_t>::max();

// A network of cases to be counted: the bench cases, in scalar C as well, and those for the cost, which are small, at
// several numbers of rows.
struct FitRun {
  bool bench, plain;
  int32_t rows, variant = 0;
};
constexpr FitRun kRuns[] = {{true, true, kAllRows},     {true, true, 1},
                            {true, false, kAllRows},    {false, false, kAllRows},
                            {false, false, 1},          {false, false, 2},
                            {false, false, 3},          {false, false, 4},
                            {false, false, 8},          {false, false, 16},
                            {true, false, kAllRows, 1}, {false, false, kAllRows, 1},
                            {false, false, 2, 1},       {false, false, kAllRows, 2},
                            {false, false, 3, 2},       {false, false, kAllRows, 3},
                            {false, false, 3, 3}};

std::string FormOf(const FitRun &run) {
  return run.plain ? "plain" : run.variant > 0 ? absl::StrCat("variant", run.variant) : "best";
}

constexpr int32_t kParts = 3;  // of all ops; inputs and outputs of a network of cases are to fit every board

// part kNone: all ops
absl::StatusOr<CaseNetwork> NetworkOf(const Registry &registry, const std::string &target, const FitRun &run,
                                      int32_t part, Host &host) {
  CaseOptions options;
  if (part != kNone) options.part = part, options.parts = kParts;
  options.target = target, options.plain = run.plain, options.rows = run.rows;
  options.cost_cases = !run.bench;
  options.variant = run.variant;
  if (!run.bench) options.prefix = "only those for the cost";
  return NetworkOfCases(registry, options, host);
}

// The same calls are counted with another number of rows, or as another variant, as well.
bool IsRepeated(const CaseNetwork &network, const CountedCase &counted, const FitRun &run) {
  const bool has_form = network.compilation.graph.nodes[counted.node].variant == run.variant;
  return !has_form || (run.rows != kAllRows && counted.steps <= run.rows);
}

FitKey KeyOf(const CountedCase &counted, const FitRun &run) { return {counted.name, FormOf(run), counted.rows}; }

// Kernels that share a sample, or a kernel with another that does, as one group.
std::vector<std::vector<const Sample *>> GroupsOf(const std::vector<Sample> &samples) {
  std::map<std::string, std::string> parent;
  const auto root = [&parent](std::string kernel) {
    while (parent.try_emplace(kernel, kernel).first->second != kernel) kernel = parent[kernel];
    return kernel;
  };
  for (const Sample &sample : samples)
    for (const Term &term : sample.terms) parent[root(term.kernel)] = root(sample.terms[0].kernel);
  std::map<std::string, std::vector<const Sample *>> groups;
  for (const Sample &sample : samples) groups[root(sample.terms[0].kernel)].push_back(&sample);
  std::vector<std::vector<const Sample *>> list;
  for (auto &[kernel, group] : groups) list.push_back(std::move(group));
  return list;
}

void FitGroup(const std::vector<const Sample *> &group, Coefficients *coefficients) {
  std::map<std::pair<std::string, std::string>, Eigen::Index> columns;
  for (const Sample *sample : group)
    for (const Term &term : sample->terms) columns.try_emplace({term.kernel, term.name}, 0);
  Eigen::Index count = 0;
  for (auto &[key, column] : columns) column = count++;
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(group.size()), count);
  for (size_t i = 0; i < group.size(); i++)
    for (const Term &term : group[i]->terms)
      a(static_cast<Eigen::Index>(i), columns[{term.kernel, term.name}]) +=
          static_cast<double>(term.count) / group[i]->instructions;
  const Eigen::VectorXd x = NonNegativeLeastSquares(a, Eigen::VectorXd::Ones(a.rows()));
  for (const auto &[key, column] : columns) (*coefficients)[key] = std::llround(x[column] * 1000);
}

// What a call takes in a kernel that nobody knows: the mean of those that are.
int64_t MeanCall(const Coefficients &coefficients) {
  int64_t sum = 0, count = 0;
  for (const auto &[key, value] : coefficients) {
    if (key.second != "calls" || value == 0) continue;
    sum += value, count++;
  }
  return count == 0 ? 0 : sum / count;
}

// Without what their calls take.
std::vector<Sample> WithoutCalls(const std::vector<Sample> &samples, int64_t call) {
  std::vector<Sample> rest;
  for (Sample sample : samples) {
    const Term calls = sample.terms.back();
    sample.terms.pop_back();
    sample.instructions -= static_cast<double>(call * calls.count) / 1000;
    if (sample.instructions > 0) rest.push_back(std::move(sample));
  }
  return rest;
}

void FitAll(const std::vector<Sample> &samples, Coefficients *coefficients) {
  for (const auto &group : GroupsOf(samples)) FitGroup(group, coefficients);
}

}  // namespace

absl::StatusOr<FitData> ReadFitData(const std::string &path) {
  std::ifstream file(path);
  FitData data;
  std::string line;
  for (int number = 1; std::getline(file, line); number++) {
    if (number == 1 && line == kHead) continue;
    std::vector<std::string> cells = absl::StrSplit(line, ',');
    for (; cells.size() > 4; cells.erase(cells.begin() + 1)) cells[0] += "," + cells[1];  // of a name
    int64_t rows = 0, instructions = 0;
    if (number == 1 || cells.size() != 4 || !absl::SimpleAtoi(cells[2], &rows) ||
        !absl::SimpleAtoi(cells[3], &instructions) || instructions <= 0)
      return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": '", line, "' is no ", kHead));
    data[{cells[0], cells[1], static_cast<int32_t>(rows)}] = instructions;
  }
  return data;
}

absl::Status WriteFitData(const std::string &path, const FitData &data) {
  std::ofstream file(path);
  file << kHead << "\n";
  for (const auto &[key, instructions] : data)
    file << std::get<0>(key) << "," << std::get<1>(key) << "," << std::get<2>(key) << "," << instructions << "\n";
  if (!file.flush()) return absl::PermissionDeniedError(absl::StrCat(path, ": cannot be written"));
  return absl::OkStatus();
}

static absl::Status MeasurePart(const Registry &registry, const std::string &target, const FitRun &run, int32_t part,
                                FitData *data) {
  Host host;
  O2M_ASSIGN_OR_RETURN(const CaseNetwork network, NetworkOf(registry, target, run, part, host));
  if (network.cases.empty()) return absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(const std::vector<int64_t> counts, CountCases(network, host));
  for (size_t i = 0; i < counts.size(); i++)
    if (!IsRepeated(network, network.cases[i], run)) (*data)[KeyOf(network.cases[i], run)] = counts[i];
  return absl::OkStatus();
}

absl::StatusOr<FitData> MeasureFitData(const Registry &registry, const std::string &target) {
  FitData data;
  for (const FitRun &run : kRuns)
    for (int32_t part = 0; part < kParts; part++) O2M_RETURN_IF_ERROR(MeasurePart(registry, target, run, part, &data));
  return data;
}

absl::StatusOr<std::vector<Sample>> SamplesOf(const Registry &registry, const std::string &target,
                                              const FitData &data) {
  std::vector<Sample> samples;
  std::set<FitKey> seen;
  for (const FitRun &run : kRuns) {
    Host host;
    O2M_ASSIGN_OR_RETURN(const CaseNetwork network, NetworkOf(registry, target, run, kNone, host));
    const Graph &graph = network.compilation.graph;
    for (const CountedCase &counted : network.cases) {
      if (IsRepeated(network, counted, run) || !seen.insert(KeyOf(counted, run)).second) continue;
      const auto found = data.find(KeyOf(counted, run));
      if (found == data.end())
        return absl::InvalidArgumentError(absl::StrCat(target, ": '", counted.name, "' with ", counted.rows,
                                                       " rows per call was not counted; 'bench/fit --measure' does"));
      samples.push_back({absl::StrCat(counted.name, ", ", FormOf(run), ", ", counted.rows, " rows"),
                         TermsOf(graph, graph.nodes[counted.node], network.compilation.target.abi(), counted.steps,
                                 std::max(counted.rows, 1), run.plain),
                         static_cast<double>(found->second)});
    }
  }
  return samples;
}

Coefficients FitSamples(const std::vector<Sample> &samples) {
  std::vector<Sample> known, any;
  for (const Sample &sample : samples) (sample.terms[0].kernel == "*" ? any : known).push_back(sample);
  Coefficients coefficients;
  FitAll(known, &coefficients);
  if (any.empty()) return coefficients;
  const int64_t call = MeanCall(coefficients);
  FitAll(WithoutCalls(any, call), &coefficients);
  coefficients[{"*", "calls"}] = call;
  return coefficients;
}

double Predict(const Coefficients &coefficients, const Sample &sample) {
  double thousandths = 0;
  for (const Term &term : sample.terms) {
    const auto found = coefficients.find({term.kernel, term.name});
    if (found == coefficients.end() || found->second == kUnknownCost) return kUnknownCost;
    thousandths += static_cast<double>(found->second) * static_cast<double>(term.count);
  }
  return thousandths / 1000;
}

std::string CostTableText(const std::vector<Coefficients> &by_core) {
  std::set<std::pair<std::string, std::string>> keys;
  for (const Coefficients &coefficients : by_core)
    for (const auto &[key, value] : coefficients) keys.insert(key);
  std::string text =
      "// Made by bench/fit from the counts in bench/fit_data: thousandths of an instruction per term, by core\n//";
  for (const char *core : kCostCores) absl::StrAppend(&text, " ", core);
  absl::StrAppend(&text, "; -1: not counted there.\n");
  for (const auto &key : keys) {
    absl::StrAppend(&text, "{\"", key.first, "\", \"", key.second, "\", {");
    for (size_t core = 0; core < by_core.size(); core++) {
      const auto found = by_core[core].find(key);
      absl::StrAppend(&text, core ? ", " : "", found == by_core[core].end() ? kUnknownCost : found->second);
    }
    absl::StrAppend(&text, "}},\n");
  }
  return text;
}

Coefficients BuiltCoefficients(int32_t core, const Coefficients &like) {
  Coefficients built;
  for (const auto &[key, value] : like) built[key] = CostOf(core, key.first.c_str(), key.second.c_str());
  return built;
}

}  // namespace onnx2mcu
