// patch_embed.cc - "o2m.patch_embed": Conv of patches that do not overlap, without padding. README.md says more.
#include "channel_weights.hpp"
#include "o2m_patch_embed.h"
#include "o2m_sources.h"
#include "patch_embed_random.hpp"
#include "patch_embed_worst.hpp"

namespace {
using namespace o2m;

struct PatchParams {
  int32_t stride_h, stride_w;
  int32_t piece_h, piece_w;  // 0: infer() chooses
  int32_t shift;
  OwnQuant y;
  int32_t x_less = 0;  // as in o2m_patch_embed_params
};

constexpr int32_t kWholePatch = 192;  // inputs of a patch up to which one piece is all of it: 384 bytes of scratch
constexpr int32_t kPiece = 4;         // MCUFormer's

int32_t KernelH(const o2m_node *node) { return node->inputs[1]->dims[2]; }
int32_t KernelW(const o2m_node *node) { return node->inputs[1]->dims[3]; }

void ChoosePiece(const o2m_node *node, PatchParams &params) {
  const int32_t kh = KernelH(node), kw = KernelW(node);
  const bool whole = node->inputs[1]->dims[1] * kh * kw <= kWholePatch;
  if (params.piece_h < 1) params.piece_h = whole ? kh : kPiece;
  if (params.piece_w < 1) params.piece_w = whole ? kw : kPiece;
  params.piece_h = std::min(params.piece_h, kh);
  params.piece_w = std::min(params.piece_w, kw);
}

const char *IsaOf(const o2m_target *target) {
  return IsaSuffix(o2m_sources, O2M_SOURCE_COUNT, "o2m_patch_embed", target);
}

bool IsMve(const o2m_target *target) { return std::strcmp(IsaOf(target), "_mve") == 0; }

// Bytes of the packed weights of a piece of so many pixels.
int64_t PieceBytes(const o2m_node *node, int64_t pixels) {
  const int64_t outputs = (node->inputs[1]->dims[0] + 3) & ~3, channels = node->inputs[1]->dims[1];
  return outputs * ((pixels * channels + 3) & ~int64_t{3});
}

// One kernel reads 16 inputs at a time.
int64_t WeightBytes(const o2m_target *target, const o2m_node *node) {
  const auto &params = ParamsOf<PatchParams>(node);
  int64_t bytes = 0;
  for (int32_t i = 0; i < KernelH(node); i += params.piece_h) {
    for (int32_t j = 0; j < KernelW(node); j += params.piece_w) {
      const int32_t h = std::min(params.piece_h, KernelH(node) - i), w = std::min(params.piece_w, KernelW(node) - j);
      bytes += PieceBytes(node, int64_t{h} * w);
    }
  }
  return bytes + (IsMve(target) ? 48 : 0);
}

// Where the weight of input channel c at (i, j) of output o lies.
int64_t PackedIndex(const o2m_node *node, int64_t o, int32_t c, int32_t i, int32_t j) {
  const auto &params = ParamsOf<PatchParams>(node);
  const int64_t channels = node->inputs[1]->dims[1];
  const int32_t kh = KernelH(node), kw = KernelW(node);
  const int32_t top = i - i % params.piece_h, left = j - j % params.piece_w;
  const int32_t h = std::min(params.piece_h, kh - top), w = std::min(params.piece_w, kw - left);
  int64_t at = 0;
  for (int32_t a = 0; a <= top; a += params.piece_h) {
    for (int32_t b = 0; b < (a < top ? kw : left); b += params.piece_w) {
      at += PieceBytes(node, int64_t{std::min(params.piece_h, kh - a)} * std::min(params.piece_w, kw - b));
    }
  }
  const int64_t k = (int64_t{i - top} * w + (j - left)) * channels + c, blocks = (int64_t{h} * w * channels + 3) / 4;
  return at + ((o / 4 * blocks + k / 4) * 4 + o % 4) * 4 + k % 4;
}

o2m_patch_embed_params KernelParams(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const auto &params = ParamsOf<PatchParams>(node);
  o2m_patch_embed_params p = {};
  p.channels = x.dims[1];
  p.outputs = y.dims[1];
  p.columns = y.dims[3];
  p.kernel_h = KernelH(node);
  p.kernel_w = KernelW(node);
  p.stride_h = params.stride_h;
  p.stride_w = params.stride_w;
  p.piece_h = params.piece_h;
  p.piece_w = params.piece_w;
  p.x_less = params.x_less;
  SetConvParams(node, params.shift, p);
  return p;
}

std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
  const o2m_patch_embed_params p = KernelParams(node);
  Initializer text;
  text.Field("channels", p.channels)
      .Field("outputs", p.outputs)
      .Field("columns", p.columns)
      .Field("kernel_h", p.kernel_h)
      .Field("kernel_w", p.kernel_w)
      .Field("stride_h", p.stride_h)
      .Field("stride_w", p.stride_w)
      .Field("piece_h", p.piece_h)
      .Field("piece_w", p.piece_w);
  AddImageStrides(p, text);
  text.Field("x_signed", p.x_signed).Field("x_less", p.x_less);
  AddConvOutput(p, node, e, text);
  return text.text();
}

struct PatchEmbed {
  static constexpr char kId[] = "o2m.patch_embed";
  static constexpr uint32_t kFlags = O2M_TAKES_EPILOGUE;
  using Params = PatchParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "Conv") || g.Inputs(root) < 3 || g.Int(root, "group", 1) != 1) return O2M_NO_MATCH;
    const int32_t x = g.Input(root, 0), w = g.Input(root, 1), b = g.Input(root, 2);
    if (!g.IsConstant(w) || !g.IsConstant(b) || g.Tensor(w).rank != 4 || g.Tensor(x).rank != 4) return O2M_NO_MATCH;
    const int32_t kh = g.Tensor(w).dims[2], kw = g.Tensor(w).dims[3];
    const std::vector<int64_t> strides = g.Ints(root, "strides");
    for (int64_t pad : g.Ints(root, "pads")) {
      if (pad != 0) return O2M_NO_MATCH;
    }
    for (int64_t dilation : g.Ints(root, "dilations")) {
      if (dilation != 1) return O2M_NO_MATCH;
    }
    if (strides.size() != 2 || strides[0] < kh || strides[1] < kw || kh * kw == 1) return O2M_NO_MATCH;
    auto &params = *static_cast<Params *>(match->params);
    params.stride_h = static_cast<int32_t>(strides[0]);
    params.stride_w = static_cast<int32_t>(strides[1]);
    return Matched(match, {root}, {x, w, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
    if (o2m_status s = CheckConvOperands(host, node, 1)) return s;
    const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1];
    auto &params = ParamsOf<Params>(node);
    if (params.stride_h < w.dims[2] || params.stride_w < w.dims[3])
      return Reject(host, "the patches overlap; a stride no less than the kernel would work");
    if (x.dims[2] < w.dims[2] || x.dims[3] < w.dims[3])
      return Reject(host, Str("the image ", Shape(x), " is smaller than one patch of ", w.dims[2], " x ", w.dims[3]));
    ChoosePiece(node, params);
    params.x_less = IsMve(target) && x.dtype == O2M_U8 ? 128 : 0;
    o2m_tensor &y = *node->outputs[0];
    SetShape(y, {1, w.dims[0], (x.dims[2] - w.dims[2]) / params.stride_h + 1,
                 (x.dims[3] - w.dims[3]) / params.stride_w + 1});
    if (o2m_status s = SettleConvOutput(host, node, params.y)) return s;
    if (o2m_status s =
            ChooseChannelShift(host, ChannelsOf(node), &params.shift, *IsaOf(target) && WantsShift32(target)))
      return s;
    SetConvConstants(node);
    node->constants[kConvWeights].count = WeightBytes(target, node);
    return O2M_OK;
  }

  // A step is one row of patches: a band of the image.
  static void Memory(const o2m_target *target, const o2m_node *node, int32_t, o2m_memory *memory) {
    const auto &params = ParamsOf<Params>(node);
    const o2m_tensor &y = *node->outputs[0];
    memory->steps = y.dims[2];
    memory->inputs[0] = {O2M_ANY_STRIDES, 2, params.stride_h, KernelH(node), 0};
    memory->outputs[0] = {O2M_ANY_STRIDES, 2, 1, 1, 0};
    const int64_t piece = int64_t{params.piece_h} * params.piece_w * node->inputs[0]->dims[1];
    const int64_t sums_of_two = 8 * ((y.dims[1] + 3) & ~3);
    memory->scratch_bytes = IsMve(target)    ? sums_of_two + 2 * ((piece + 15) & ~15)
                            : *IsaOf(target) ? sums_of_two + 16 * ((piece + 3) / 4) + 2 * piece
                                             : 4 * y.dims[1] + 2 * piece;
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const Channels channels = ChannelsOf(node);
    const int32_t kh = KernelH(node), kw = KernelW(node);
    auto *weights = ConstantData<int8_t>(node, kConvWeights);
    std::memset(weights, 0, static_cast<size_t>(node->constants[kConvWeights].count));
    std::vector<int32_t> sums(static_cast<size_t>(channels.count));
    PackConv(node, channels, ParamsOf<Params>(node).shift, [&](int64_t o, int64_t k, int8_t q) {
      const auto at = static_cast<int32_t>(k);
      weights[PackedIndex(node, o, at / (kh * kw), at / kw % kh, at % kw)] = q;
      sums[static_cast<size_t>(o)] += q;
    });
    auto *const bias = ConstantData<int32_t>(node, kConvBias);
    for (size_t o = 0; o < sums.size(); ++o) bias[o] += ParamsOf<Params>(node).x_less * sums[o];
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_patch_embed_params p = KernelParams(node);
    O2M_SYM(o2m_patch_embed)(call->inputs[0], call->outputs[0], call->rows, call->scratch, &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    const o2m_patch_embed_params kernel_params = KernelParams(node);
    const std::string isa = IsaOf(target);
    const bool whole = isa == "_dsp" && o2m_patch_is_whole(&kernel_params);
    const std::string kernel = Str("o2m_patch_embed", whole ? "_whole" : "", isa), source = kernel + ".c";
    Line(e,
         Call(Str("O2M_SYM(", kernel, ")"), {Operand(e, 0), Operand(e, node->input_count), RowsName(e), ScratchName(e),
                                             Object(e, "o2m_patch_embed_params", ParamsText(node, e))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_patch_embed.h", source.c_str()});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const o2m_tensor &y = *node->outputs[0];
    const int64_t tokens = int64_t{rows} * y.dims[3], weights = ElementCount(*node->inputs[1]);
    *cost = {"patch_embed", tokens * weights, tokens * (weights / y.dims[1]), tokens * y.dims[1], tokens * weights, -1};
  }

  // Patches one by one or, with DSP instructions or Helium, in pairs by four outputs; each in pieces, unless one is all
  // of it.
  static void Terms(const o2m_target *target, const o2m_node *node, int32_t rows, TermList &list) {
    const o2m_patch_embed_params p = KernelParams(node);
    const bool paired = *IsaOf(target) != 0;
    const int64_t block = IsMve(target) ? 16 : 4;
    const int64_t tokens = int64_t{rows} * p.columns,
                  pairs = int64_t{rows} * (paired ? (p.columns + 1) / 2 : p.columns);
    const int64_t groups = (p.outputs + 3) / 4;
    int64_t pieces = 0;
    for (int32_t i = 0; i < p.kernel_h; i += p.piece_h) {
      for (int32_t j = 0; j < p.kernel_w; j += p.piece_w, ++pieces) {
        const int64_t h = std::min(p.piece_h, p.kernel_h - i), w = std::min(p.piece_w, p.kernel_w - j);
        const int64_t depth = h * w * p.channels, blocks = (depth + block - 1) / block;
        list.Add("patch_embed", "pixel rows", tokens * h);
        list.Add("patch_embed", "pixels", tokens * h * w);
        list.Add("patch_embed", "values", tokens * depth);
        list.Add("patch_embed", "tiles", pairs * groups);
        list.Add("patch_embed", "panel blocks", pairs * blocks);
        list.Add("patch_embed", "panel tails", depth % block ? pairs : 0);
        list.Add("patch_embed", "blocks", pairs * groups * (paired ? blocks : depth / 4));
        list.Add("patch_embed", "tails", paired ? pairs * groups * ((blocks + 1) / 2) : pairs * groups * (depth % 4));
      }
    }
    const bool direct = paired && !IsMve(target) && pieces == 1 && p.outputs % 4 == 0;
    list.Add("patch_embed", "pairs", pairs);
    list.Add("patch_embed", "pieces", pairs * pieces);
    list.Add("patch_embed", "piece outputs", direct ? 0 : pairs * pieces * p.outputs);
    list.Add("patch_embed", "outputs", direct ? 0 : tokens * p.outputs);
    list.Add("patch_embed", "table outputs", node->epilogue ? tokens * p.outputs : 0);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) { rule->s16_outputs = 1; }

  static void RandomCase(CaseList &list, Random &random) { RandomPatchCase<Params>(list, random); }
  static void WorstCases(CaseList &list) { WorstPatchCases<Params>(list); }
  static void Cases(CaseList &list);
};

void PatchEmbed::Cases(CaseList &list) {
  const Params four = {4, 4, 0, 0, 0, {}};
  const CaseOperand image28 = {O2M_U8, {1, 1, 28, 28}, 0.01f, 0};
  const std::vector<int64_t> tokens = {7 * 7 * 64, 1, 7 * 64, 64};
  list.Add("28x28 gray to 49 tokens of 64", {image28, CaseWeights({64, 1, 4, 4}, 1), CaseBias(64, 2)},
           {{O2M_S16, {1, 64, 7, 7}, 0.0004f, 0, {}, tokens}}, four);
  list.Add("s8 tokens, channels first", {image28, CaseWeights({64, 1, 4, 4}, 3), CaseBias(64, 4)},
           {{O2M_S8, {1, 64, 7, 7}, 0.03f, -7}}, four);
  list.Add("8x8 colour in pieces of 4x4",
           {{O2M_U8, {1, 3, 32, 24}, 0.01f, 128}, CaseWeights({10, 3, 8, 8}, 5), CaseBias(10, 6)},
           {{O2M_S8, {1, 10, 4, 3}, 0.06f, 5, {}, {120, 1, 30, 10}}}, Params{8, 8, 4, 4, 0, {}});
  list.Add("the same in pieces of 3x5",
           {{O2M_U8, {1, 3, 32, 24}, 0.01f, 128}, CaseWeights({10, 3, 8, 8}, 5), CaseBias(10, 6)},
           {{O2M_S8, {1, 10, 4, 3}, 0.06f, 5, {}, {120, 1, 30, 10}}}, Params{8, 8, 3, 5, 0, {}});
  list.Add(
      "16x16 colour, image channels last",
      {{O2M_S8, {1, 3, 48, 32}, 0.02f, -128, {}, {4608, 1, 96, 3}}, CaseWeights({13, 3, 16, 16}, 7), CaseBias(13, 8)},
      {{O2M_S8, {1, 13, 3, 2}, 0.2f, -128}}, Params{16, 16, 0, 0, 0, {}});
  list.Add("rest of the image unused",
           {{O2M_S8, {1, 2, 17, 19}, 0.02f, 127}, CaseWeights({5, 2, 3, 5}, 9), CaseBias(5, 10)},
           {{O2M_S8, {1, 5, 5, 3}, 0.05f, 127}}, Params{3, 5, 0, 0, 0, {}});
  list.Add("stride above the kernel",
           {{O2M_S8, {1, 2, 20, 20}, 0.02f, 0}, CaseWeights({6, 2, 4, 4}, 11), CaseBias(6, 12)},
           {{O2M_S8, {1, 6, 3, 3}, 0.04f, 0}}, Params{8, 8, 0, 0, 0, {}});
  list.Add("one row of patches", {{O2M_S8, {1, 3, 1, 40}, 0.02f, 3}, CaseWeights({6, 3, 1, 5}, 13), CaseBias(6, 14)},
           {{O2M_S16, {1, 6, 1, 8}, 0.0003f, -100}}, Params{1, 5, 0, 0, 0, {}});
  list.Add("bench_28x28x1_to_64", {image28, CaseWeights({64, 1, 4, 4}, 1), CaseBias(64, 2)},
           {{O2M_S8, {1, 64, 7, 7}, 0.03f, 0, {}, tokens}}, four);
  list.Add("bench_32x224x3_to_192",  // two rows of the patches of an image of 224x224
           {{O2M_U8, {1, 3, 32, 224}, 0.01f, 128}, CaseWeights({192, 3, 16, 16}, 1), CaseBias(192, 2)},
           {{O2M_S8, {1, 192, 2, 14}, 0.1f, 0, {}, {5376, 1, 2688, 192}}}, Params{16, 16, 0, 0, 0, {}});
}

}  // namespace

O2M_PLUGIN("patch_embed", "1.0", PatchEmbed)
