// A search that is killed goes on to the same result; a checkpoint that is damaged or cannot be written is named.
#include "nas/search/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "importer/data/files.h"
#include "nas/search/search.h"
#include "tests/nas/toy_problem.h"

namespace onnx2mcu {
namespace {

using ::testing::HasSubstr;

struct Folder {
  Folder() { EXPECT_NE(mkdtemp(path), nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file() const { return std::string(path) + "/checkpoint.json"; }
  char path[32] = "/tmp/o2m_search_XXXXXX";
};

StrategyOptions FewEvaluations() {
  StrategyOptions options;
  options.generations = 12;
  options.population = 20;
  options.mutations = options.crossovers = 10;
  return options;
}

// A search of 12 generations that takes a fraction of a second.
absl::StatusOr<History> RunSearch(const std::string &path, const std::string &strategy, bool resume) {
  SearchProblem problem = ToyProblem({2500, 2000, 0});
  const auto accuracy = problem.objective.accuracy;
  problem.objective.accuracy = [accuracy](const Genes &genes) {
    usleep(200);
    return accuracy(genes);
  };
  SearchOptions options;
  options.seed = 42;
  options.checkpoint = path;
  options.identity = strategy;
  options.resume = resume;
  return Search(problem, *StrategyNamed(strategy, FewEvaluations()), options);
}

// Starts `Run` in a child and kills it after so many microseconds; whether it ended before.
bool KilledAfter(useconds_t wait, const std::string &path, const std::string &strategy) {
  const pid_t child = fork();
  if (child == 0) _exit(RunSearch(path, strategy, true).ok() ? 0 : 1);
  usleep(wait);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status);
}

void ExpectSurvivesKills(const std::string &strategy, int kills) {
  Folder unbroken, broken;
  ASSERT_TRUE(RunSearch(unbroken.file(), strategy, false).ok());
  RandomStream random(static_cast<uint64_t>(getpid()));
  for (int i = 0; i < kills; i++) {
    const auto wait = static_cast<useconds_t>(random.Below(120000));
    SCOPED_TRACE("killed after " + std::to_string(wait) + " us");
    if (KilledAfter(wait, broken.file(), strategy)) std::filesystem::remove(broken.file());  // it ended: anew
  }
  ASSERT_TRUE(RunSearch(broken.file(), strategy, true).ok());
  EXPECT_EQ(*ReadFileBytes(broken.file()), *ReadFileBytes(unbroken.file()));
}

TEST(Checkpoint, SurvivesTwentyKillsOfEvolution) { ExpectSurvivesKills("evolution", 20); }
TEST(Checkpoint, SurvivesKillsOfEveryOtherStrategy) {
  for (const char *strategy : {"random", "nsga2", "maximal"}) ExpectSurvivesKills(strategy, 5);
}

TEST(Checkpoint, AFinishedSearchResumesAsItself) {
  Folder folder;
  ASSERT_TRUE(RunSearch(folder.file(), "evolution", false).ok());
  const std::string before = *ReadFileBytes(folder.file());
  ASSERT_TRUE(RunSearch(folder.file(), "evolution", true).ok());
  EXPECT_EQ(*ReadFileBytes(folder.file()), before);
}

TEST(Checkpoint, IsNotOverwrittenNorTakenForAnothers) {
  Folder folder;
  ASSERT_TRUE(RunSearch(folder.file(), "random", false).ok());
  EXPECT_THAT(std::string(RunSearch(folder.file(), "random", false).status().message()), HasSubstr("--resume"));
  EXPECT_THAT(std::string(RunSearch(folder.file(), "nsga2", true).status().message()),
              HasSubstr("is of another search (random; asked for: nsga2)"));
}

TEST(Checkpoint, NamesWhatIsMalformed) {
  Folder folder;
  ASSERT_TRUE(RunSearch(folder.file(), "random", false).ok());
  const std::string text = *ReadFileBytes(folder.file());
  const auto replaced = [&](const std::string &from, const std::string &to) {
    std::string changed = text;
    return changed.replace(changed.find(from), from.size(), to);
  };
  const std::vector<std::string> damaged = {"",
                                            text.substr(0, text.size() / 2),
                                            "[]",
                                            "{}",
                                            replaced("\"schema_version\": 1", "\"schema_version\": 9"),
                                            replaced("\"generations\": 12", "\"generations\": 3"),
                                            replaced("\"accuracy\": 0.", "\"accuracy\": \"high\", \"was\": 0."),
                                            replaced("\"drawn\"", "\"down\"")};
  for (const std::string &bytes : damaged) {
    SCOPED_TRACE(bytes.substr(0, 60));
    ASSERT_TRUE(WriteFileBytes(folder.file(), bytes).ok());
    const absl::Status status = RunSearch(folder.file(), "random", true).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(folder.file() + ": not a checkpoint"));
    EXPECT_EQ(*ReadFileBytes(folder.file()), bytes);
  }
}

// Files may not grow beyond what two generations need: as on a full disk, a write fails half way.
TEST(Checkpoint, SurvivesADiskThatIsFull) {
  Folder folder, unbroken;
  ASSERT_TRUE(RunSearch(unbroken.file(), "evolution", false).ok());
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {12000, 12000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const absl::Status status = RunSearch(folder.file(), "evolution", false).status();
    const bool named = std::string(status.message()).find(folder.file()) == 0;
    _exit(status.code() == absl::StatusCode::kInvalidArgument && named ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_FALSE(std::filesystem::exists(folder.file() + ".tmp"));
  ASSERT_TRUE(std::filesystem::exists(folder.file()));
  ASSERT_TRUE(RunSearch(folder.file(), "evolution", true).ok());
  EXPECT_EQ(*ReadFileBytes(folder.file()), *ReadFileBytes(unbroken.file()));
}

}  // namespace
}  // namespace onnx2mcu
