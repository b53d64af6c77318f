#include "nas/search/outer.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "nas/search/random.h"

namespace onnx2mcu {
namespace {

struct Outer {
  const OuterOptions &options;
  const TrainSpaces &train;
  const std::function<absl::Status(const std::vector<SpaceRecord> &)> &remember;
  std::vector<SpaceRecord> known;  // of an interrupted run
  std::vector<SpaceRecord> records;
  std::map<SpacePoint, int32_t> rounds;  // trained so far
};

double ScoreOf(const OuterOptions &options, const SpaceScore &score) {
  return score.accuracy + options.eta * score.legal_share;
}

// In [0, 1].
Eigen::Vector2d Feature(const OuterOptions &options, const SpacePoint &point) {
  const auto unit = [&](size_t i) { return static_cast<double>(point[i]) / std::max(1, options.sizes[i] - 1); };
  return {unit(0), unit(1)};
}

double Steps(const SpacePoint &a, const SpacePoint &b) { return std::hypot(a[0] - b[0], a[1] - b[1]); }

std::vector<SpaceRecord> Trained(const std::vector<SpaceRecord> &records, int32_t rounds) {
  std::vector<SpaceRecord> equal;
  for (const SpaceRecord &record : records)
    if (record.rounds == rounds) equal.push_back(record);
  return equal;
}

// One round more for each of these spaces, which differ; where an interrupted run did the same, its records.
absl::Status TrainRounds(const std::vector<SpacePoint> &points, Outer *outer) {
  std::vector<SpaceTraining> due;
  for (const SpacePoint &point : points) {
    const int32_t rounds = ++outer->rounds[point];
    const size_t next = outer->records.size();
    if (next >= outer->known.size()) {
      due.push_back({point, rounds});
      continue;
    }
    const SpaceRecord &record = outer->known[next];
    if (record.point != point || record.rounds != rounds)
      return absl::InvalidArgumentError("the records are of a search with other options; remove them to search anew");
    outer->records.push_back(record);
  }
  if (due.empty()) return absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(const std::vector<SpaceScore> scores, outer->train(due));
  for (size_t i = 0; i < due.size(); i++) outer->records.push_back({due[i].point, due[i].rounds, scores[i]});
  return outer->remember(outer->records);
}

// The nearest space without a round of training; false where all have one.
bool Untrained(const SpacePoint &point, const Outer &outer, SpacePoint *found) {
  double nearest = INFINITY;
  for (int32_t i = 0; i < outer.options.sizes[0]; i++) {
    for (int32_t j = 0; j < outer.options.sizes[1]; j++) {
      if (outer.rounds.count({i, j}) != 0 || Steps(point, {i, j}) >= nearest) continue;
      nearest = Steps(point, {i, j});
      *found = {i, j};
    }
  }
  return nearest < INFINITY;
}

// The slope from the longest training that enough neighbours share; where none does, more spaces are trained.
absl::StatusOr<Slope> TendencyAt(const SpacePoint &point, Outer *outer) {
  for (int32_t rounds = outer->rounds[point]; rounds > 0; rounds--) {
    const auto slope = Tendency(outer->options, point, Trained(outer->records, rounds));
    if (slope.ok()) return slope;
  }
  SpacePoint more;
  while (Untrained(point, *outer, &more)) {
    O2M_RETURN_IF_ERROR(TrainRounds({more}, outer));
    const auto slope = Tendency(outer->options, point, Trained(outer->records, 1));
    if (slope.ok()) return slope;
  }
  return Slope{0, 0};  // the grid has fewer points than a plane needs
}

// The slope after the neighbours on all sides have a round of training.
absl::StatusOr<Slope> TendencyAmid(const SpacePoint &point, Outer *outer) {
  std::vector<SpacePoint> sides;
  for (size_t i = 0; i < point.size(); i++) {
    for (const int32_t side : {-1, 1}) {
      SpacePoint neighbour = point;
      neighbour[i] += side;
      const bool inside = neighbour[i] >= 0 && neighbour[i] < outer->options.sizes[i];
      if (inside && outer->rounds.count(neighbour) == 0) sides.push_back(neighbour);
    }
  }
  O2M_RETURN_IF_ERROR(TrainRounds(sides, outer));
  OuterOptions nearest = outer->options;
  nearest.neighbours = std::min<size_t>(nearest.neighbours, 5);
  const auto slope = Tendency(nearest, point, Trained(outer->records, 1));
  return slope.ok() ? slope : TendencyAt(point, outer);
}

// Equation 3, ascending.
SpacePoint NextPoint(const OuterOptions &options, SpacePoint point, const Slope &slope) {
  for (size_t i = 0; i < point.size(); i++) {
    const double steps = std::clamp(std::round(slope[i] / options.threshold), -3.0, 3.0);
    point[i] = std::clamp(point[i] + static_cast<int32_t>(steps), 0, options.sizes[i] - 1);
  }
  return point;
}

// Where a candidate space goes from here.
absl::StatusOr<SpacePoint> Next(const SpacePoint &point, Outer *outer) {
  O2M_ASSIGN_OR_RETURN(const Slope slope, TendencyAt(point, outer));
  const SpacePoint next = NextPoint(outer->options, point, slope);
  if (next != point) return next;
  O2M_ASSIGN_OR_RETURN(const Slope amid, TendencyAmid(point, outer));
  return NextPoint(outer->options, point, amid);
}

std::vector<SpacePoint> Starts(const OuterOptions &options) {
  if (!options.starts.empty()) return options.starts;
  std::vector<SpacePoint> starts;
  for (size_t i = 0; i < options.candidates; i++) {
    RandomStream random(options.seed, 0, i);
    const int32_t rank = random.Below(options.sizes[0]);
    starts.push_back({rank, random.Below(options.sizes[1])});
  }
  return starts;
}

SpacePoint MostSelected(const OuterOptions &options, const OuterResult &result) {
  std::map<SpacePoint, std::pair<int32_t, double>> selected;  // times, last score
  for (const std::vector<SpacePoint> &path : result.paths)
    for (const SpacePoint &point : path) selected[point].first++;
  for (const SpaceRecord &record : result.records)
    if (selected.count(record.point) != 0) selected[record.point].second = ScoreOf(options, record.score);
  return std::max_element(selected.begin(), selected.end(),
                          [](const auto &a, const auto &b) { return a.second < b.second; })
      ->first;
}

}  // namespace

absl::StatusOr<Slope> Tendency(const OuterOptions &options, const SpacePoint &point, std::vector<SpaceRecord> records) {
  const auto far = [&](const SpaceRecord &record) {
    return std::max(std::abs(record.point[0] - point[0]), std::abs(record.point[1] - point[1])) > options.reach;
  };
  records.erase(std::remove_if(records.begin(), records.end(), far), records.end());
  std::stable_sort(records.begin(), records.end(), [&](const SpaceRecord &a, const SpaceRecord &b) {
    return Steps(a.point, point) < Steps(b.point, point);
  });
  records.resize(std::min(records.size(), options.neighbours));
  const auto count = static_cast<Eigen::Index>(records.size());
  Eigen::MatrixXd x(count, 2);
  Eigen::VectorXd y(count);
  for (Eigen::Index i = 0; i < count; i++) {
    x.row(i) = Feature(options, records[i].point);
    y[i] = ScoreOf(options, records[i].score);
  }
  if (count >= 4) x.rowwise() -= x.colwise().mean().eval(), y.array() -= y.mean();
  if (count < 4 || x.fullPivLu().rank() < 2)
    return absl::FailedPreconditionError("fewer than four equally trained spaces that do not lie on one line");
  const Eigen::Matrix2d gram =
      x.transpose() * x + options.ridge * static_cast<double>(count) * Eigen::Matrix2d::Identity();
  const Eigen::Vector2d slope = gram.ldlt().solve(x.transpose() * y);
  return Slope{slope[0], slope[1]};
}

absl::StatusOr<OuterResult> EvolveSpace(const OuterOptions &options, const TrainSpaces &train,
                                        std::vector<SpaceRecord> records,
                                        const std::function<absl::Status(const std::vector<SpaceRecord> &)> &remember) {
  Outer outer = {options, train, remember, std::move(records), {}, {}};
  std::vector<SpacePoint> candidates = Starts(options);
  OuterResult result;
  result.paths.resize(candidates.size());
  for (int32_t i = 0; i < options.iterations; i++) {
    const std::set<SpacePoint> distinct(candidates.begin(), candidates.end());
    O2M_RETURN_IF_ERROR(TrainRounds({distinct.begin(), distinct.end()}, &outer));
    for (size_t c = 0; c < candidates.size(); c++) {
      result.paths[c].push_back(candidates[c]);
      O2M_ASSIGN_OR_RETURN(candidates[c], Next(candidates[c], &outer));
    }
  }
  result.records = std::move(outer.records);
  result.best = MostSelected(options, result);
  return result;
}

}  // namespace onnx2mcu
