/* qemu_count.c - a QEMU plugin that counts the instructions between the two markers of runtime/harness.h, exactly.
 * Arm: yield .. wfe; RISC-V: slti x0,x0,1 .. slti x0,x0,2. Option out=FILE: one count per line is appended there.
 * The prototypes are those of QEMU's plugin interface, version 1 (docs/devel/tcg-plugins); no header is needed. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
typedef uint64_t plugin_id;
struct block;
struct instruction;
enum { CALLBACK_NO_REGISTERS = 0, INLINE_ADD_U64 = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*callback)(plugin_id, struct block *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct block *block, int operation, void *target, uint64_t value);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct instruction *instruction, void (*callback)(unsigned, void *),
                                                   int flags, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct block *block);
extern struct instruction *qemu_plugin_tb_get_insn(const struct block *block, size_t index);
extern const void *qemu_plugin_insn_data(const struct instruction *instruction);
extern size_t qemu_plugin_insn_size(const struct instruction *instruction);

EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

enum { NO_MARKER, BEGIN, END };
/* A block adds all its instructions when it is entered: `rest` of them, from the marker on, are still to come. */
typedef struct marker {
  int kind;
  uint64_t rest;
} marker;

static uint64_t total, begin;
static FILE *out;

static void on_marker(unsigned cpu, void *data) {
  const marker *m = data;
  const uint64_t before = total - m->rest; /* instructions before the marker */
  (void)cpu;
  if (m->kind == BEGIN) {
    begin = before + 1;
  } else {
    fprintf(out, "%llu\n", (unsigned long long)(before - begin));
    fflush(out);
  }
}

static int marker_kind(const struct instruction *instruction) {
  uint32_t word = 0;
  const size_t size = qemu_plugin_insn_size(instruction);
  memcpy(&word, qemu_plugin_insn_data(instruction), size < 4 ? size : 4);
  if (size == 2) return word == 0xbf10 ? BEGIN : word == 0xbf20 ? END : NO_MARKER;
  return word == 0x00102013 ? BEGIN : word == 0x00202013 ? END : NO_MARKER;
}

static void on_translate(plugin_id id, struct block *block) {
  const size_t n = qemu_plugin_tb_n_insns(block);
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, &total, n);
  for (size_t i = 0; i < n; i++) {
    struct instruction *instruction = qemu_plugin_tb_get_insn(block, i);
    const int kind = marker_kind(instruction);
    if (kind == NO_MARKER) continue;
    marker *m = malloc(sizeof(*m)); /* as long-lived as the translated block: the whole run */
    if (m == NULL) abort();
    m->kind = kind;
    m->rest = n - i;
    qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_marker, CALLBACK_NO_REGISTERS, m);
  }
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "out=", 4) == 0) out = fopen(argv[i] + 4, "w");
  }
  if (out == NULL) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
  return 0;
}
