// op_test.hpp - for the tests of ops: runs the cases of a plugin on values of our choice and hands back dense integers,
// which a test compares with a naive oracle.
#pragma once
// The build gives a test the path of its plugin under a name that op.hpp uses for something else.
inline constexpr char kPluginPath[] = O2M_PLUGIN;
#undef O2M_PLUGIN

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>

#include "op.hpp"

namespace o2m::testing {

inline const o2m_plugin *Plugin() {
  static const o2m_plugin *plugin = [] {
    void *library = dlopen(kPluginPath, RTLD_NOW | RTLD_LOCAL);
    if (!library) ADD_FAILURE() << dlerror();
    const auto entry = reinterpret_cast<decltype(&onnx2mcu_plugin)>(dlsym(library, "onnx2mcu_plugin"));
    return entry(O2M_ABI_MAJOR);
  }();
  return plugin;
}

inline const o2m_op *FindOp(const std::string &id) {
  for (int32_t i = 0; i < Plugin()->op_count; ++i) {
    if (Plugin()->ops[i]->id == id) return Plugin()->ops[i];
  }
  ADD_FAILURE() << "no op " << id;
  return nullptr;
}

// A host that remembers the last message and answers "o2m.options/1" with one option.
struct TestHost {
  o2m_host host = {};
  std::string message, key, value;
  TestHost() {
    host.struct_size = sizeof host;
    host.abi_major = O2M_ABI_MAJOR;
    host.host_data = this;
    host.error = [](const o2m_host *h, const char *text) { static_cast<TestHost *>(h->host_data)->message = text; };
    host.get_extension = [](const o2m_host *, const char *id) -> const void * {
      static const o2m_options options = {[](const o2m_host *h, const char *name) -> const char * {
        const auto *self = static_cast<TestHost *>(h->host_data);
        return self->key == name ? self->value.c_str() : nullptr;
      }};
      return std::strcmp(id, "o2m.options/1") == 0 ? &options : nullptr;
    };
  }
};

// Values of one operand, dense and row major.
using Values = std::vector<int32_t>;

// Calls body(dense index, offset in elements) for every element of a strided tensor.
template <class Body>
void ForEachElement(const o2m_tensor &t, const Body &body) {
  int32_t index[O2M_MAX_RANK] = {};
  for (int64_t n = 0; n < ElementCount(t); ++n) {
    int64_t offset = 0;
    for (int32_t i = 0; i < t.rank; ++i) offset += index[i] * t.strides[i];
    body(n, offset);
    for (int32_t i = t.rank - 1; i >= 0 && ++index[i] == t.dims[i]; --i) index[i] = 0;
  }
}

inline int32_t Load(const void *p, int64_t i, o2m_dtype dtype) {
  switch (dtype) {
    case O2M_S8:
      return static_cast<const int8_t *>(p)[i];
    case O2M_U8:
      return static_cast<const uint8_t *>(p)[i];
    case O2M_S16:
      return static_cast<const int16_t *>(p)[i];
    default:
      return static_cast<const int32_t *>(p)[i];
  }
}
inline void Store(void *p, int64_t i, o2m_dtype dtype, int32_t value) {
  switch (dtype) {
    case O2M_S8:
      static_cast<int8_t *>(p)[i] = static_cast<int8_t>(value);
      break;
    case O2M_U8:
      static_cast<uint8_t *>(p)[i] = static_cast<uint8_t>(value);
      break;
    case O2M_S16:
      static_cast<int16_t *>(p)[i] = static_cast<int16_t>(value);
      break;
    default:
      static_cast<int32_t *>(p)[i] = value;
  }
}

inline int64_t SpanOf(const o2m_tensor &t) {
  int64_t last = 0;
  for (int32_t i = 0; i < t.rank; ++i) last += (t.dims[i] - 1) * t.strides[i];
  return last + 1;
}

// A node of its own: operands copied from a case, inferred, packed, ready to run.
class TestNode {
 public:
  TestNode(const o2m_op *op, const o2m_case &c) : op_(op) {
    for (int32_t i = 0; i < c.input_count; ++i) tensors_.push_back(c.inputs[i]);
    for (int32_t i = 0; i < c.output_count; ++i) tensors_.push_back(c.outputs[i]);
    for (int32_t i = 0; i < c.input_count; ++i) inputs_.push_back(&tensors_[i]);
    for (int32_t i = 0; i < c.output_count; ++i) outputs_.push_back(&tensors_[c.input_count + i]);
    params_.assign(op->params_size + 8, 0);
    std::memcpy(params_.data(), c.params, op->params_size);
    node_ = {sizeof node_,   c.name, c.input_count, c.output_count, inputs_.data(), outputs_.data(),
             params_.data(), 0,      nullptr,       constants_};
  }
  TestNode(const TestNode &) = delete;

  o2m_node *get() { return &node_; }
  o2m_tensor &input(int i) { return tensors_[i]; }
  o2m_tensor &output(int i = 0) { return *outputs_[i]; }
  TestHost &host() { return host_; }

  o2m_status Infer() { return op_->infer(&host_.host, &target_, &node_); }
  // Infers, allocates, packs; false, with the message as a failure, where the op refuses.
  bool Prepare() {
    if (Infer() != O2M_OK) {
      ADD_FAILURE() << node_.name << ": " << host_.message;
      return false;
    }
    for (int i = 0; i < O2M_MAX_CONSTANTS && constants_[i].count > 0; ++i) {
      data_[i].assign(static_cast<size_t>(constants_[i].count * BytesOf(constants_[i].dtype)), 0);
      constants_[i].data = data_[i].data();
    }
    return !op_->pack || op_->pack(&host_.host, &target_, &node_) == O2M_OK;
  }
  o2m_memory Memory(int32_t rows) {
    o2m_memory memory = {};
    memory.struct_size = sizeof memory;
    if (op_->memory) op_->memory(&target_, &node_, rows, &memory);
    return memory;
  }
  // What a failure is about.
  void Describe() const {
    for (const o2m_tensor &t : tensors_) {
      std::printf("  %s %s scale %g zero point %d%s\n", NameOf(t.dtype), Shape(t).c_str(), double{ScaleOf(t)},
                  ZeroPointOf(t), t.is_constant ? " constant" : "");
    }
  }
  template <class T>
  const T *Packed(int slot) const {
    return reinterpret_cast<const T *>(data_[slot].data());
  }

  // Runs all steps, `rows` at a time (0: all at once), and returns output 0, dense. Constants need no values.
  Values Run(const std::vector<Values> &values, int32_t rows = 0) {
    std::vector<std::vector<int32_t>> blocks;  // int32: aligned for every dtype
    for (const o2m_tensor &t : tensors_) blocks.emplace_back(static_cast<size_t>(SpanOf(t)), 0x5a5a5a5a);
    for (size_t i = 0; i < std::min(values.size(), inputs_.size()); ++i) {
      if (tensors_[i].is_constant) continue;
      ForEachElement(tensors_[i], [&](int64_t n, int64_t at) {
        Store(blocks[i].data(), at, tensors_[i].dtype, values[i][static_cast<size_t>(n)]);
      });
    }
    const int32_t steps = std::max(1, Memory(1).steps);
    if (rows <= 0) rows = steps;
    const o2m_memory memory = Memory(rows);
    std::vector<int64_t> scratch(static_cast<size_t>(memory.scratch_bytes / 8 + 2), 0x7171717171717171),
        state(static_cast<size_t>(memory.state_bytes / 8 + 2), 0);
    for (int32_t first = 0; first < steps; first += rows) {
      std::vector<const void *> in;
      std::vector<void *> out;
      for (size_t i = 0; i < tensors_.size(); ++i) {
        const bool is_input = i < inputs_.size();
        const o2m_access &a = is_input ? memory.inputs[i] : memory.outputs[i - inputs_.size()];
        const int64_t row = a.extent ? std::max(0, first * a.step - a.before) : 0;
        const int64_t moved = row * (a.extent ? tensors_[i].strides[a.axis] : 0) * BytesOf(tensors_[i].dtype);
        char *p = reinterpret_cast<char *>(blocks[i].data()) + moved;
        if (is_input)
          in.push_back(p);
        else
          out.push_back(p);
      }
      const o2m_call call = {
          sizeof call, in.data(), out.data(), scratch.data(), state.data(), first, std::min(rows, steps - first)};
      op_->run(&node_, &call);
    }
    Values result(static_cast<size_t>(ElementCount(output())));
    ForEachElement(output(), [&](int64_t n, int64_t at) {
      result[static_cast<size_t>(n)] = Load(blocks[inputs_.size()].data(), at, output().dtype);
    });
    return result;
  }

 private:
  const o2m_op *op_;
  TestHost host_;
  o2m_target target_ = {sizeof target_, "host", 0, 0, 0};
  std::deque<o2m_tensor> tensors_;
  std::vector<const o2m_tensor *> inputs_;
  std::vector<o2m_tensor *> outputs_;
  std::vector<uint8_t> params_;
  o2m_constant constants_[O2M_MAX_CONSTANTS] = {};
  std::vector<uint8_t> data_[O2M_MAX_CONSTANTS];
  o2m_node node_ = {};
};

// Values over the whole range of the dtype, its ends among them.
inline double LowEnd(o2m_dtype t) { return t == O2M_S32 ? -2147483648.0 : LowOf(t); }
inline double HighEnd(o2m_dtype t) { return t == O2M_S32 ? 2147483647.0 : HighOf(t); }

inline Values RandomValues(const o2m_tensor &t, uint32_t seed) {
  std::mt19937 random(seed);
  const auto low = static_cast<int32_t>(LowEnd(t.dtype)), high = static_cast<int32_t>(HighEnd(t.dtype));
  std::uniform_int_distribution<int32_t> any(low, high);
  Values values(static_cast<size_t>(ElementCount(t)));
  for (int32_t &v : values) {
    const uint32_t corner = random() % 16;
    v = corner == 0 ? low : corner == 1 ? high : any(random);
  }
  return values;
}

// What a test's oracle gets: dense values, and the real numbers they stand for.
struct Sample {
  TestNode *node;
  std::vector<Values> inputs;
  double Real(int i, int64_t n) const {
    const o2m_tensor &t = node->input(i);
    if (t.is_constant) return Floats(t)[n];
    return static_cast<double>(ScaleOf(t)) * (inputs[static_cast<size_t>(i)][static_cast<size_t>(n)] - ZeroPointOf(t));
  }
};
// The real value of each output element.
using Oracle = std::function<std::vector<double>(const Sample &)>;

inline double HighestRealOf(const o2m_tensor &t) { return ScaleOf(t) * (HighOf(t.dtype) - ZeroPointOf(t)); }

struct Accuracy {
  double largest = 0;  // |output - real value clamped to the output's range|, in LSB; 0.5 is exact rounding
  int64_t elements = 0;
};

inline Accuracy Compare(const o2m_tensor &y, const Values &got, const std::vector<double> &expected) {
  Accuracy accuracy;
  EXPECT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size() && i < expected.size(); ++i) {
    const double exact =
        std::fmin(std::fmax(expected[i] / ScaleOf(y) + ZeroPointOf(y), LowEnd(y.dtype)), HighEnd(y.dtype));
    accuracy.largest = std::fmax(accuracy.largest, std::fabs(got[i] - exact));
    ++accuracy.elements;
  }
  return accuracy;
}

// How far outputs are from the real values, in LSB, and from those correctly rounded. bench/errors prints them all.
struct Errors {
  double largest = 0, sum = 0;
  int64_t elements = 0, not_nearest = 0;
  int32_t steps = 0;  // from the correctly rounded value, at most
  void Add(const o2m_tensor &y, const Values &got, const std::vector<double> &real) {
    for (size_t i = 0; i < got.size(); ++i) {
      const double low = LowEnd(y.dtype), high = HighEnd(y.dtype);
      const double exact = std::fmin(std::fmax(real[i] / ScaleOf(y) + ZeroPointOf(y), low), high);
      const double nearest = std::fmin(std::floor(exact + 0.5), high);
      largest = std::fmax(largest, std::fabs(got[i] - exact));
      sum += std::fabs(got[i] - exact);
      steps = std::max(steps, static_cast<int32_t>(std::fabs(got[i] - nearest)));
      not_nearest += got[i] != nearest;
      ++elements;
    }
  }
  void Print(const std::string &name) const {
    const auto count = static_cast<double>(elements);
    std::printf("error %-40s max %.4f mean %.4f LSB, %.4f %% of %.0f not the nearest, by %d at most\n", name.c_str(),
                largest, sum / count, 100 * static_cast<double>(not_nearest) / count, count, steps);
  }
};

// Rows of every spread around every centre.
inline Values RandomRows(const o2m_tensor &t, std::mt19937 &random) {
  const int32_t low = LowOf(t.dtype), high = HighOf(t.dtype), c = Dim(t, 1);
  Values values(static_cast<size_t>(ElementCount(t)));
  int32_t centre = 0, spread = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (i % static_cast<size_t>(c) == 0) {
      spread = static_cast<int32_t>(2u << random() % (t.dtype == O2M_S16 ? 16 : 8));
      centre = low + static_cast<int32_t>(random() % static_cast<uint32_t>(high - low + 1));
    }
    const auto offset = static_cast<int32_t>(random() % static_cast<uint32_t>(spread)) - spread / 2;
    values[i] = std::min(std::max(centre + offset, low), high);
  }
  return values;
}

// The case `name` over `rows` random rows, its errors printed; every output is within 1 of the correctly rounded.
inline void CheckRandomRows(const std::string &id, const std::string &name, int64_t rows, const Oracle &oracle) {
  const o2m_op *op = FindOp(id);
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < cases->count; ++i) {
    if (cases->get(i)->name != name) continue;
    TestNode node(op, *cases->get(i));
    ASSERT_TRUE(node.Prepare());
    Errors errors;
    std::mt19937 random(1);
    for (int64_t done = 0; done < rows; done += ElementCount(node.input(0)) / Dim(node.input(0), 1)) {
      const Sample sample = {&node, {RandomRows(node.input(0), random)}};
      errors.Add(node.output(), node.Run(sample.inputs), oracle(sample));
    }
    errors.Print(id + " " + name);
    EXPECT_LE(errors.steps, 1);
    return;
  }
  FAIL() << "no case " << name;
}

// A case of an op that maps bytes to bytes: all 256 of them, at several scales, into an output with a scale of its own;
// its errors printed, every output correctly rounded or at a tie.
inline void CheckEveryByte(const std::string &id, const o2m_case &c, const Oracle &oracle) {
  Errors errors;
  for (const float scale : {0.004f, 0.02f, 0.05f, 0.11f}) {
    for (const int32_t shift : {-128, -9, 0, 127}) {
      TestNode node(FindOp(id), c);
      o2m_tensor &x = node.input(0), &y = node.output();
      const int32_t zero = x.dtype == O2M_S8 ? shift : 0;
      SetShape(x, {1, 256});
      y.quant = {};
      y.dtype = O2M_ANY;
      x.quant = PerTensor(&scale, &zero);
      SetShape(y, {1, 256});
      ASSERT_TRUE(node.Prepare());
      Sample sample = {&node, {{}}};
      for (int32_t i = 0; i < 256; ++i) sample.inputs[0].push_back(LowOf(x.dtype) + i);
      errors.Add(y, node.Run(sample.inputs), oracle(sample));
    }
  }
  errors.Print(id + " " + c.name);
  EXPECT_LE(errors.largest, 0.5001);
}

// Every case of an op: whole, one row at a time, and three at a time give the same values, each within `bound` LSB of
// the oracle's real value; `s16_bound`, where it is given, of cases whose input 0 is s16.
inline void CheckCases(const std::string &id, double bound, const Oracle &oracle, double s16_bound = 0) {
  const o2m_op *op = FindOp(id);
  ASSERT_NE(op, nullptr);
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  ASSERT_NE(cases, nullptr);
  ASSERT_GT(cases->count, 0);
  double largest = 0;
  for (int32_t i = 0; i < cases->count; ++i) {
    SCOPED_TRACE(cases->get(i)->name);
    TestNode node(op, *cases->get(i));
    ASSERT_TRUE(node.Prepare());
    Sample sample = {&node, {}};
    for (int32_t k = 0; k < node.get()->input_count; ++k) {
      sample.inputs.push_back(node.input(k).is_constant ? Values() : RandomValues(node.input(k), 1u + i * 8u + k));
    }
    const Values whole = node.Run(sample.inputs);
    EXPECT_EQ(whole, node.Run(sample.inputs, 1));
    EXPECT_EQ(whole, node.Run(sample.inputs, 3));
    const Accuracy accuracy = Compare(node.output(), whole, oracle(sample));
    EXPECT_LE(accuracy.largest, s16_bound > 0 && node.input(0).dtype == O2M_S16 ? s16_bound : bound);
    largest = std::fmax(largest, accuracy.largest);
  }
  ::testing::Test::RecordProperty("largest_error_lsb", std::to_string(largest));
  std::printf("%s: largest error %.4f LSB over %d cases\n", id.c_str(), largest, cases->count);
}

// ---- Random cases ---------------------------------------------------------------------------------------------------

// How many per op.
inline int32_t RandomCaseCount() {
  const char *count = std::getenv("O2M_RANDOM_CASES");
  return count ? std::atoi(count) : 10000;
}

// Values of an input: any, or the ends of the range alone.
inline Values RandomInput(const o2m_tensor &t, uint64_t seed) {
  Random random(seed);
  const int32_t kind = random.Below(8);
  Values values = RandomValues(t, static_cast<uint32_t>(random.Below(1 << 30)));
  for (int32_t &v : values) {
    if (kind < 3) v = kind == 0 || (kind == 1 && random.OneIn(2)) ? LowOf(t.dtype) : HighOf(t.dtype);
  }
  return values;
}

// Calls body(sample) for random cases of an op, each prepared and with values for its inputs, until one fails.
inline void ForEachRandomCase(const std::string &id, const std::function<void(Sample &)> &body) {
  const o2m_op *op = FindOp(id);
  const auto *cases = static_cast<const o2m_random_cases *>(op->get_extension("o2m.random_cases/1"));
  ASSERT_NE(cases, nullptr);
  struct Taker {
    const o2m_op *op;
    const std::function<void(Sample &)> *body;
    uint64_t seed;
  } taker = {op, &body, 0};
  for (; taker.seed < static_cast<uint64_t>(RandomCaseCount()) && !::testing::Test::HasFailure(); ++taker.seed) {
    cases->make(taker.seed, &taker, [](void *data, const o2m_case *c) {
      const auto &t = *static_cast<Taker *>(data);
      SCOPED_TRACE("seed " + std::to_string(t.seed) + ", " + c->name);
      TestNode node(t.op, *c);
      ASSERT_TRUE(node.Prepare());
      Sample sample = {&node, {}};
      for (int32_t k = 0; k < node.get()->input_count; ++k) {
        const uint64_t seed = 16 * t.seed + static_cast<uint64_t>(k);
        sample.inputs.push_back(node.input(k).is_constant ? Values() : RandomInput(node.input(k), seed));
      }
      (*t.body)(sample);
    });
  }
}

// Random cases: some rows per call give the values of one call, each within 1 of the correctly rounded real value, and
// within `bound` LSB of the real value itself.
inline void CheckRandomCases(const std::string &id, const Oracle &oracle, double bound = 1) {
  Errors errors;
  ForEachRandomCase(id, [&](Sample &sample) {
    const Values whole = sample.node->Run(sample.inputs);
    ASSERT_EQ(whole, sample.node->Run(sample.inputs, 1 + static_cast<int32_t>(whole.size() % 5)));
    errors.Add(sample.node->output(), whole, oracle(sample));
    if (errors.steps > 1 || errors.largest > bound) sample.node->Describe();
    ASSERT_LE(errors.steps, 1);
    ASSERT_LE(errors.largest, bound);
  });
  errors.Print(id + ", random cases");
}

// ---- Worst cases ----------------------------------------------------------------------------------------------------

inline const o2m_cases &WorstCases(const std::string &id) {
  return *static_cast<const o2m_cases *>(FindOp(id)->get_extension("o2m.worst_cases/1"));
}
inline const o2m_case &WorstCase(const std::string &id, const std::string &name) {
  const o2m_cases &cases = WorstCases(id);
  for (int32_t i = 0; i < cases.count; ++i)
    if (cases.get(i)->name == name) return *cases.get(i);
  ADD_FAILURE() << "no case " << name;
  return *cases.get(0);
}

inline Values Ends(const o2m_tensor &t, int32_t run, int32_t input) {
  Values values(static_cast<size_t>(ElementCount(t)));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = IsHighEnd(run, input, static_cast<int64_t>(i)) ? HighOf(t.dtype) : LowOf(t.dtype);
  return values;
}

// Calls body(sample) for every worst case of an op with each way to set its inputs to their ends, until one fails.
inline void ForEachWorstCase(const std::string &id, const std::function<void(Sample &)> &body) {
  const o2m_cases &cases = WorstCases(id);
  ASSERT_GT(cases.count, 0);
  for (int32_t i = 0; i < cases.count; ++i) {
    TestNode node(FindOp(id), *cases.get(i));
    ASSERT_TRUE(node.Prepare());
    for (int32_t run = 0; run < kEndRuns && !::testing::Test::HasFailure(); ++run) {
      SCOPED_TRACE(Str(cases.get(i)->name, ", run ", run));
      Sample sample = {&node, {}};
      for (int32_t k = 0; k < node.get()->input_count; ++k)
        sample.inputs.push_back(node.input(k).is_constant ? Values() : Ends(node.input(k), run, k));
      body(sample);
    }
  }
}

// Worst cases: each output within 1 of the correctly rounded real value, whatever the rows per call.
inline void CheckWorstCases(const std::string &id, const Oracle &oracle) {
  Errors errors;
  ForEachWorstCase(id, [&](Sample &sample) {
    const Values whole = sample.node->Run(sample.inputs);
    ASSERT_EQ(whole, sample.node->Run(sample.inputs, 1));
    errors.Add(sample.node->output(), whole, oracle(sample));
    ASSERT_LE(errors.steps, 1);
  });
  errors.Print(id + ", worst cases");
}

// Why infer() refuses a worst case after `change`; empty where it does not.
inline std::string Refusal(const std::string &id, const std::string &name,
                           const std::function<void(TestNode &)> &change) {
  TestNode node(FindOp(id), WorstCase(id, name));
  change(node);
  return node.Infer() == O2M_OK ? "" : node.host().message;
}
// What multiplies a scale so that infer() refuses it, where the case is at the end of what it admits.
inline constexpr float kBeyond = 0.999f;
inline std::string RefusalOfFinerOutput(const std::string &id, const std::string &name) {
  float finer = 0;
  return Refusal(id, name, [&finer](TestNode &node) {
    finer = kBeyond * ScaleOf(node.output());
    node.output().quant.scale = &finer;
  });
}

}  // namespace o2m::testing
