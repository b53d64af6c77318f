// build/bin/cut_tuned MODEL KIND SEED STEPS [options]: one row of fine-tuning for bench/cut --tune. A network of one of
// bench/cut_sizes.h's sizes begins as the cut of MODEL ("cut"), as its naive slices W[:k] ("naive") or at random
// ("scratch"), is trained on one thread for STEPS steps, scored before and after, and written. KIND "rate": trains that
// many steps several times over and prints the most steps per second of processor time.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "bench/cut_sizes.h"
#include "nas/cut/cut.h"
#include "nas/cut/exact.h"
#include "nas/train/trainer.h"
#include "nas/vit_onnx.h"

namespace onnx2mcu {
namespace {

struct Options {
  std::string model, kind, size = "dim_44_mlp_80", data = "/usr/share/datasets/fashion-mnist", out;
  int64_t steps = 0, calibration = 2000, held_out = 0, test = 10000;
  bool labels = true, parent = true;  // what is learnt from
  TrainOptions training;
};

// Of this process: other work on the machine does not count.
double Now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Data {
  ImageSet train, scored;
};

// The first `count` images.
ImageSet First(ImageSet set, int64_t count) {
  set.count = std::min(count, set.count);
  set.pixels.resize(set.count * set.ImageSize()), set.labels.resize(set.count);
  return set;
}

// Scored on test images or, where recipes are chosen, on training images that are held out.
absl::StatusOr<Data> ReadData(const Options &o, const VitConfig &config) {
  const auto read = [&](const std::string &split) -> absl::StatusOr<ImageSet> {
    const std::string path = absl::StrCat(o.data, "/", split);
    O2M_ASSIGN_OR_RETURN(ImageSet set,
                         ReadImageSet(path + "-images-idx3-ubyte.gz", path + "-labels-idx1-ubyte.gz", config));
    set.mean = {0.2860f}, set.std = {0.3530f};  // as models/README.md
    return set;
  };
  O2M_ASSIGN_OR_RETURN(ImageSet all, read("train"));
  if (o.held_out > 0) {
    auto [train, scored] = HoldOut(all, o.held_out, 1);
    return Data{std::move(train), std::move(scored)};
  }
  O2M_ASSIGN_OR_RETURN(ImageSet test, read("t10k"));
  return Data{std::move(all), First(std::move(test), o.test)};
}

Images AsFed(const ImageSet &set) {
  Images images(set.count, set.ImageSize());
  for (int64_t i = 0; i < images.size(); i++)
    images.data()[i] = (static_cast<float>(set.pixels[i]) / 255 - set.mean[0]) / set.std[0];
  return images;
}

absl::StatusOr<VitConfig> SizeNamed(const std::string &name, const VitConfig &parent) {
  for (const CutSize &size : CutSizesOf(parent))
    if (size.name == name) return size.config;
  return absl::InvalidArgumentError(absl::StrCat("--size=", name, ": not one of bench/cut_sizes.h"));
}

// Where training begins. The seed draws the images that a cut is fitted to.
absl::StatusOr<Vit> Beginning(const Options &o, const Vit &parent, const ImageSet &train) {
  O2M_ASSIGN_OR_RETURN(const VitConfig config, SizeNamed(o.size, parent.config));
  if (o.kind == "naive") return NaiveCut(parent, config);
  if (o.kind == "scratch") return RandomVit(config, o.training.seed);
  if (o.kind != "cut" && o.kind != "rate")
    return absl::InvalidArgumentError(absl::StrCat("kind ", o.kind, ": cut, naive, scratch or rate"));
  return CutTo(parent, config, AsFed(HoldOut(train, std::min(o.calibration, train.count), o.training.seed).second));
}

absl::StatusOr<Vit> Trained(const Options &o, const Vit &parent, const Vit &vit, ImageSet train) {
  if (!o.labels) train.labels.clear();
  return FineTune(vit, train, o.parent ? &parent : nullptr, o.training, {0, o.steps});
}

absl::Status PrintRate(const Options &o, const Vit &parent, const Vit &vit, const Data &data) {
  double most = 0;
  for (int repeat = 0; repeat < 5; repeat++) {
    const double start = Now();
    O2M_RETURN_IF_ERROR(Trained(o, parent, vit, data.train).status());
    most = std::max(most, static_cast<double>(o.steps) / (Now() - start));
  }
  std::printf("%.3f\n", most);
  return absl::OkStatus();
}

absl::StatusOr<double> Percent(const Vit &vit, const ImageSet &images) {
  O2M_ASSIGN_OR_RETURN(const Matrix logits, Logits(vit, images));
  return 100 * Top1(logits, images.labels);
}

absl::Status Run(const Options &o) {
  O2M_ASSIGN_OR_RETURN(const VitFile parent, ReadVit(o.model));
  O2M_ASSIGN_OR_RETURN(const Data data, ReadData(o, parent.vit.config));
  const double start = Now();
  O2M_ASSIGN_OR_RETURN(const Vit begun, Beginning(o, parent.vit, data.train));
  const double cutting = Now() - start;
  if (o.kind == "rate") return PrintRate(o, parent.vit, begun, data);
  O2M_ASSIGN_OR_RETURN(const double whole, Percent(parent.vit, data.scored));
  O2M_ASSIGN_OR_RETURN(const double before, Percent(begun, data.scored));
  const double middle = Now();
  O2M_ASSIGN_OR_RETURN(const Vit trained, Trained(o, parent.vit, begun, data.train));
  const double training = Now() - middle;
  const Vit folded = FoldNorms(trained);  // the same function; norms that are equal are stored once
  const Vit vit = folded.config == trained.config ? folded : trained;  // low ranks would become dense
  O2M_ASSIGN_OR_RETURN(const double after, Percent(vit, data.scored));
  std::printf("%s,%d,%lld,%.1f,%.1f,%.2f,%.2f,%.2f\n", o.kind.c_str(), static_cast<int>(o.training.seed),
              static_cast<long long>(o.steps), cutting, training, whole, before, after);
  return o.out.empty() ? absl::OkStatus() : WriteVit(vit, parent.metadata, o.out);
}

void AddOptions(CLI::App &app, Options &o) {
  o.training = TuningOptions(1);
  app.add_option("model", o.model)->required();
  app.add_option("kind", o.kind)->required();
  app.add_option("seed", o.training.seed)->required();
  app.add_option("steps", o.steps)->required();
  app.add_option("--size", o.size);
  app.add_option("--data", o.data, "folder of the data set")->envname("FASHION_MNIST");
  app.add_option("-o", o.out, "ONNX file to write");
  app.add_option("--calibration", o.calibration, "unlabelled training images that a cut is fitted to");
  app.add_option("--held-out", o.held_out, "training images to score on instead of test images");
  app.add_option("--test", o.test, "test images");
  app.add_option("--labels", o.labels, "whether to learn from labels");
  app.add_option("--parent", o.parent, "whether to learn from the model");
  app.add_option("--parent-share", o.training.parent_share, "of the targets, where both");
  app.add_option("--learning-rate", o.training.learning_rate);
  app.add_option("--batch", o.training.batch);
  app.add_option("--warmup", o.training.warmup);
  app.add_option("--weight-decay", o.training.weight_decay);
  app.add_option("--ema", o.training.ema);
  app.add_option("--shift", o.training.shift);
  app.add_option("--flip", o.training.flip);
  app.add_option("--mixing", o.training.mixing);
}

}  // namespace
}  // namespace onnx2mcu

int main(int count, char **arguments) {
  CLI::App app("One network of bench/cut, trained further.");
  onnx2mcu::Options options;
  onnx2mcu::AddOptions(app, options);
  CLI11_PARSE(app, count, arguments);
  const absl::Status status = onnx2mcu::Run(options);
  if (!status.ok()) std::fprintf(stderr, "cut_tuned: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
