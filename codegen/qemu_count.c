/* qemu_count.c - a QEMU plugin that counts the instructions between the two markers of runtime/harness.h, exactly.
 * Arm: yield .. wfe; RISC-V: slti x0,x0,1 .. slti x0,x0,2.
 *
 * Options: out=FILE      a line per run between the markers: its instructions.
 *          marks=FILE    lines "address context": where control comes by there, that context begins (from 2 on).
 *          profile=FILE  of the first run: "calls CONTEXT N", and "block ADDRESS BYTES INSTRUCTIONS CONTEXT RUNS
 * REFILLS" for every piece of straight code. Context 0 is outside the run, 1 before its first mark. A refill is a run
 * after which control went elsewhere than to the next address. RUNS may be negative: a context that begins within a
 * block takes the rest of it from the one before. The prototypes are those of QEMU's plugin interface, version 1
 * (docs/devel/tcg-plugins); no header is needed. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
typedef uint64_t plugin_id;
struct block;
struct instruction;
enum { CALLBACK_NO_REGISTERS = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*callback)(plugin_id, struct block *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct block *block, void (*callback)(unsigned, void *), int flags,
                                                 void *data);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct instruction *instruction, void (*callback)(unsigned, void *),
                                                   int flags, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct block *block);
extern struct instruction *qemu_plugin_tb_get_insn(const struct block *block, size_t index);
extern const void *qemu_plugin_insn_data(const struct instruction *instruction);
extern size_t qemu_plugin_insn_size(const struct instruction *instruction);
extern uint64_t qemu_plugin_insn_vaddr(const struct instruction *instruction);

EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

/* ---- what is counted */

/* A run of instructions without a jump in it: a translated block, or the end of one from a marker on. */
typedef struct piece {
  struct piece *next; /* in its bucket */
  uint64_t address, end;
  uint64_t instructions;
  int64_t *runs, *refills; /* by context */
} piece;

typedef struct mark {
  uint64_t address;
  uint32_t context;
} mark;

enum { OUTSIDE, RUN, FIRST_MARK, BUCKETS = 1 << 14 };
enum { BEGIN = 1, END, MARK };
typedef struct event {
  int kind;
  uint32_t context;
  piece *rest;   /* what follows it in its block; counted with the block's entry already */
  uint64_t left; /* instructions of the block from here on */
} event;

static piece *buckets[BUCKETS];
static mark *marks;
static size_t mark_count;
static uint32_t contexts = FIRST_MARK, context = OUTSIDE;
static int64_t *calls; /* by context */
static uint64_t total, begin;
static piece *last;
static uint32_t last_context;
static int profiled; /* the first run is over */
static FILE *out;
static const char *profile_file;

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (memory == NULL) abort();
  return memory;
}

/* Blocks are translated again now and then; their counts go on. */
static piece *piece_at(uint64_t address, uint64_t end, uint64_t instructions) {
  piece **bucket = &buckets[(address >> 1) % BUCKETS];
  for (piece *p = *bucket; p != NULL; p = p->next) {
    if (p->address == address && p->end == end) return p;
  }
  piece *p = allocate(1, sizeof(*p));
  p->next = *bucket, p->address = address, p->end = end, p->instructions = instructions;
  p->runs = allocate(contexts, sizeof(int64_t)), p->refills = allocate(contexts, sizeof(int64_t));
  return *bucket = p;
}

/* ---- while the network runs */

static void on_block(unsigned cpu, void *data) {
  piece *p = data;
  (void)cpu;
  total += p->instructions;
  p->runs[context]++;
  if (last != NULL && last->end != p->address) last->refills[last_context]++;
  last = p;
  last_context = context;
}

static void write_profile(void) {
  FILE *file = fopen(profile_file, "w");
  if (file == NULL) abort();
  for (uint32_t c = RUN; c < contexts; c++) {
    if (calls[c] != 0) fprintf(file, "calls %u %lld\n", (unsigned)c, (long long)calls[c]);
  }
  for (size_t b = 0; b < BUCKETS; b++) {
    for (const piece *p = buckets[b]; p != NULL; p = p->next) {
      for (uint32_t c = RUN; c < contexts; c++) {
        if (p->runs[c] == 0 && p->refills[c] == 0) continue;
        fprintf(file, "block %llu %llu %llu %u %lld %lld\n", (unsigned long long)p->address,
                (unsigned long long)(p->end - p->address), (unsigned long long)p->instructions, (unsigned)c,
                (long long)p->runs[c], (long long)p->refills[c]);
      }
    }
  }
  fclose(file);
}

static void enter(uint32_t next, piece *rest) {
  rest->runs[context]--;
  rest->runs[next]++;
  context = next;
  last_context = next;
  calls[next]++;
}

static void on_event(unsigned cpu, void *data) {
  const event *e = data;
  const uint64_t before = total - e->left; /* instructions before this one */
  (void)cpu;
  if (e->kind == MARK) {
    if (context != OUTSIDE) enter(e->context, e->rest);
  } else if (e->kind == BEGIN) {
    begin = before + 1;
    if (!profiled) enter(RUN, e->rest);
  } else {
    fprintf(out, "%llu\n", (unsigned long long)(before - begin));
    fflush(out);
    enter(OUTSIDE, e->rest);
    if (!profiled && profile_file != NULL) write_profile();
    profiled = 1;
  }
}

/* ---- translation */

static int marker_kind(const struct instruction *instruction) {
  uint32_t word = 0;
  const size_t size = qemu_plugin_insn_size(instruction);
  memcpy(&word, qemu_plugin_insn_data(instruction), size < 4 ? size : 4);
  if (size == 2) return word == 0xbf10 ? BEGIN : word == 0xbf20 ? END : 0;
  return word == 0x00102013 ? BEGIN : word == 0x00202013 ? END : 0;
}

/* from: the first instruction that belongs to what begins here. */
static void add_event(struct block *block, size_t at, size_t from, int kind, uint32_t next, uint64_t end) {
  const size_t n = qemu_plugin_tb_n_insns(block);
  event *e = allocate(1, sizeof(*e)); /* as long-lived as the translated block: the whole run */
  e->kind = kind;
  e->context = next;
  e->left = n - at;
  e->rest = piece_at(from < n ? qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(block, from)) : end, end, n - from);
  qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(block, at), on_event, CALLBACK_NO_REGISTERS, e);
}

/* marks are in order of their addresses. */
static size_t first_mark_at(uint64_t address) {
  size_t low = 0, high = mark_count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (marks[middle].address < address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void on_translate(plugin_id id, struct block *block) {
  const size_t n = qemu_plugin_tb_n_insns(block);
  const struct instruction *final = qemu_plugin_tb_get_insn(block, n - 1);
  const uint64_t end = qemu_plugin_insn_vaddr(final) + qemu_plugin_insn_size(final);
  (void)id;
  piece *p = piece_at(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(block, 0)), end, n);
  qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, CALLBACK_NO_REGISTERS, p);
  for (size_t i = 0; i < n; i++) {
    const struct instruction *instruction = qemu_plugin_tb_get_insn(block, i);
    const uint64_t address = qemu_plugin_insn_vaddr(instruction);
    const int kind = marker_kind(instruction);
    if (kind != 0) add_event(block, i, kind == BEGIN ? i + 1 : i, kind, OUTSIDE, end);
    for (size_t m = first_mark_at(address); m < mark_count && marks[m].address == address; m++) {
      add_event(block, i, i, MARK, marks[m].context, end);
    }
  }
}

/* ---- options */

static int by_address(const void *a, const void *b) {
  const uint64_t left = ((const mark *)a)->address, right = ((const mark *)b)->address;
  return left < right ? -1 : left > right;
}

static int read_marks(const char *name) {
  FILE *file = fopen(name, "r");
  if (file == NULL) return 0;
  unsigned long long address;
  unsigned next;
  while (fscanf(file, "%llu %u", &address, &next) == 2) {
    marks = realloc(marks, (mark_count + 1) * sizeof(*marks));
    if (marks == NULL) abort();
    marks[mark_count++] = (mark){address, next};
    if (next >= contexts) contexts = next + 1;
  }
  fclose(file);
  if (mark_count > 0) qsort(marks, mark_count, sizeof(*marks), by_address);
  return 1;
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "out=", 4) == 0) out = fopen(argv[i] + 4, "w");
    if (strncmp(argv[i], "marks=", 6) == 0 && !read_marks(argv[i] + 6)) return 1;
    if (strncmp(argv[i], "profile=", 8) == 0) profile_file = strdup(argv[i] + 8);
  }
  if (out == NULL) return 1;
  calls = allocate(contexts, sizeof(*calls));
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
  return 0;
}
