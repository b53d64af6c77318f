#include "plugins/registry.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace fs = std::filesystem;
namespace {

using EntryPoint = const o2m_plugin *(*)(uint32_t);

// Structs of plugins as of ABI 1.0: what every plugin of this major has. Fields behind are read after a look at
// struct_size.
constexpr size_t kFirstPluginSize = offsetof(o2m_plugin, ops) + sizeof(o2m_plugin::ops);
constexpr size_t kFirstOpSize = offsetof(o2m_op, get_extension) + sizeof(o2m_op::get_extension);

absl::Status Refuse(const std::string &reason) { return absl::InvalidArgumentError(reason); }

// dlopen() maps what the program headers say and dies of SIGBUS where the file ends before that, so a truncated or
// foreign file is found here.
absl::Status CheckElf(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  ElfW(Ehdr) header{};
  file.read(reinterpret_cast<char *>(&header), sizeof header);
  if (!file || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return Refuse("not a shared object; give the .so that the plugin's build makes");
  const bool ours = header.e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
  if (!ours || header.e_type != ET_DYN || header.e_phentsize != sizeof(ElfW(Phdr)))
    return Refuse("not a shared object of this machine; build it with the host compiler and -shared");
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  file.seekg(static_cast<std::streamoff>(header.e_phoff));
  for (int i = 0; i < header.e_phnum; i++) {
    ElfW(Phdr) segment{};
    file.read(reinterpret_cast<char *>(&segment), sizeof segment);
    if (!file || segment.p_filesz > size || segment.p_offset > size - segment.p_filesz)
      return Refuse("truncated shared object; build or copy it again");
  }
  return absl::OkStatus();
}

// dlerror() without the path that callers put in front themselves.
std::string LoaderError(const std::string &path) {
  const char *text = dlerror();
  std::string message = text ? text : "unknown reason";
  if (message.rfind(path + ": ", 0) == 0) message.erase(0, path.size() + 2);
  return message;
}

absl::StatusOr<void *> Open(const std::string &path) {
  std::error_code error;
  if (!fs::exists(path, error)) return Refuse("no such file; check the path");
  if (!fs::is_regular_file(path, error)) return Refuse("not a file; name the .so itself");
  const absl::Status elf = CheckElf(path);
  if (!elf.ok()) return elf;
  const std::string full = fs::absolute(path, error).string();  // a bare name would be searched in the system's folders
  void *handle = dlopen(full.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle) return handle;
  return Refuse(absl::StrCat("cannot be loaded: ", LoaderError(full), "; link everything it needs into it"));
}

std::string Version(uint32_t major, uint32_t minor) { return absl::StrCat(major, ".", minor); }

absl::StatusOr<const o2m_plugin *> Enter(void *handle) {
  const auto entry = reinterpret_cast<EntryPoint>(dlsym(handle, "onnx2mcu_plugin"));
  if (!entry) return Refuse("exports no symbol onnx2mcu_plugin; declare it O2M_EXPORT, with C linkage");
  const o2m_plugin *plugin = entry(O2M_ABI_MAJOR);
  const std::string ours = Version(O2M_ABI_MAJOR, O2M_ABI_MINOR);
  if (!plugin) return Refuse(absl::StrCat("cannot serve a host of ABI ", ours, "; rebuild it with this onnx2mcu_op.h"));
  if (plugin->struct_size < offsetof(o2m_plugin, abi_minor) + sizeof plugin->abi_minor)
    return Refuse("o2m_plugin.struct_size is too small; set it to sizeof(o2m_plugin)");
  if (plugin->abi_major != O2M_ABI_MAJOR)
    return Refuse(absl::StrCat("built for ABI ", Version(plugin->abi_major, plugin->abi_minor), ", this is ", ours,
                               "; rebuild it with this onnx2mcu_op.h"));
  if (plugin->struct_size < kFirstPluginSize)
    return Refuse("o2m_plugin.struct_size is too small; set it to sizeof(o2m_plugin)");
  if (plugin->op_count <= 0 || !plugin->ops) return Refuse("has no ops; list at least one in o2m_plugin.ops");
  return plugin;
}

// What is wrong with op `index` by itself; ids are compared elsewhere.
absl::Status CheckOp(const o2m_op *op, int index) {
  const std::string who = absl::StrCat("op ", index);
  if (!op) return Refuse(absl::StrCat(who, " is NULL; op_count may be too large"));
  if (op->struct_size < kFirstOpSize)
    return Refuse(absl::StrCat(who, ": o2m_op.struct_size is too small; set it to sizeof(o2m_op)"));
  if (!op->id || !*op->id) return Refuse(absl::StrCat(who, " has no id; name it like \"com.example.name\""));
  const char *missing = !op->match ? "match" : !op->infer ? "infer" : !op->run ? "run" : !op->emit ? "emit" : nullptr;
  if (missing) return Refuse(absl::StrCat("op ", op->id, " has no ", missing, "(); it is required"));
  return absl::OkStatus();
}

std::string FolderOfExecutable() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

}  // namespace

Registry::Registry() = default;
Registry::Registry(Registry &&) noexcept = default;

Registry::~Registry() {
  for (void *handle : handles_) dlclose(handle);
}

Registry &Registry::operator=(Registry &&other) noexcept {
  std::swap(handles_, other.handles_);
  std::swap(plugins_, other.plugins_);
  std::swap(refused_, other.refused_);
  std::swap(ops_, other.ops_);
  return *this;
}

absl::Status Registry::Load(const std::string &path) {
  const absl::Status status = Add(path);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(path, ": ", std::string(status.message())));
}

absl::Status Registry::Add(const std::string &path) {
  const absl::StatusOr<void *> handle = Open(path);
  if (!handle.ok()) return handle.status();
  const absl::StatusOr<const o2m_plugin *> plugin = Enter(*handle);
  const absl::Status status = plugin.ok() ? CheckOps(**plugin) : plugin.status();
  if (!status.ok()) {
    dlclose(*handle);
    return status;
  }
  handles_.push_back(*handle);
  plugins_.push_back({path, *plugin});
  ops_.insert(ops_.end(), (*plugin)->ops, (*plugin)->ops + (*plugin)->op_count);
  return absl::OkStatus();
}

absl::Status Registry::CheckOps(const o2m_plugin &plugin) const {
  std::set<std::string> own;
  for (int i = 0; i < plugin.op_count; i++) {
    const o2m_op *op = plugin.ops[i];
    const absl::Status status = CheckOp(op, i);
    if (!status.ok()) return status;
    if (!own.insert(op->id).second)
      return Refuse(absl::StrCat("lists op ", op->id, " twice; give each op an id of its own"));
    if (const o2m_op *taken = Find(op->id))
      return Refuse(absl::StrCat("op id ", op->id, " is taken by ", PathOf(taken), "; load one of the two"));
  }
  return absl::OkStatus();
}

void Registry::LoadFolder(const std::string &folder) {
  std::error_code error;
  std::vector<std::string> paths;
  fs::directory_iterator entries(folder, error);
  if (error) refused_.push_back({folder, "no such folder"});
  for (; !error && entries != fs::directory_iterator(); entries.increment(error))
    if (entries->path().extension() == ".so") paths.push_back(entries->path().string());
  std::sort(paths.begin(), paths.end());
  for (const std::string &path : paths) {
    const absl::Status status = Add(path);
    if (!status.ok()) refused_.push_back({path, std::string(status.message())});
  }
}

const o2m_op *Registry::Find(const std::string &id) const {
  const auto found = std::find_if(ops_.begin(), ops_.end(), [&](const o2m_op *op) { return id == op->id; });
  return found == ops_.end() ? nullptr : *found;
}

const std::string &Registry::PathOf(const o2m_op *op) const {
  static const std::string none;
  for (const LoadedPlugin &loaded : plugins_) {
    const o2m_op *const *end = loaded.plugin->ops + loaded.plugin->op_count;
    if (std::find(loaded.plugin->ops, end, op) != end) return loaded.path;
  }
  return none;
}

std::vector<std::string> DefaultPluginFolders() {
  std::vector<std::string> folders;
  const fs::path origin = FolderOfExecutable();
  std::error_code error;
  for (const fs::path &folder : {origin / "plugins", origin.parent_path() / "lib/onnx2mcu/plugins"})
    if (fs::is_directory(folder, error)) folders.push_back(folder.string());
  const char *variable = std::getenv("ONNX2MCU_PLUGIN_PATH");
  std::string rest = variable ? variable : "";
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string folder = rest.substr(0, colon);
    if (!folder.empty()) folders.push_back(folder);
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return folders;
}

namespace {

void KeepError(const o2m_host *host, const char *message) {
  std::string text = message ? message : "";
  std::replace(text.begin(), text.end(), '\n', ' ');  // a message is one line
  static_cast<Host *>(host->host_data)->last_error = text;
}

// The last one given wins, as on a command line.
const char *GetOption(const o2m_host *host, const char *key) {
  const auto &options = static_cast<const Host *>(host->host_data)->options;
  const auto found = std::find_if(options.rbegin(), options.rend(), [&](const auto &o) { return o.first == key; });
  return found == options.rend() ? nullptr : found->second.c_str();
}

const void *HostExtension(const o2m_host *, const char *id) {
  static const o2m_options options = {GetOption};
  return std::strcmp(id, "o2m.options/1") == 0 ? &options : nullptr;
}

}  // namespace

Host::Host() : host{} {
  host.struct_size = sizeof host;
  host.abi_major = O2M_ABI_MAJOR;
  host.abi_minor = O2M_ABI_MINOR;
  host.host_data = this;
  host.error = KeepError;
  host.get_extension = HostExtension;
}

void SetOption(Host &host, const std::string &name, const std::string &value) {
  for (auto &[known, its] : host.options)
    if (known == name) return void(its = value);
  host.options.emplace_back(name, value);
}

const o2m_tensor &TensorAt(const o2m_tensor *first, int32_t i) {
  const auto *bytes = reinterpret_cast<const char *>(first);
  return *reinterpret_cast<const o2m_tensor *>(bytes + static_cast<size_t>(i) * first->struct_size);
}

absl::Status ToStatus(o2m_status status, const Host &host, const std::string &where) {
  if (status == O2M_OK) return absl::OkStatus();
  const std::string message =
      absl::StrCat(where, ": ", host.last_error.empty() ? "refused without a reason" : host.last_error);
  switch (status) {
    case O2M_INVALID_ARGUMENT:
      return absl::InvalidArgumentError(message);
    case O2M_NO_MATCH:
    case O2M_UNIMPLEMENTED:
      return absl::UnimplementedError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace onnx2mcu
