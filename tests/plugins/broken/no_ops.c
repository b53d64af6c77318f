#include "onnx2mcu_op.h"

O2M_EXPORT const o2m_plugin *onnx2mcu_plugin(uint32_t host_abi_major) {
  static const o2m_plugin plugin = {sizeof(o2m_plugin), O2M_ABI_MAJOR, O2M_ABI_MINOR, "empty", "1.0", 0, 0};
  (void)host_abi_major;
  return &plugin;
}
