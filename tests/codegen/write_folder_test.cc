// WriteFolder: complete or absent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "codegen/compiler.h"
#include "codegen/process.h"
#include "importer/data/files.h"

namespace onnx2mcu {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::vector<std::string> Entries(const std::string &folder) {
  std::vector<std::string> names;
  for (const auto &entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(WriteFolder, WritesAndReplacesItsOwn) {
  const TempFolder temp(TempPrefix());
  const std::string out = temp.path() + "/out/";
  ASSERT_TRUE(WriteFolder(out, {{"report.json", "{}"}, {"old.c", "1"}}).ok());
  ASSERT_TRUE(WriteFolder(out, {{"report.json", "{}"}, {"new.c", "2"}}).ok());
  EXPECT_EQ(Entries(out), (std::vector<std::string>{"new.c", "report.json"}));
  EXPECT_EQ(ReadFileBytes(out + "new.c").value(), "2");
  EXPECT_EQ(Entries(temp.path()), (std::vector<std::string>{"out"}));
}

TEST(WriteFolder, LeavesForeignFoldersAlone) {
  const TempFolder temp(TempPrefix());
  const std::string out = temp.path() + "/home";
  fs::create_directory(out);
  ASSERT_TRUE(WriteFileBytes(out + "/thesis.txt", "years").ok());
  const absl::Status status = WriteFolder(out, {{"report.json", "{}"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("-o"));
  EXPECT_EQ(Entries(out), (std::vector<std::string>{"thesis.txt"}));
}

TEST(WriteFolder, LeavesNothingWhereItFails) {
  const TempFolder temp(TempPrefix());
  EXPECT_EQ(WriteFolder(temp.path() + "/no/such/out", {{"a", "b"}}).code(), absl::StatusCode::kInvalidArgument);
  // A file name that cannot be written, after one that can.
  EXPECT_FALSE(WriteFolder(temp.path() + "/out", {{"a", "b"}, {"missing/c", "d"}}).ok());
  EXPECT_TRUE(Entries(temp.path()).empty());
}

TEST(WriteFolder, AnInterruptLeavesNothing) {
  const TempFolder temp(TempPrefix());
  const SignalGuard guard;
  raise(SIGINT);
  EXPECT_EQ(WriteFolder(temp.path() + "/out", {{"a", "b"}}).code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(Entries(temp.path()).empty());
  sigset_t interrupt;  // taken back: the test goes on
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  int taken = 0;
  sigwait(&interrupt, &taken);
}

TEST(WriteFileBytes, AFullDiskIsAnError) {
  EXPECT_EQ(WriteFileBytes("/dev/full", "some bytes").code(), absl::StatusCode::kInvalidArgument);
}

TEST(RunProcess, ReturnsOutputAndExitCode) {
  const auto run = RunProcess({{"sh", "-c", "echo out; echo err >&2; exit 3"}, "", 10});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->exit_code, 3);
  EXPECT_EQ(run->output, "out\nerr\n");
}

TEST(RunProcess, ItsVariablesGoBeforeTheEnvironments) {
  const auto run = RunProcess({{"sh", "-c", "echo $PATHS; echo $HOME"}, "", 10, {"HOME=/there", "PATHS=x"}});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->output, "x\n/there\n");
}

TEST(RunProcess, MissingProgramAndTimeout) {
  EXPECT_EQ(RunProcess({{"no-such-program-here"}, "", 10}).status().code(), absl::StatusCode::kNotFound);
  const auto slow = RunProcess({{"sleep", "100"}, "", 0.2});
  ASSERT_TRUE(slow.ok());
  EXPECT_TRUE(slow->timed_out);
}

TEST(RunProcess, WhatAnEndedCompilerLeavesLiesInItsFolder) {
  const TempFolder temp(TempPrefix());
  const auto run = RunProcess({{"sh", "-c", "touch $(mktemp) && kill -9 $$"}, temp.path(), 10});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->exit_code, 128 + SIGKILL);
  EXPECT_EQ(Entries(temp.path()).size(), 1u);
}

TEST(TempFolder, GoesWithItsContents) {
  std::string path;
  {
    const TempFolder temp(TempPrefix());
    path = temp.path();
    ASSERT_TRUE(WriteFileBytes(path + "/file", "x").ok());
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace onnx2mcu
