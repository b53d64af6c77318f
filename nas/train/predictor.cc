#include "nas/train/predictor.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nas/train/trainer.h"

namespace onnx2mcu {
namespace {

absl::StatusOr<ImageSet> ReadImages(const Space &space, const PredictorOptions &options) {
  if (options.inputs.empty())
    return absl::InvalidArgumentError("search: images to train on are missing; give --inputs and --labels");
  O2M_ASSIGN_OR_RETURN(ImageSet images, ReadImageSet(options.inputs, options.labels, space.base));
  if (options.held_out < 1 || options.held_out >= images.count)
    return absl::InvalidArgumentError(absl::StrCat("search: --held-out=", options.held_out, ": ", options.inputs,
                                                   " has ", images.count, " images; some must be left to train on"));
  NormalizeByItself(images);
  return images;
}

std::string Joined(const std::vector<float> &values) {
  return absl::StrJoin(values, ",", [](std::string *out, float v) { absl::StrAppendFormat(out, "%.6g", v); });
}

absl::StatusOr<FileMetadata> MetadataOfImages(const Space &space, const PredictorOptions &options) {
  O2M_ASSIGN_OR_RETURN(const ImageSet images, ReadImages(space, options));
  if (images.pixels.empty()) return FileMetadata();
  return FileMetadata{{"onnx2mcu.mean", Joined(images.mean)}, {"onnx2mcu.std", Joined(images.std)}};
}

absl::StatusOr<Predictor> Train(const Space &space, const PredictorOptions &options) {
  if (options.train_steps <= 0 && options.train_seconds <= 0)
    return absl::InvalidArgumentError("search: how long to train is missing; give --train-steps or --train-seconds");
  O2M_ASSIGN_OR_RETURN(const ImageSet images, ReadImages(space, options));
  auto [train, held_out] = HoldOut(images, options.held_out, options.seed);
  TrainOptions train_options;
  train_options.seed = options.seed;
  train_options.peers = options.peers;
  const auto training = std::make_shared<ImageSet>(std::move(train));
  O2M_ASSIGN_OR_RETURN(Trainer made, Trainer::Create(space, *training, train_options));
  const auto trainer = std::make_shared<Trainer>(std::move(made));
  O2M_RETURN_IF_ERROR(trainer->Train({options.train_seconds, options.train_steps, options.train_rounds},
                                     {options.checkpoint, options.resume}));
  const auto held = std::make_shared<ImageSet>(std::move(held_out));
  const auto accuracy = [trainer, held](const VitConfig &config) { return trainer->Accuracy(config, *held); };
  const auto subnet = [trainer](const VitConfig &config) -> absl::StatusOr<Vit> { return trainer->Subnet(config); };
  const auto tune = [trainer, training, held](const VitConfig &config,
                                              const FineTuning &finetuning) -> absl::StatusOr<Tuned> {
    TrainOptions tuning_options;
    tuning_options.seed = finetuning.seed;
    O2M_ASSIGN_OR_RETURN(Vit vit,
                         FineTune(trainer->Subnet(config), *training, nullptr, tuning_options,
                                  {finetuning.seconds, finetuning.steps}, {finetuning.checkpoint, finetuning.resume}));
    O2M_ASSIGN_OR_RETURN(const Matrix logits, Logits(vit, *held));
    return Tuned{std::move(vit), Top1(logits, held->labels)};
  };
  const std::string budget = options.train_steps > 0 ? absl::StrCat(options.train_steps, " steps")
                                                     : absl::StrCat(options.train_seconds, " seconds");
  return Predictor{absl::StrCat("supernet after ", budget, ", on ", held->count, " images"), accuracy, subnet, tune};
}

ImageSet ImageSetOf(const VitConfig &config, const InputSet &images, const Preprocessing &preprocessing) {
  ImageSet set;
  set.count = images.count, set.channels = config.channels, set.side = config.image;
  set.pixels = images.u8, set.floats = images.f32, set.labels = images.labels;
  if (preprocessing.known()) set.mean = preprocessing.mean, set.std = preprocessing.std;
  return set;
}

absl::StatusOr<Vit> FineTuned(const Vit &vit, const Vit &parent, const InputSet &images,
                              const Preprocessing &preprocessing, const FineTuning &finetuning) {
  return FineTune(vit, ImageSetOf(vit.config, images, preprocessing), &parent, TuningOptions(finetuning.seed),
                  {finetuning.seconds, finetuning.steps}, {finetuning.checkpoint, finetuning.resume});
}

}  // namespace

Supernet TrainedSupernet() { return {MetadataOfImages, Train, FineTuned}; }

}  // namespace onnx2mcu
