#include "nas/train/trainer.h"

#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>

#include "importer/data/files.h"
#include "nas/forward.h"
#include "nas/train/net.h"
#include "nas/train/random.h"
#include "nas/train/supernet.h"

namespace onnx2mcu {
namespace {

// Every kind of gene at once, small enough to train in a second.
Space SmallSpace(const std::string &pool) {
  const std::string path = testing::TempDir() + "/space_" + pool + ".yaml";
  EXPECT_TRUE(WriteFileBytes(
                  path, "image: [8, 16]\nchannels: 2\nclasses: 3\npool: " + pool +
                            "\npatch: [2, 4]\ndim: [8, 12]\ndepth: [1, 2, 3]\nrank_ratio: [0.3, 0.6, 1]\n"
                            "rank_layers: [qkv, proj, fc1, fc2]\nper_block:\n  heads: [2, 4]\n  mlp_ratio: [1, 2.5]\n")
                  .ok());
  const absl::StatusOr<Space> space = ReadSpace(path);
  EXPECT_TRUE(space.ok()) << space.status();
  return *space;
}

// Images whose brightest third says their class.
ImageSet Stripes(int64_t count, int64_t side) {
  ImageSet set;
  set.count = count, set.channels = 2, set.side = side, set.mean = {0.4f, 0.5f}, set.std = {0.3f, 0.2f};
  std::mt19937_64 random = RandomOf(5, Purpose::kHoldOut, count);
  for (int64_t i = 0; i < count; i++) {
    set.labels.push_back(Below(random, 3));
    for (int64_t p = 0; p < 2 * side * side; p++) {
      const bool bright = p / side % side * 3 / side == set.labels.back();
      set.pixels.push_back(static_cast<uint8_t>(Below(random, 100) + (bright ? 150 : 0)));
    }
  }
  return set;
}

Matrix Normalized(const ImageSet &set) {
  Matrix x(set.count, set.ImageSize());
  for (int64_t i = 0; i < x.size(); i++) {
    const int64_t channel = i % set.ImageSize() / (set.side * set.side);
    x.data()[i] = (static_cast<float>(set.pixels[i]) / 255 - set.mean[channel]) / set.std[channel];
  }
  return x;
}

TrainOptions FastOptions() {
  TrainOptions options;
  options.batch = 16, options.shards = 2, options.shift = 1, options.flip = false, options.mixing = 0.2;
  options.learning_rate = 5e-3;
  return options;
}

double GreatestDifference(const Matrix &a, const Matrix &b) { return (a - b).cwiseAbs().maxCoeff(); }

TEST(TrainerTest, SubnetsComputeWhatTheirWeightsSay) {
  for (const char *pool : {"class_token", "mean"}) {
    const Space space = SmallSpace(pool);
    const Trainer trainer = *Trainer::Create(space, Stripes(8, 16), FastOptions());
    const uint64_t seed = 11;
    std::mt19937_64 random = RandomOf(seed, Purpose::kSubnet, 0);
    for (int trial = 0; trial < 50; trial++) {
      const VitConfig config = ConfigOf(space, RandomGenes(space, random));
      const Vit vit = trainer.Subnet(config);
      EXPECT_EQ(vit.config, config);
      const ImageSet images = Stripes(5, config.image);
      const absl::StatusOr<Matrix> logits = Logits(vit, images);
      ASSERT_TRUE(logits.ok()) << logits.status();
      EXPECT_LT(GreatestDifference(*logits, Logits(vit, Normalized(images))), 1e-5) << "seed " << seed << " " << trial;
    }
  }
}

TEST(TrainerTest, SubnetsShareTheFirstOfEverything) {
  const Space space = SmallSpace("class_token");
  const SharedWeights supernet = MakeSupernet(space, 3);
  Genes genes(space.genes.size());
  for (size_t i = 0; i < genes.size(); i++) genes[i] = static_cast<int32_t>(space.genes[i].values.size()) - 1;
  const Vit all = VitOf(Subnet(supernet, ConfigOf(space, genes)));
  for (size_t i = 0; i < genes.size(); i++)
    if (space.genes[i].name == "dim") genes[i] = 0;
  VitConfig config = ConfigOf(space, genes);
  const Vit some = VitOf(Subnet(supernet, config));
  EXPECT_LT(GreatestDifference(some.weights.patch, all.weights.patch.topRows(8)), 1e-6);
  EXPECT_LT(GreatestDifference(some.weights.positions, all.weights.positions.leftCols(8)), 1e-6);
  EXPECT_EQ(some.weights.head.v, all.weights.head.v.leftCols(8));
  EXPECT_EQ(some.weights.blocks[0].norm1.gain, all.weights.blocks[0].norm1.gain.head(8));
  const BlockConfig &block = config.blocks[0], &most = all.config.blocks[0];
  for (int part = 0; part < 3; part++)  // q, k and v, head by head
    for (int64_t head = 0; head < block.heads; head++) {
      const auto rows =
          some.weights.blocks[0].qkv.v.middleRows((part * block.heads + head) * block.head_dim, block.head_dim);
      const auto from =
          all.weights.blocks[0].qkv.v.middleRows((part * most.heads + head) * most.head_dim, block.head_dim);
      EXPECT_LT((rows - from.leftCols(8)).cwiseAbs().maxCoeff(), 1e-6);
    }
}

// 0.6 of 100 images is 5.7 deviations above a guess among three classes.
TEST(TrainerTest, LearnsAndRepeatsItself) {
  const Space space = SmallSpace("mean");
  const ImageSet held_out = Stripes(100, 16);
  Matrix heads[2];
  for (Matrix &head : heads) {
    Trainer trainer = *Trainer::Create(space, Stripes(300, 16), FastOptions());
    ASSERT_TRUE(trainer.Train({0, 200}).ok());
    const VitConfig config = ConfigOf(space, Genes(space.genes.size()));
    head = trainer.Subnet(config).weights.head.v;
    EXPECT_GT(*trainer.Accuracy(config, held_out), 0.6);
    EXPECT_GT(*trainer.Accuracy(space.base, held_out), 0.6);
  }
  EXPECT_EQ(heads[0], heads[1]);
}

// Stops after `first` steps as if killed, goes on in another trainer; the file is the one of an unbroken run.
TEST(TrainerTest, ResumesToTheSameBytes) {
  const Space space = SmallSpace("class_token");
  TrainOptions options = FastOptions();
  options.sandwich = true;
  const std::string whole = testing::TempDir() + "/whole.npz", broken = testing::TempDir() + "/broken.npz";
  std::filesystem::remove(broken);
  const TrainingBudget budget{0, 24};
  Trainer unbroken = *Trainer::Create(space, Stripes(40, 16), options);
  ASSERT_TRUE(unbroken.Train(budget, {whole, false}).ok());
  for (const int64_t stop : {7, 20, 24}) {
    Trainer trainer = *Trainer::Create(space, Stripes(40, 16), options);
    const absl::Status status = trainer.Train(budget, {broken, true, stop});
    EXPECT_EQ(status.code(), stop < 24 ? absl::StatusCode::kCancelled : absl::StatusCode::kOk) << status;
  }
  EXPECT_EQ(*ReadFileBytes(whole), *ReadFileBytes(broken));
  options.seed = 2;
  Trainer other = *Trainer::Create(space, Stripes(40, 16), options);
  EXPECT_EQ(other.Train(budget, {broken, true}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(TrainerTest, RoundsGoOnFromFewer) {
  const Space space = SmallSpace("mean");
  const std::string whole = testing::TempDir() + "/rounds.npz", broken = testing::TempDir() + "/round.npz";
  Trainer unbroken = *Trainer::Create(space, Stripes(40, 16), FastOptions());
  ASSERT_TRUE(unbroken.Train({0, 6, 3}, {whole, false}).ok());
  for (const int64_t rounds : {1, 3}) {
    Trainer trainer = *Trainer::Create(space, Stripes(40, 16), FastOptions());
    ASSERT_TRUE(trainer.Train({0, 6, rounds}, {broken, rounds > 1}).ok());
  }
  EXPECT_EQ(*ReadFileBytes(whole), *ReadFileBytes(broken));
}

// Peers that are threads of this process: the owner's bytes lie where all find them between two barriers.
struct Meeting {
  explicit Meeting(int ranks) : barrier(ranks) {}
  Peers PeersOf(int rank, int ranks) {
    const auto broadcast = [this, rank](int owner, void *bytes, size_t count) {
      if (owner == rank) from = bytes;
      barrier.arrive_and_wait();
      if (owner != rank) std::memcpy(bytes, from, count);
      barrier.arrive_and_wait();
    };
    return {rank, ranks, broadcast};
  }
  std::barrier<> barrier;
  const void *from = nullptr;
};

// The checkpoint's bytes of a training that `ranks` threads share.
std::string TrainedBy(int ranks, const Space &space, TrainOptions options) {
  const std::string path = testing::TempDir() + "/ranks.npz";
  std::filesystem::remove(path);
  Meeting meeting(ranks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; rank++)
    threads.emplace_back([&meeting, &space, path, options, rank, ranks]() mutable {
      options.peers = meeting.PeersOf(rank, ranks);
      Trainer trainer = *Trainer::Create(space, Stripes(40, 16), options);
      EXPECT_TRUE(trainer.Train({0, 12}, {path, false}).ok());
    });
  for (std::thread &thread : threads) thread.join();
  return *ReadFileBytes(path);
}

TEST(TrainerTest, AnyNumberOfRanksTrainsTheSameBytes) {
  const Space space = SmallSpace("mean");
  TrainOptions options = FastOptions();
  options.shards = 4, options.batch = 18;  // shards of 4 and of 5 images
  options.sandwich = true;
  const std::string alone = TrainedBy(1, space, options);
  for (const int ranks : {2, 3, 4, 6}) EXPECT_TRUE(TrainedBy(ranks, space, options) == alone) << ranks;
  options.shards = 3;
  EXPECT_FALSE(TrainedBy(2, space, options) == alone);
}

TEST(TrainerTest, RanksAtDifferentStepsAreAnError) {
  const Space space = SmallSpace("mean");
  TrainOptions options = FastOptions();
  options.peers = {1, 2, [](int, void *bytes, size_t) { *static_cast<double *>(bytes) = 5; }};
  Trainer trainer = *Trainer::Create(space, Stripes(40, 16), options);
  EXPECT_EQ(trainer.Train({0, 12}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(TrainerTest, SaysWhatIsWrong) {
  const Space space = SmallSpace("mean");
  ImageSet images = Stripes(10, 16);
  images.labels[3] = 3;
  EXPECT_EQ(Trainer::Create(space, images, FastOptions()).status().message(),
            "a label is 3, but the network has 3 classes, from 0");
  images.labels.clear();
  EXPECT_EQ(Trainer::Create(space, images, FastOptions()).status().code(), absl::StatusCode::kInvalidArgument);
  Trainer trainer = *Trainer::Create(space, Stripes(10, 16), FastOptions());
  EXPECT_EQ(trainer.Train({}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(trainer.Train({0, 2}, {"/nowhere/at/all.npz", false}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(FineTuneTest, LearnsFromAParentWithoutLabels) {
  const Space space = SmallSpace("mean");
  ImageSet images = Stripes(300, 16);
  const ImageSet held_out = Stripes(100, 16);
  Trainer trainer = *Trainer::Create(space, images, FastOptions());
  ASSERT_TRUE(trainer.Train({0, 150}).ok());
  const Vit parent = trainer.Subnet(space.base);
  VitConfig config = ConfigOf(space, Genes(space.genes.size()));
  ASSERT_GT(config.blocks[0].ranks.fc1, 0);
  TrainOptions other = FastOptions();
  other.seed = 9;
  const Vit fresh = Trainer::Create(space, images, other)->Subnet(config);
  images.labels.clear();
  const absl::StatusOr<Vit> child = FineTune(fresh, images, &parent, FastOptions(), {0, 150});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(child->config, config);
  EXPECT_LT(Top1(*Logits(fresh, held_out), held_out.labels), 0.5);
  EXPECT_GT(Top1(*Logits(*child, held_out), held_out.labels), 0.6);
  EXPECT_FALSE(FineTune(fresh, images, nullptr, FastOptions(), {0, 1}).ok());
}

TEST(FineTuneTest, MixesLabelsAndAParentsAnswersByShare) {
  const Space space = SmallSpace("mean");
  const ImageSet images = Stripes(40, 16);
  const VitConfig config = ConfigOf(space, Genes(space.genes.size()));
  const Vit begun = RandomVit(config, 1), parent = RandomVit(space.base, 2);
  const auto trained = [&](const ImageSet &set, const Vit *from, double share) {
    TrainOptions options = FastOptions();
    options.parent_share = share;
    return FineTune(begun, set, from, options, {0, 3})->weights.head.v;
  };
  ImageSet unlabelled = images;
  unlabelled.labels.clear();
  EXPECT_EQ(trained(images, &parent, 0), trained(images, nullptr, 0.5));
  EXPECT_EQ(trained(images, &parent, 1), trained(unlabelled, &parent, 0.5));
  EXPECT_NE(trained(images, &parent, 0.5), trained(images, &parent, 1));
}

TEST(RandomVitTest, HasTheConfigsShapesAndIsAFunctionOfTheSeed) {
  const Space space = SmallSpace("class_token");
  for (const int32_t largest : {0, 1}) {
    Genes genes;
    for (const Gene &gene : space.genes) genes.push_back(largest ? static_cast<int32_t>(gene.values.size()) - 1 : 0);
    const VitConfig config = ConfigOf(space, genes);
    const Vit vit = RandomVit(config, 4);
    EXPECT_EQ(Logits(vit, Normalized(Stripes(2, config.image))).cols(), 3);
    EXPECT_EQ(vit.config, config);
    EXPECT_EQ(vit.weights.positions.rows(), TokensOf(config));
    EXPECT_EQ(vit.weights.blocks[0].qkv.u.rows(), config.blocks[0].ranks.qkv);
    EXPECT_EQ(vit.weights.blocks[0].fc1.v, RandomVit(config, 4).weights.blocks[0].fc1.v);
    EXPECT_NE(vit.weights.blocks[0].fc1.v, RandomVit(config, 5).weights.blocks[0].fc1.v);
  }
}

}  // namespace
}  // namespace onnx2mcu
