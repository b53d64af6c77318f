// plugins/registry.h - finds, loads and keeps operator plugins. Built-in ops and third-party ones come the same way.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ops/onnx2mcu_op.h"

namespace onnx2mcu {

struct LoadedPlugin {
  std::string path;
  const o2m_plugin *plugin = nullptr;
};
struct RefusedPlugin {
  std::string path, reason;
};

// Owns the handles: ops are valid as long as the Registry lives. Movable, not copyable.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(Registry &&) noexcept;
  Registry &operator=(Registry &&) noexcept;

  // Loads one plugin. InvalidArgument with the reason: no such file, not a shared object, symbol missing, NULL for our
  // ABI, another ABI, struct too small, no ops, an op without id, match, infer, run or emit, an id that is taken.
  absl::Status Load(const std::string &path);
  // Loads every *.so of a folder in name order; what is refused, or a missing folder, is kept in refused().
  void LoadFolder(const std::string &folder);

  const std::vector<LoadedPlugin> &plugins() const { return plugins_; }
  const std::vector<RefusedPlugin> &refused() const { return refused_; }
  // Every op, in load order: on a tie of match the later one wins.
  const std::vector<const o2m_op *> &ops() const { return ops_; }
  const o2m_op *Find(const std::string &id) const;  // null if absent
  const std::string &PathOf(const o2m_op *op) const;

 private:
  absl::Status Add(const std::string &path);
  absl::Status CheckOps(const o2m_plugin &plugin) const;

  std::vector<void *> handles_;
  std::vector<LoadedPlugin> plugins_;
  std::vector<RefusedPlugin> refused_;
  std::vector<const o2m_op *> ops_;
};

// The folders searched: the executable's own plugins ("$ORIGIN/plugins", then "$ORIGIN/../lib/onnx2mcu/plugins", where
// they exist), then those of ONNX2MCU_PLUGIN_PATH (colon separated).
std::vector<std::string> DefaultPluginFolders();

// An o2m_host whose error() keeps the last message; options answer "o2m.options/1".
struct Host {
  Host();
  o2m_host host;
  std::string last_error;
  std::vector<std::pair<std::string, std::string>> options;
  Host(const Host &) = delete;
  Host &operator=(const Host &) = delete;
};
void SetOption(Host &host, const std::string &name, const std::string &value);
// Tensor i of a case's array. The plugin may have been built with an older header, whose tensors are smaller.
const o2m_tensor &TensorAt(const o2m_tensor *first, int32_t i);

// The status an op returned, with the host's message, as absl::Status.
absl::Status ToStatus(o2m_status status, const Host &host, const std::string &where);

}  // namespace onnx2mcu
