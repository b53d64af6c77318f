// cut_table MODEL.onnx FOLDER [CALIBRATION [TEST]]: cuts the ViT to several sizes, writes FOLDER/NAME.onnx and prints
// name and top-1 of the parent, of naive slices, of a cut without and with refitting (percent of the test images), and
// agreement of the last with the parent. bench/cut adds what each file takes on a board.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/cut_sizes.h"
#include "bench/fmnist.h"
#include "nas/cut/cut.h"
#include "nas/vit_onnx.h"

namespace onnx2mcu {
namespace {

struct Data {
  Images calibration;
  LabelledImages test;
};

absl::Status Row(const Vit &parent, const Matrix &logits, const Metadata &metadata, const Data &data,
                 const CutSize &size, const std::string &folder) {
  O2M_ASSIGN_OR_RETURN(const Vit naive, NaiveCut(parent, size.config));
  O2M_ASSIGN_OR_RETURN(const Vit plain, CutTo(parent, size.config, data.calibration, {.least_squares = false}));
  O2M_ASSIGN_OR_RETURN(const Vit refit, CutTo(parent, size.config, data.calibration));
  const Matrix answers = Logits(refit, data.test.images);
  const auto percent = [&](const Matrix &given) { return 100 * Accuracy(given, data.test.labels); };
  std::printf("%s,%.2f,%.2f,%.2f,%.2f,%.2f\n", size.name.c_str(), percent(logits),
              percent(Logits(naive, data.test.images)), percent(Logits(plain, data.test.images)), percent(answers),
              100 * Agreement(answers, logits));
  std::fflush(stdout);
  return WriteVit(refit, metadata, folder + "/" + size.name + ".onnx");
}

absl::Status Run(const std::string &model, const std::string &folder, int64_t calibration, int64_t test) {
  O2M_ASSIGN_OR_RETURN(const VitFile parent, ReadVit(model));
  O2M_ASSIGN_OR_RETURN(LabelledImages unlabelled, ReadFmnist("train", 0, calibration));
  O2M_ASSIGN_OR_RETURN(LabelledImages labelled, ReadFmnist("t10k", 0, test));
  const Data data{std::move(unlabelled.images), std::move(labelled)};
  const Matrix logits = Logits(parent.vit, data.test.images);
  O2M_RETURN_IF_ERROR(WriteVit(parent.vit, parent.metadata, folder + "/parent.onnx"));
  std::printf("name,parent,naive,plain,refit,agreement\n");
  for (const CutSize &size : CutSizesOf(parent.vit.config))
    O2M_RETURN_IF_ERROR(Row(parent.vit, logits, parent.metadata, data, size, folder));
  return absl::OkStatus();
}

int Main(int argc, char **argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: cut_table MODEL.onnx FOLDER [CALIBRATION [TEST]]\n"), 1;
  const absl::Status status =
      Run(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 2000, argc > 4 ? std::atoi(argv[4]) : 10000);
  if (!status.ok()) return std::fprintf(stderr, "cut_table: %s\n", std::string(status.message()).c_str()), 1;
  return 0;
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) { return onnx2mcu::Main(argc, argv); }
