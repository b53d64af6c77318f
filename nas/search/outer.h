// nas/search/outer.h - search-space evolution (MCUFormer, section 3.1 and Algorithm 2): which low-rank ratio and which
// patch size the supernet should have that the networks are then searched in.
//
// A candidate space is a pair of values; its supernet is trained in rounds of equal length and scored S = A + eta * R.
// What differs from the paper: S is ascended (eq. 3 subtracts its slope); steps are w / h rounded to nearest instead of
// down, at most three, inside the grid; the plane is fitted by ridge regression on features of unit range, through
// neighbours that lie near and span it; and a space is left alone only after its neighbours on all sides were trained,
// since a slope from one side is the slope of a place that lies behind.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "importer/ir/status.h"

namespace onnx2mcu {

using SpacePoint = std::array<int32_t, 2>;  // index of the rank ratio, index of the patch size

using Slope = std::array<double, 2>;  // by factor

struct SpaceScore {
  double accuracy = 0;     // A: mean over sampled legal subnets, 0..1
  double legal_share = 0;  // R: of sampled subnets, by the real planner, 0..1
};

// A space after some rounds of training in total.
struct SpaceRecord {
  SpacePoint point = {};
  int32_t rounds = 0;
  SpaceScore score;
};

// A space whose supernet is to be trained, from where it stands or from scratch, until so many rounds are done.
struct SpaceTraining {
  SpacePoint point = {};
  int32_t rounds = 0;
};
// Trains different spaces, in whatever order; their scores, in the order given.
using TrainSpaces = std::function<absl::StatusOr<std::vector<SpaceScore>>(const std::vector<SpaceTraining> &)>;

struct OuterOptions {
  SpacePoint sizes = {12, 5};      // of the grid: [0.40 : 0.05 : 0.95] x {16, 20, 24, 28, 32}
  std::vector<SpacePoint> starts;  // where the candidate spaces begin; empty: `candidates` random ones
  size_t candidates = 5;           // n
  int32_t iterations = 10;         // tau
  size_t neighbours = 8;           // k of the fit, 5 to 8; 5 once all sides are trained
  int32_t reach = 2;               // grid steps in either direction within which a neighbour counts
  double eta = 0.1;                // S = A + eta * R
  double threshold = 0.025;        // h: the slope of the score over a factor's whole range that is worth one step
  double ridge = 1e-3;             // lambda, on features of unit range, per point
  uint64_t seed = 0;
};

struct OuterResult {
  SpacePoint best = {};                        // the most often selected; of equals the one with the higher last score
  std::vector<SpaceRecord> records;            // in the order of training
  std::vector<std::vector<SpacePoint>> paths;  // by candidate: where it was in each iteration
};

// records: of an interrupted run, in its order; they are not trained again, so that the run goes on with the same
// result. remember is called whenever there are new ones.
absl::StatusOr<OuterResult> EvolveSpace(
    const OuterOptions &options, const TrainSpaces &train, std::vector<SpaceRecord> records = {},
    const std::function<absl::Status(const std::vector<SpaceRecord> &)> &remember =
        [](const std::vector<SpaceRecord> &) { return absl::OkStatus(); });

// w: the slope of S over each factor's whole range at `point`, from its `neighbours` nearest within reach among
// `records`, all trained equally long. FailedPrecondition: they are fewer than four or lie on one line.
absl::StatusOr<Slope> Tendency(const OuterOptions &options, const SpacePoint &point, std::vector<SpaceRecord> records);

}  // namespace onnx2mcu
