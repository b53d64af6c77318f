// emit_weights.cc - every array that ops derived from the model's constants: NAME_weights.c, 16 values a line, or a
// binary of their own.
#include <zlib.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "codegen/emit.h"
#include "codegen/printer.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

constexpr size_t kValuesPerLine = 16;
constexpr size_t kMemberAlign = 4;  // bytes: kernels read constants by words

int64_t ValueAt(DType dtype, const std::byte *data) {
  const auto read = [data](auto value) {
    memcpy(&value, data, sizeof(value));
    return static_cast<int64_t>(value);
  };
  switch (DTypeBytes(dtype)) {
    case 8:
      return read(int64_t{});
    case 4:
      return read(int32_t{});
    case 2:
      return read(int16_t{});
    default:
      return dtype == DType::kS8 ? read(int8_t{}) : read(uint8_t{});
  }
}

// The least value of a type has no literal of its own in C.
void AppendValue(int64_t value, DType dtype, std::string *text) {
  if (dtype == DType::kS32 && value == INT32_MIN) {
    absl::StrAppend(text, "-2147483647 - 1");
  } else if (dtype == DType::kS64) {
    absl::StrAppend(text,
                    value == INT64_MIN ? "-INT64_C(9223372036854775807) - 1" : absl::StrCat("INT64_C(", value, ")"));
  } else {
    absl::StrAppend(text, value);
  }
}

std::string Declarator(const WeightArray &array) {
  const auto count = static_cast<int64_t>(array.data.size()) / DTypeBytes(array.dtype);
  return absl::StrCat("const ", CType(array.dtype), " ", array.name, "[", count, "]");
}

}  // namespace

std::string ArrayText(const std::string &head, DType dtype, const std::vector<std::byte> &data) {
  const auto element = static_cast<size_t>(DTypeBytes(dtype));
  const size_t count = data.size() / element;
  std::string text = absl::StrCat(head, " = {\n");
  text.reserve(text.size() + count * 5);
  for (size_t i = 0; i < count; i++) {
    absl::StrAppend(&text, i % kValuesPerLine == 0 ? "    " : " ");
    AppendValue(ValueAt(dtype, data.data() + i * element), dtype, &text);
    absl::StrAppend(&text, i + 1 == count ? "};\n" : i % kValuesPerLine == kValuesPerLine - 1 ? ",\n" : ",");
  }
  return text;
}

namespace {

// Both kinds of header: what is declared, between the guards.
std::string HeaderText(const std::string &name, const std::string &declarations) {
  return Fill(R"(#ifndef $NAME$_H_
#define $NAME$_H_
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

$declarations$
#ifdef __cplusplus
}
#endif
#endif
)",
              {{"NAME", UpperCase(name)}, {"declarations", declarations}});
}

// The members in memory, each on a multiple of 4 bytes, as _Alignas puts them.
std::string BinaryOf(const std::vector<WeightArray> &weights) {
  std::string bytes;
  for (const WeightArray &array : weights) {
    bytes.append(reinterpret_cast<const char *>(array.data.data()), array.data.size());
    bytes.resize((bytes.size() + kMemberAlign - 1) / kMemberAlign * kMemberAlign);
  }
  return bytes;
}

uint32_t Crc32(const std::string &bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef *>(bytes.data()), static_cast<uInt>(bytes.size())));
}

std::string BlockText(const ProgramText &program, const CompileOptions &options, const std::string &binary) {
  std::string members;
  for (const WeightArray &array : program.weights)
    absl::StrAppend(&members, "  _Alignas(", kMemberAlign, ") ", Declarator(array), ";  // ", array.comment, "\n");
  const std::string name = program.graph->name;
  return Fill(R"(#ifndef $NAME$_WEIGHTS_ADDRESS
#define $NAME$_WEIGHTS_ADDRESS 0x$at$u
#endif
#define $NAME$_WEIGHTS_BYTES $bytes$
#define $NAME$_WEIGHTS_CRC32 0x$crc$u
#define $NAME$_WEIGHTS ((const $name$_weights *)$NAME$_WEIGHTS_ADDRESS)

// clang-format off
typedef struct $name$_weights {
$members$} $name$_weights;
// clang-format on
_Static_assert(sizeof($name$_weights) == $NAME$_WEIGHTS_BYTES, "$name$_weights.bin has another layout");
)",
              {{"NAME", UpperCase(name)},
               {"name", name},
               {"at", absl::StrCat(absl::Hex(options.weights_at))},
               {"bytes", absl::StrCat(binary.size())},
               {"crc", absl::StrCat(absl::Hex(Crc32(binary), absl::kZeroPad8))},
               {"members", members}});
}

constexpr char kCheck[] = R"(#include "$name$_weights.h"

#include "$name$.h"

// CRC-32 of IEEE 802.3
int $name$_check_weights(void) {
  const uint8_t *const byte = (const uint8_t *)$NAME$_WEIGHTS_ADDRESS;
  uint32_t crc = 0xffffffffu;
  for (uint32_t i = 0; i < $NAME$_WEIGHTS_BYTES; ++i) {
    crc ^= byte[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  return ~crc == $NAME$_WEIGHTS_CRC32 ? 0 : 1;
}
)";

// One block at a fixed address, written there by whoever flashes the board.
std::vector<GeneratedFile> EmitBinary(const ProgramText &program, const Compilation &compilation,
                                      const CompileOptions &options) {
  const std::string &model = program.graph->name, name = model + "_weights", binary = BinaryOf(program.weights);
  const std::string check = Fill(kCheck, {{"name", model}, {"NAME", UpperCase(model)}});
  return {
      {name + ".h", Banner(compilation, options, name + ".h") + HeaderText(name, BlockText(program, options, binary))},
      {name + ".c", Banner(compilation, options, name + ".c") + check},
      {name + ".bin", binary, static_cast<int64_t>(binary.size())}};
}

}  // namespace

std::vector<GeneratedFile> EmitWeights(const ProgramText &program, const Compilation &compilation,
                                       const CompileOptions &options) {
  if (program.weights.empty()) return {};
  if (options.weights_at > 0) return EmitBinary(program, compilation, options);
  const std::string name = compilation.graph.name + "_weights";
  const std::string &in = options.sections.weights, section = in.empty() ? "" : " " + SectionAttribute(in);
  std::string declarations, arrays;
  int64_t bytes = 0;
  for (const WeightArray &array : program.weights) {
    absl::StrAppend(&declarations, "extern ", Declarator(array), ";\n");
    absl::StrAppend(&arrays, "\n", Comment("ONNX: " + array.comment),
                    ArrayText(Declarator(array) + section, array.dtype, array.data));
    bytes += static_cast<int64_t>(array.data.size());
  }
  const std::string source = absl::StrCat(Comment(Grouped(bytes) + " bytes of constants, read in place"), "#include \"",
                                          name, ".h\"\n\n// clang-format off\n", arrays);
  return {{name + ".h", Banner(compilation, options, name + ".h") + HeaderText(name, declarations)},
          {name + ".c", Banner(compilation, options, name + ".c") + source, bytes}};
}

}  // namespace onnx2mcu
