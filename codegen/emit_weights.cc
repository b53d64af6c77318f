// emit_weights.cc - NAME_weights.c: every array that ops derived from the model's constants, 16 values a line.
#include <cstring>

#include "absl/strings/str_cat.h"
#include "codegen/emit.h"
#include "codegen/printer.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

constexpr size_t kValuesPerLine = 16;

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

std::vector<GeneratedFile> EmitWeights(const ProgramText &program, const Compilation &compilation,
                                       const CompileOptions &options) {
  if (program.weights.empty()) return {};
  const std::string name = compilation.graph.name + "_weights";
  std::string declarations, arrays;
  int64_t bytes = 0;
  for (const WeightArray &array : program.weights) {
    absl::StrAppend(&declarations, "extern ", Declarator(array), ";\n");
    absl::StrAppend(&arrays, "\n", Comment("ONNX: " + array.comment),
                    ArrayText(Declarator(array), array.dtype, array.data));
    bytes += static_cast<int64_t>(array.data.size());
  }
  const std::string header = Fill(R"(#ifndef $NAME$_H_
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
  const std::string source = absl::StrCat(Comment(Grouped(bytes) + " bytes of constants, read in place"), "#include \"",
                                          name, ".h\"\n\n// clang-format off\n", arrays);
  return {{name + ".h", Banner(compilation, options, name + ".h") + header},
          {name + ".c", Banner(compilation, options, name + ".c") + source, bytes}};
}

}  // namespace onnx2mcu
