// emit_groups.cc - which stages form a function of NAME.c: one per block of the network, or per part of one.
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "codegen/emit.h"

namespace onnx2mcu {
namespace {

// The one value of `field` over all nodes of a stage; "" where they differ.
std::string Common(const ProgramText &program, const Stage &stage, std::string NodeLabel::*field) {
  const std::string &first = program.labels[stage.nodes[0]].*field;
  for (const NodeId id : stage.nodes) {
    if (program.labels[id].*field != first) return "";
  }
  return first;
}

// A stage that reaches over several blocks belongs to the one with most of its nodes, the later one on a tie.
std::string BlockOf(const ProgramText &program, const Stage &stage) {
  std::map<std::string, int> nodes;
  std::string most;
  for (const NodeId id : stage.nodes) {
    const std::string &block = program.labels[id].block;
    if (++nodes[block] >= nodes[most]) most = block;
  }
  return most;
}

// Cuts a run of stages of one block by part ("attn", "mlp") if no stage mixes parts and each part is one run.
std::vector<Group> CutByPart(const ProgramText &program, const Group &block) {
  const std::vector<Stage> &stages = program.plan->stages;
  std::vector<Group> parts;
  for (int s = block.begin; s < block.end; s++) {
    const std::string part = Common(program, stages[s], &NodeLabel::part);
    if (part.empty()) return {block};
    if (parts.empty() || parts.back().name != part) parts.push_back({part, s, s});
    parts.back().end = s + 1;
  }
  std::set<std::string> seen;
  for (Group &group : parts) {
    if (!seen.insert(group.name).second) return {block};
    group.name = absl::StrCat(block.name, "_", group.name);
  }
  return parts;
}

// The loop that reads the input is a function of its own where rows may be pushed into it.
std::vector<Group> CutAtStream(const ProgramText &program, const Group &group) {
  if (program.stream == nullptr || !program.stream->possible()) return {group};
  const int loop = program.stream->stage;
  if (loop < group.begin || loop >= group.end) return {group};
  const bool more = group.end > loop + 1;
  std::vector<Group> parts = {{more ? group.name + "_rows" : group.name, loop, loop + 1}};
  if (group.begin < loop) parts.insert(parts.begin(), {group.name + "_begin", group.begin, loop});
  if (more) parts.push_back({group.name, loop + 1, group.end});
  return parts;
}

}  // namespace

std::vector<Group> GroupStages(ProgramText &program) {
  const std::vector<Stage> &stages = program.plan->stages;
  std::vector<Group> blocks, groups;
  for (int s = 0; s < static_cast<int>(stages.size()); s++) {
    const std::string block = BlockOf(program, stages[s]);
    if (block.empty() || blocks.empty() || blocks.back().name != block) {
      blocks.push_back({block.empty() ? absl::StrCat("stage", s) : block, s, s});
    }
    blocks.back().end = s + 1;
  }
  for (const Group &block : blocks) {
    for (const Group &part : CutByPart(program, block)) {
      for (Group &group : CutAtStream(program, part)) {
        group.name = program.names.Unique(CIdentifier(group.name));
        groups.push_back(group);
      }
    }
  }
  return groups;
}

}  // namespace onnx2mcu
