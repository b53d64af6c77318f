// build/bin/supernet SPACE IMAGES LABELS TEST-IMAGES TEST-LABELS STEPS [SEED [HELD-OUT]]: trains a supernet on one
// thread, then prints images per second of processor time, the accuracies of 60 random subnets with inherited weights,
// and three of them after a tenth of the steps of fine-tuning.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "nas/train/random.h"
#include "nas/train/trainer.h"

namespace onnx2mcu {
namespace {

// Of this process: other work on the machine does not count.
double Now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

constexpr int kSubnets = 60, kTuned = 3;

struct Spread {
  double mean = 0, deviation = 0;
};
Spread SpreadOf(const std::vector<double> &values) {
  Spread spread;
  for (const double v : values) spread.mean += v / static_cast<double>(values.size());
  for (const double v : values) spread.deviation += (v - spread.mean) * (v - spread.mean);
  spread.deviation = std::sqrt(spread.deviation / static_cast<double>(values.size() - 1));
  return spread;
}

struct Data {
  ImageSet train, held_out, test;
};
absl::StatusOr<Data> ReadData(char **files, const VitConfig &config, int64_t held, uint64_t seed) {
  O2M_ASSIGN_OR_RETURN(ImageSet all, ReadImageSet(files[0], files[1], config));
  O2M_ASSIGN_OR_RETURN(ImageSet test, ReadImageSet(files[2], files[3], config));
  NormalizeByItself(all);
  test.mean = all.mean, test.std = all.std;
  auto [train, held_out] = HoldOut(all, held, seed);
  return Data{std::move(train), std::move(held_out), std::move(test)};
}

// Inherited weights, on the held-out images.
absl::Status Evaluate(const Trainer &trainer, const std::vector<VitConfig> &configs, const ImageSet &images) {
  std::vector<double> accuracies;
  const double start = Now();
  for (const VitConfig &config : configs) {
    O2M_ASSIGN_OR_RETURN(const double accuracy, trainer.Accuracy(config, images));
    accuracies.push_back(100 * accuracy);
  }
  const double rate = static_cast<double>(configs.size()) * static_cast<double>(images.count) / (Now() - start);
  const Spread spread = SpreadOf(accuracies);
  std::printf("%d subnets inherit: mean %.2f sd %.2f on %ld held-out images; %.0f images/s\n",
              static_cast<int>(configs.size()), spread.mean, spread.deviation, static_cast<long>(images.count), rate);
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::Status Tune(const Vit &vit, const Data &data, const TrainOptions &options, int64_t steps) {
  const double start = Now();
  O2M_ASSIGN_OR_RETURN(const Vit tuned, FineTune(vit, data.train, nullptr, options, {0, steps}));
  const double seconds = Now() - start;
  O2M_ASSIGN_OR_RETURN(const Matrix before, Logits(vit, data.test));
  O2M_ASSIGN_OR_RETURN(const Matrix after, Logits(tuned, data.test));
  std::printf("test: inherited %.2f, after %ld steps (%.0f s) %.2f\n", 100 * Top1(before, data.test.labels),
              static_cast<long>(steps), seconds, 100 * Top1(after, data.test.labels));
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::Status Run(char **arguments, int64_t steps, uint64_t seed, int64_t held) {
  O2M_ASSIGN_OR_RETURN(const Space space, ReadSpace(arguments[0]));
  O2M_ASSIGN_OR_RETURN(const Data data, ReadData(arguments + 1, space.base, held, seed));
  TrainOptions options;
  options.seed = seed;
  O2M_ASSIGN_OR_RETURN(Trainer trainer, Trainer::Create(space, data.train, options));
  const double start = Now();
  O2M_RETURN_IF_ERROR(trainer.Train({0, steps}));
  const double seconds = Now() - start;
  std::printf("trained %ld steps in %.0f s: %.0f images/s\n", static_cast<long>(steps), seconds,
              static_cast<double>(steps * options.batch) / seconds);
  std::fflush(stdout);
  std::mt19937_64 random = RandomOf(seed, Purpose::kSubnet, -1);
  std::vector<VitConfig> configs;
  for (int i = 0; i < kSubnets; i++) configs.push_back(ConfigOf(space, RandomGenes(space, random)));
  O2M_RETURN_IF_ERROR(Evaluate(trainer, configs, data.held_out));
  for (int i = 0; i < kTuned; i++) O2M_RETURN_IF_ERROR(Tune(trainer.Subnet(configs[i]), data, options, steps / 10));
  return absl::OkStatus();
}

}  // namespace
}  // namespace onnx2mcu

int main(int count, char **arguments) {
  if (count < 7)
    return std::fprintf(stderr,
                        "usage: supernet SPACE IMAGES LABELS TEST-IMAGES TEST-LABELS STEPS [SEED [HELD-OUT]]\n"),
           1;
  const uint64_t seed = count > 7 ? std::strtoull(arguments[7], nullptr, 10) : 1;
  const int64_t held = count > 8 ? std::atoll(arguments[8]) : 5000;
  const absl::Status status = onnx2mcu::Run(arguments + 1, std::atoll(arguments[6]), seed, held);
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
