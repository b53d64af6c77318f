#include <stddef.h>

#include "onnx2mcu_op.h"

O2M_EXPORT const o2m_plugin *onnx2mcu_plugin(uint32_t host_abi_major) {
  (void)host_abi_major;
  return NULL;
}
