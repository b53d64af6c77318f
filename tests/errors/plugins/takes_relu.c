/* Takes over Relu and then refuses it. */
#include <string.h>

#include "onnx2mcu_op.h"

static o2m_status match(const o2m_host *host, const o2m_graph *graph, int32_t root, o2m_match *m) {
  (void)host;
  if (strcmp(graph->op_type(graph, root), "Relu") != 0) return O2M_NO_MATCH;
  m->nodes[0] = root, m->node_count = 1;
  m->inputs[0] = graph->input_tensor(graph, root, 0), m->input_count = 1;
  m->outputs[0] = graph->output_tensor(graph, root, 0), m->output_count = 1;
  return O2M_OK;
}

static o2m_status infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
  (void)target, (void)node;
  host->error(host, "input 0 has the wrong colour;\nblue would work");
  return O2M_INVALID_ARGUMENT;
}

static void run(const o2m_node *node, const o2m_call *call) { (void)node, (void)call; }

static o2m_status emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
  (void)host, (void)target, (void)node, (void)e;
  return O2M_OK;
}

static const o2m_op op = {
    .struct_size = sizeof(o2m_op), .id = "com.example.relu", .match = match, .infer = infer, .run = run, .emit = emit};
static const o2m_op *const ops[] = {&op};
static const o2m_plugin plugin = {sizeof(o2m_plugin), O2M_ABI_MAJOR, O2M_ABI_MINOR, "takes_relu", "1.0", 1, ops};

O2M_EXPORT const o2m_plugin *onnx2mcu_plugin(uint32_t host_abi_major) {
  (void)host_abi_major;
  return &plugin;
}
