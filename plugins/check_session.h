// plugins/check_session.h - one pass of a node over its steps, every operand in guarded, poisoned memory of its own.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "plugins/check_node.h"

namespace onnx2mcu::check {

// Where the elements of an operand lie, in dense order.
struct CheckLayout {
  std::vector<int64_t> offset;  // elements from the operand's start
  std::vector<int32_t> row;     // index along the access axis
  int64_t span = 0;             // elements from the first to past the last
  int64_t row_stride = 0;       // elements
  int32_t rows = 1;
};
CheckLayout LayoutOf(const TensorSpec &tensor, int32_t axis);

struct RowRange {
  int32_t begin = 0, end = 0;
};
// The rows of an operand that a call for steps [first, first + rows) touches (o2m_access); all of them where it is
// whole.
RowRange RowsTouched(const o2m_access &access, int32_t steps, int32_t all_rows, int32_t first, int32_t rows);

// Memory between two guards. `bytes` starts 16-aligned, and so does the guarded part, but for `misalign` bytes.
struct CheckBlock {
  Bytes storage;
  int64_t lead = 0;   // bytes of storage before the image
  int64_t begin = 0;  // of the guarded part, in the image
  int64_t size = 0;   // of the guarded part
  int64_t image_size = 0;
  CheckBlock(int64_t size, int64_t misalign, uint8_t poison);
  uint8_t *image() { return storage.data() + lead; }
  const uint8_t *image() const { return storage.data() + lead; }
  uint8_t *at() { return image() + begin; }
  const uint8_t *at() const { return image() + begin; }
};

struct Poison {
  uint8_t gap = 0xA5;      // around and between what an operand owns
  uint8_t prior = 0x5A;    // what outputs held before
  uint8_t scratch = 0xC3;  // set again before each call
  uint8_t others = 0x3C;   // rows of a stepped input that the call must not need
};

struct RunOptions {
  int32_t rows = 0;          // steps per call; 0: all
  bool hide_rows = true;     // poison the rows of stepped inputs that a call does not touch
  int overwrite = O2M_NONE;  // the input that output 0 is written over
  int64_t distance = 0;      // bytes from output 0's start to that input's
  Poison poison;
};

struct Finding {
  std::string clause, seen;
};

// Runs a packed node. `inputs` holds dense bytes per input.
class Session {
 public:
  Session(const NodeSpec &spec, const o2m_memory &memory, const std::vector<Bytes> &inputs, const RunOptions &options);
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  bool done() const { return next_ >= steps_; }
  void Step();  // one call
  void Run() {
    while (!done()) Step();
  }
  std::vector<Bytes> Outputs() const;  // dense bytes
  const std::vector<Finding> &findings() const { return findings_; }
  // Inputs, outputs, scratch, state, as they are now.
  const std::vector<CheckBlock> &blocks() const { return blocks_; }

 private:
  struct Operand {
    TensorSpec tensor;
    o2m_access access;
    CheckLayout layout;
    int64_t element = 1;      // bytes
    size_t block = 0;         // index
    int64_t start = 0;        // bytes from the block's at()
    RowRange touched;         // by the current call
    std::string name;         // "output 0"
    std::vector<bool> owned;  // bytes of the span that elements cover
  };
  void Place(const RunOptions &options);
  void FillInput(size_t i);
  void FillPrior(const Operand &output);
  std::vector<void *> Pointers(std::vector<Operand> &operands, int32_t first, int32_t count);
  void CheckInputs(const std::vector<CheckBlock> &before);
  void CheckOutput(const Operand &output, const CheckBlock &before);
  void CheckShared(const CheckBlock &before);
  void CheckGuard(size_t block, uint8_t poison, const char *clause, const char *name);
  void Found(const std::string &clause, const std::string &seen);
  std::string WhereIs(const Operand &operand, int64_t offset) const;

  NodeSpec spec_;
  o2m_memory memory_;
  std::vector<Bytes> data_;
  RunOptions options_;
  NodeView view_;
  std::vector<Operand> inputs_, outputs_;
  std::vector<CheckBlock> blocks_;
  size_t scratch_ = 0, state_ = 0;  // blocks
  int32_t next_ = 0, steps_ = 1, rows_ = 1;
  std::vector<Finding> findings_;
};

// The first difference in words, and how many; empty if equal.
std::string Difference(const NodeSpec &spec, const std::vector<Bytes> &expected, const std::vector<Bytes> &got);

}  // namespace onnx2mcu::check
