#include "plugins/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace onnx2mcu {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string RegistryModule(const std::string &name) {
  return std::string(O2M_BUILD_DIR) + "/tests/plugins/modules/" + name + ".so";
}

std::string FreshFolder(const std::string &name) {
  const std::string folder = ::testing::TempDir() + "/" + name + "_" + std::to_string(getpid());  // run twice at once
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

void Write(const std::string &path, const std::string &text) { std::ofstream(path, std::ios::binary) << text; }

std::string Read(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string Abi() { return std::to_string(O2M_ABI_MAJOR) + "." + std::to_string(O2M_ABI_MINOR); }

// The message of a refusal; it names the file and is one line.
std::string Refusal(const std::string &path) {
  Registry registry;
  const absl::Status status = registry.Load(path);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << path;
  EXPECT_TRUE(registry.ops().empty());
  EXPECT_TRUE(registry.plugins().empty());
  const std::string message(status.message());
  EXPECT_EQ(message.rfind(path + ": ", 0), 0u) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message.substr(path.size() + 2);
}

TEST(RegistryTest, LoadsAPlugin) {
  Registry registry;
  ASSERT_TRUE(registry.Load(RegistryModule("scale")).ok());
  ASSERT_EQ(registry.ops().size(), 1u);
  EXPECT_STREQ(registry.plugins()[0].plugin->name, "scale");
  const o2m_op *op = registry.Find("test.scale");
  ASSERT_NE(op, nullptr);
  EXPECT_EQ(registry.PathOf(op), RegistryModule("scale"));
  EXPECT_EQ(registry.Find("test.other"), nullptr);
  EXPECT_EQ(registry.PathOf(nullptr), "");
}

TEST(RegistryTest, RefusesWithTheReason) {
  EXPECT_THAT(Refusal(RegistryModule("another_abi")),
              AllOf(HasSubstr("built for ABI " + std::to_string(O2M_ABI_MAJOR + 7) + "."),
                    HasSubstr("this is " + Abi() + "; rebuild")));
  EXPECT_THAT(Refusal(RegistryModule("serves_nobody")), HasSubstr("cannot serve a host of ABI " + Abi()));
  EXPECT_THAT(Refusal(RegistryModule("exports_nothing")), HasSubstr("exports no symbol onnx2mcu_plugin"));
  EXPECT_THAT(Refusal(RegistryModule("duplicate_id")), HasSubstr("lists op test.scale twice"));
  EXPECT_THAT(Refusal(RegistryModule("no_ops")), HasSubstr("has no ops"));
  EXPECT_THAT(Refusal(RegistryModule("no_run")), HasSubstr("op test.scale has no run()"));
}

TEST(RegistryTest, RefusesFilesThatAreNoPlugin) {
  const std::string folder = FreshFolder("registry_files");
  EXPECT_THAT(Refusal(folder + "/missing.so"), HasSubstr("no such file"));
  EXPECT_THAT(Refusal(folder), HasSubstr("not a file"));
  Write(folder + "/empty.so", "");
  EXPECT_THAT(Refusal(folder + "/empty.so"), HasSubstr("not a shared object"));
  Write(folder + "/text.so", std::string(4096, 'x'));
  EXPECT_THAT(Refusal(folder + "/text.so"), HasSubstr("not a shared object"));
}

// dlopen() of such files dies of SIGBUS where they are mapped past their end.
TEST(RegistryTest, RefusesTruncatedFilesAtAnyLength) {
  const std::string whole = Read(RegistryModule("scale")), path = FreshFolder("registry_cut") + "/cut.so";
  for (const double part : {0.001, 0.01, 0.1, 0.3, 0.5, 0.6}) {
    Write(path, whole.substr(0, static_cast<size_t>(part * static_cast<double>(whole.size()))));
    Refusal(path);
  }
}

TEST(RegistryTest, RefusesAForeignMachine) {
  std::string file = Read(RegistryModule("scale"));
  file[4] = file[4] == 1 ? 2 : 1;  // EI_CLASS
  const std::string path = FreshFolder("registry_foreign") + "/foreign.so";
  Write(path, file);
  EXPECT_THAT(Refusal(path), HasSubstr("not a shared object of this machine"));
}

TEST(RegistryTest, RefusesAnIdThatIsTaken) {
  Registry registry;
  ASSERT_TRUE(registry.Load(RegistryModule("scale")).ok());
  const absl::Status status = registry.Load(RegistryModule("writes_past_row"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("op id test.scale is taken by " + RegistryModule("scale")));
  EXPECT_EQ(registry.ops().size(), 1u);
}

TEST(RegistryTest, LoadsAFolderInNameOrderAndKeepsRefusals) {
  const std::string folder = FreshFolder("registry_folder");
  fs::copy_file(RegistryModule("writes_past_row"), folder + "/b.so");
  fs::copy_file(RegistryModule("scale"), folder + "/a.so");
  fs::copy_file(RegistryModule("another_abi"), folder + "/c.so");
  Write(folder + "/readme.txt", "no plugin");
  Registry registry;
  registry.LoadFolder(folder);
  ASSERT_EQ(registry.plugins().size(), 1u);
  EXPECT_EQ(registry.plugins()[0].path, folder + "/a.so");
  ASSERT_EQ(registry.refused().size(), 2u);
  EXPECT_EQ(registry.refused()[0].path, folder + "/b.so");
  EXPECT_THAT(registry.refused()[0].reason, HasSubstr("is taken by"));
  EXPECT_EQ(registry.refused()[1].path, folder + "/c.so");
  EXPECT_THAT(registry.refused()[1].reason, HasSubstr("built for ABI"));
}

TEST(RegistryTest, MissingFolderIsARefusal) {
  Registry registry;
  registry.LoadFolder(::testing::TempDir() + "/registry_no_folder");
  ASSERT_EQ(registry.refused().size(), 1u);
  EXPECT_EQ(registry.refused()[0].reason, "no such folder");
}

TEST(RegistryTest, OpsLiveAsLongAsTheRegistryThatWasMovedTo) {
  Registry registry;
  ASSERT_TRUE(registry.Load(RegistryModule("scale")).ok());
  Registry other = std::move(registry);
  Registry third;
  third = std::move(other);
  const o2m_op *op = third.Find("test.scale");
  ASSERT_NE(op, nullptr);
  EXPECT_NE(op->get_extension("o2m.cases/1"), nullptr);
}

TEST(RegistryTest, FoldersOfTheEnvironmentComeLast) {
  setenv("ONNX2MCU_PLUGIN_PATH", "/one::/two", 1);
  const std::vector<std::string> folders = DefaultPluginFolders();
  unsetenv("ONNX2MCU_PLUGIN_PATH");
  ASSERT_GE(folders.size(), 2u);
  EXPECT_EQ(folders[folders.size() - 2], "/one");
  EXPECT_EQ(folders.back(), "/two");
  EXPECT_EQ(DefaultPluginFolders().size(), folders.size() - 2);
}

TEST(HostTest, KeepsTheLastErrorOnOneLine) {
  Host host;
  host.host.error(&host.host, "first");
  host.host.error(&host.host, "input 0 is f32;\ns8 would work");
  EXPECT_EQ(host.last_error, "input 0 is f32; s8 would work");
}

TEST(HostTest, AnswersOptions) {
  Host host;
  host.options = {{"gelu", "lut"}, {"gelu", "sigmoid"}};
  const auto *options = static_cast<const o2m_options *>(host.host.get_extension(&host.host, "o2m.options/1"));
  ASSERT_NE(options, nullptr);
  EXPECT_STREQ(options->get(&host.host, "gelu"), "sigmoid");
  EXPECT_EQ(options->get(&host.host, "rows"), nullptr);
  EXPECT_EQ(host.host.get_extension(&host.host, "o2m.unknown/1"), nullptr);
}

TEST(ToStatusTest, CarriesCodeAndMessage) {
  Host host;
  EXPECT_TRUE(ToStatus(O2M_OK, host, "here").ok());
  EXPECT_EQ(ToStatus(O2M_INTERNAL, host, "here").message(), "here: refused without a reason");
  host.last_error = "input 0 is f32";
  EXPECT_EQ(ToStatus(O2M_INVALID_ARGUMENT, host, "a.onnx"), absl::InvalidArgumentError("a.onnx: input 0 is f32"));
  EXPECT_EQ(ToStatus(O2M_UNIMPLEMENTED, host, "a").code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ToStatus(99, host, "a").code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace onnx2mcu
