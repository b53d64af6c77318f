// From YAML to a Space: what every key may hold, and what is wrong with a file, line by line.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "importer/data/files.h"
#include "importer/ir/text.h"
#include "nas/space.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kMostValues = 1000, kMostDepth = 100;

// One quantity of a network: its ends, and how it may be given.
struct Key {
  const char *name;
  double least, most;
  bool whole;       // an integer
  bool varies;      // several values may be given
  bool per_block;   // also block by block
  const char *why;  // what is to be written where it is missing; null: it may be left out
};
constexpr Key kKeys[] = {
    {"image", 1, 4096, true, true, false, "the side of the image in pixels, such as 28"},
    {"channels", 1, 256, true, false, false, "1 or 3"},
    {"classes", 1, 100000, true, false, false, "the number of classes, such as 10"},
    {"patch", 1, 4096, true, true, false, "the side of a patch in pixels, such as 4"},
    {"dim", 1, 16384, true, true, false, "the embedding dimension, such as {from: 32, to: 80, step: 16}"},
    {"depth", 1, kMostDepth, true, true, false, "the number of blocks, such as [2, 3, 4]"},
    {"heads", 1, 256, true, true, true, "such as [2, 4]"},
    {"head_dim", 1, 4096, true, true, true, nullptr},
    {"mlp_ratio", 1e-3, 64, false, true, true, "such as [1, 2, 3]"},
    {"rank_ratio", 1e-3, 1, false, true, true, nullptr},
};
constexpr const char *kWords[] = {"name", "pool", "rank_layers", "per_block"};

const Key *FindKey(const std::string &name) {
  const auto *key = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key &k) { return name == k.name; });
  return key == std::end(kKeys) ? nullptr : key;
}

std::string Text(double value) { return absl::StrFormat("%.10g", value); }
std::string Text(const std::vector<double> &values) {
  return absl::StrJoin(values, ", ", [](std::string *out, double value) { out->append(Text(value)); });
}

struct SpaceReader {
  std::string file;
  std::map<std::string, std::vector<double>> values;  // by key
  std::map<std::string, int> lines;                   // by key and word
  std::set<std::string> by_block;                     // keys that stand under per_block
  Space space;
};

absl::Status Wrong(const SpaceReader &r, const YAML::Node &node, const std::string &what) {
  return absl::InvalidArgumentError(absl::StrCat(r.file, ":", std::max(node.Mark().line, 0) + 1, ": ", what));
}
absl::Status Wrong(const SpaceReader &r, const std::string &key, const std::string &what) {
  const auto line = r.lines.find(key);
  return absl::InvalidArgumentError(absl::StrCat(r.file, ":", line == r.lines.end() ? 1 : line->second, ": ", what));
}

// The decimal that is meant: steps of 0.1 do not add up in binary.
double Rounded(double value) { return std::round(value * 1e9) / 1e9; }

absl::StatusOr<double> ReadNumber(const SpaceReader &r, const std::string &name, const YAML::Node &node) {
  double value = 0;
  if (!node.IsScalar() || !YAML::convert<double>::decode(node, value) || !std::isfinite(value))
    return Wrong(r, node,
                 absl::StrCat(name, ": ", node.IsScalar() ? absl::StrCat("'", node.Scalar(), "'") : "this",
                              " is no number; write one, a list of them, or {from: 1, to: 3, step: 0.5}"));
  return value;
}

absl::StatusOr<std::vector<double>> ReadRange(const SpaceReader &r, const std::string &name, const YAML::Node &node) {
  double ends[3] = {};
  constexpr const char *kParts[] = {"from", "to", "step"};
  for (const auto &entry : node)
    if (std::find(std::begin(kParts), std::end(kParts), entry.first.Scalar()) == std::end(kParts))
      return Wrong(
          r, entry.first,
          absl::StrCat(name, ": unknown key '", entry.first.Scalar(), "'; a range has the keys from, to and step"));
  for (int i = 0; i < 3; i++) {
    if (!node[kParts[i]]) return Wrong(r, node, absl::StrCat(name, ": a range needs from, to and step"));
    O2M_ASSIGN_OR_RETURN(ends[i], ReadNumber(r, name, node[kParts[i]]));
  }
  const auto [from, to, step] = ends;
  if (!(step > 0))
    return Wrong(r, node, absl::StrCat(name, ": a step of ", Text(step), " leads nowhere; it is above 0"));
  if (to < from)
    return Wrong(r, node,
                 absl::StrCat(name, ": the range from ", Text(from), " to ", Text(to), " is empty; swap the two"));
  const double steps = (to - from) / step;
  if (steps >= kMostValues)
    return Wrong(r, node, absl::StrCat(name, ": more than ", kMostValues, " values; take larger steps"));
  const double last = Rounded(from + std::floor(steps + 1e-9) * step);
  if (last < Rounded(to))
    return Wrong(r, node,
                 absl::StrCat(name, ": steps of ", Text(step), " from ", Text(from), " do not meet ", Text(to),
                              "; they meet ", Text(last), " and ", Text(Rounded(last + step))));
  std::vector<double> values;
  for (int64_t i = 0; i <= std::llround(steps); i++) values.push_back(Rounded(from + static_cast<double>(i) * step));
  return values;
}

absl::Status CheckValues(const SpaceReader &r, const Key &key, const YAML::Node &node,
                         const std::vector<double> &values) {
  if (values.empty())
    return Wrong(r, node, absl::StrCat(key.name, ": an empty list leaves no network; give a value at least"));
  if (values.size() > 1 && !key.varies)
    return Wrong(r, node, absl::StrCat(key.name, ": does not vary within a space; give one value"));
  for (size_t i = 0; i < values.size(); i++) {
    if (values[i] < key.least || values[i] > key.most || (key.whole && values[i] != std::floor(values[i])))
      return Wrong(
          r, node,
          absl::StrCat(key.name, ": ", Text(values[i]), " is not possible; ", key.whole ? "integers" : "numbers",
                       " from ", Text(key.least), " to ", Text(key.most), " are"));
    if (i > 0 && values[i] == values[i - 1])
      return Wrong(r, node, absl::StrCat(key.name, ": ", Text(values[i]), " stands there twice; once is enough"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> ReadValues(const SpaceReader &r, const Key &key, const YAML::Node &node) {
  std::vector<double> values;
  if (node.IsMap()) {
    O2M_ASSIGN_OR_RETURN(values, ReadRange(r, key.name, node));
  } else if (node.IsSequence()) {
    for (const YAML::Node &item : node) {
      O2M_ASSIGN_OR_RETURN(const double value, ReadNumber(r, key.name, item));
      values.push_back(value);
    }
  } else {
    O2M_ASSIGN_OR_RETURN(const double value, ReadNumber(r, key.name, node));
    values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  O2M_RETURN_IF_ERROR(CheckValues(r, key, node, values));
  return values;
}

absl::Status UnknownKey(const SpaceReader &r, const YAML::Node &node, bool per_block) {
  std::vector<std::string> names;
  for (const Key &key : kKeys)
    if (key.per_block || !per_block) names.emplace_back(key.name);
  if (!per_block) names.insert(names.end(), std::begin(kWords), std::end(kWords));
  const std::string name = node.Scalar(), where = per_block ? "per_block: " : "";
  if (per_block && FindKey(name))
    return Wrong(r, node,
                 absl::StrCat(where, name, " is one for all blocks; ", absl::StrJoin(names, ", "), " may differ"));
  return Wrong(r, node,
               absl::StrCat(where, "unknown key '", name, "'; did you mean '", Nearest(name, names), "'? There are ",
                            absl::StrJoin(names, ", ")));
}

absl::Status Add(SpaceReader &r, const Key &key, const YAML::Node &name, const YAML::Node &node, bool per_block) {
  if (r.values.count(key.name))
    return Wrong(r, name, absl::StrCat(key.name, ": stands there twice, first in line ", r.lines[key.name]));
  r.lines[key.name] = name.Mark().line + 1;
  O2M_ASSIGN_OR_RETURN(r.values[key.name], ReadValues(r, key, node));
  if (per_block) r.by_block.insert(key.name);
  return absl::OkStatus();
}

absl::Status ReadPerBlock(SpaceReader &r, const YAML::Node &node) {
  if (!node.IsMap())
    return Wrong(r, node, "per_block: holds keys with values for each block, such as heads: [2, 4] in a line below");
  for (const auto &entry : node) {
    const Key *key = entry.first.IsScalar() ? FindKey(entry.first.Scalar()) : nullptr;
    if (!key || !key->per_block) return UnknownKey(r, entry.first, true);
    O2M_RETURN_IF_ERROR(Add(r, *key, entry.first, entry.second, true));
  }
  return absl::OkStatus();
}

absl::Status ReadRankLayers(SpaceReader &r, const YAML::Node &node) {
  RankLayers &layers = r.space.rank_layers;
  const std::map<std::string, bool *> names = {
      {"qkv", &layers.qkv}, {"proj", &layers.proj}, {"fc1", &layers.fc1}, {"fc2", &layers.fc2}};
  for (const auto &[name, flag] : names) *flag = false;
  for (const YAML::Node &item : node) {
    const auto found = item.IsScalar() ? names.find(item.Scalar()) : names.end();
    if (found == names.end()) return Wrong(r, item, "rank_layers: is a list of qkv, proj, fc1 and fc2");
    *found->second = true;
  }
  if (node.IsSequence()) return absl::OkStatus();
  return Wrong(r, node, "rank_layers: is a list, such as [fc1, fc2]");
}

absl::Status ReadWord(SpaceReader &r, const std::string &word, const YAML::Node &node) {
  if (word == "per_block") return ReadPerBlock(r, node);
  if (word == "rank_layers") return ReadRankLayers(r, node);
  if (!node.IsScalar()) return Wrong(r, node, absl::StrCat(word, ": one word is needed"));
  if (word == "name") return r.space.name = node.Scalar(), absl::OkStatus();
  if (node.Scalar() == "class_token") return r.space.base.pool = Pool::kClassToken, absl::OkStatus();
  if (node.Scalar() == "mean") return r.space.base.pool = Pool::kMean, absl::OkStatus();
  return Wrong(r, node, absl::StrCat("pool: '", node.Scalar(), "' is unknown; class_token and mean work"));
}

absl::Status ReadRoot(SpaceReader &r, const YAML::Node &root) {
  if (!root.IsMap())
    return Wrong(r, root, "no search space: keys with values are needed, such as dim: [32, 48]; see docs/nas.md");
  for (const auto &entry : root) {
    if (!entry.first.IsScalar()) return Wrong(r, entry.first, "a key is one word, such as dim");
    const std::string &name = entry.first.Scalar();
    const Key *key = FindKey(name);
    if (key) {
      O2M_RETURN_IF_ERROR(Add(r, *key, entry.first, entry.second, false));
      continue;
    }
    if (std::find(std::begin(kWords), std::end(kWords), name) == std::end(kWords))
      return UnknownKey(r, entry.first, false);
    if (!r.lines.try_emplace(name, entry.first.Mark().line + 1).second)
      return Wrong(r, entry.first, absl::StrCat(name, ": stands there twice, first in line ", r.lines[name]));
    O2M_RETURN_IF_ERROR(ReadWord(r, name, entry.second));
  }
  for (const Key &key : kKeys)
    if (key.why && !r.values.count(key.name))
      return Wrong(r, "", absl::StrCat("'", key.name, "' is missing; give ", key.why));
  return absl::OkStatus();
}

std::string Divisors(double whole) {
  std::vector<double> all;
  for (double d = 1; d <= whole; d++)
    if (std::fmod(whole, d) == 0) all.push_back(d);
  return Text(all);
}

// Every image is a whole number of patches, and, where head_dim is not given, every dim of heads.
absl::Status CheckDivisible(SpaceReader &r) {
  for (const double image : r.values["image"])
    for (const double patch : r.values["patch"])
      if (std::fmod(image, patch) != 0)
        return Wrong(r, "patch",
                     absl::StrCat("patch: an image of ", Text(image), " is no multiple of ", Text(patch),
                                  "; patches of ", Divisors(image), " fit"));
  if (r.values.count("head_dim")) return absl::OkStatus();
  for (const double dim : r.values["dim"])
    for (const double heads : r.values["heads"])
      if (std::fmod(dim, heads) != 0)
        return Wrong(r, "heads",
                     absl::StrCat("heads: a dim of ", Text(dim), " does not split into ", Text(heads),
                                  " heads; give head_dim, or heads that divide it: ", Divisors(dim)));
  return absl::OkStatus();
}

// Those of the network first, so that depth precedes what it makes dead.
void AddGenes(SpaceReader &r) {
  Space &space = r.space;
  const auto add = [&](const std::string &name, const std::vector<double> &values) {
    (values.size() > 1 ? space.genes : space.constants).push_back({name, values});
  };
  for (const Key &key : kKeys)
    if (key.varies && r.values.count(key.name) && !r.by_block.count(key.name)) add(key.name, r.values[key.name]);
  for (size_t i = 0; i < space.base.blocks.size(); i++)
    for (const Key &key : kKeys)
      if (r.by_block.count(key.name)) add(absl::StrCat("blocks[", i, "].", key.name), r.values[key.name]);
}

void Finish(SpaceReader &r) {
  VitConfig &base = r.space.base;
  base.channels = std::llround(r.values["channels"][0]), base.classes = std::llround(r.values["classes"][0]);
  base.blocks.resize(std::llround(r.values["depth"].back()));
  AddGenes(r);
  Genes last;
  for (const Gene &gene : r.space.genes) last.push_back(static_cast<int32_t>(gene.values.size()) - 1);
  base = ConfigOf(r.space, last);
  for (BlockConfig &block : base.blocks) block.ranks = {};
}

std::string StemOf(const std::string &path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return name.substr(0, name.find_last_of('.'));
}

}  // namespace

absl::StatusOr<Space> ReadSpace(const std::string &path) {
  O2M_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(path));
  SpaceReader r;
  r.file = path, r.space.name = StemOf(path);
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception &error) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", error.mark.line + 1, ": no YAML: ", error.msg, "; see docs/nas.md for an example"));
  }
  O2M_RETURN_IF_ERROR(ReadRoot(r, root));
  O2M_RETURN_IF_ERROR(CheckDivisible(r));
  Finish(r);
  return std::move(r.space);
}

}  // namespace onnx2mcu
