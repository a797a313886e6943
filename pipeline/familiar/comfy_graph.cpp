#include "pipeline/familiar/comfy_graph.h"

#include "framework/error.h"
#include "framework/files/printable.h"
#include "framework/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace stride {
namespace {

using nlohmann::json;

constexpr std::size_t kMostNodes = 10'000;
constexpr std::size_t kMostName = 200;

std::string shown(const std::string& text) {
  return printable(text.size() > kMostName ? text.substr(0, kMostName) : text, Lines::escaped);
}

ComfyInput input_of(const json& value) {
  if (value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_number_integer())
    return {ComfyLink{value[0].get<std::string>(), value[1].get<int64_t>()}, {}};
  if (value.is_string()) return {{}, value.get<std::string>()};
  if (value.is_boolean()) return {{}, value.get<bool>() ? "true" : "false"};
  if (value.is_number()) return {{}, value.dump()};
  return {};  // what is no plain value is nobody's here
}

// Nodes that hold one value and do nothing.
bool holds_value(const ComfyNode& node) {
  static const std::set<std::string> types = {"PrimitiveInt",    "PrimitiveFloat",          "PrimitiveBoolean",
                                              "PrimitiveString", "PrimitiveNode",           "INTConstant",
                                              "FloatConstant",   "PrimitiveStringMultiline"};
  return types.contains(node.type) && node.inputs.contains("value") && !node.inputs.at("value").link;
}

}  // namespace

std::string ComfyNode::name() const { return fmt::format("node {} ({})", shown(id), shown(type)); }

ComfyGraph::ComfyGraph(const json& workflow, std::string where) : where_(std::move(where)) {
  if (workflow.size() > kMostNodes)
    throw UsageError(
        fmt::format("{}: {} nodes are more than the {} that a workflow may have", where_, workflow.size(), kMostNodes));
  for (const auto& [id, value] : workflow.items()) {
    const bool node = value.is_object() && value.contains("class_type") && value["class_type"].is_string();
    const auto inputs = node ? value.find("inputs") : value.end();
    if (!node || (inputs != value.end() && !inputs->is_object()))
      throw UsageError(fmt::format("{}: {} is no node: a node has a class_type and inputs", where_, shown(id)));
    ComfyNode out{id, value["class_type"].get<std::string>()};
    if (inputs != value.end())
      for (const auto& [key, input] : inputs->items()) out.inputs.emplace(key, input_of(input));
    nodes_.emplace(id, std::move(out));
  }
}

void ComfyGraph::refuse(const ComfyNode& node, const std::string& input, const std::string& why) const {
  throw UsageError(fmt::format("{}: {}{}{}: {}", where_, node.name(), input.empty() ? "" : ": ", shown(input),
                               printable(why, Lines::escaped)));
}

const ComfyNode* ComfyGraph::from(const ComfyNode& node, const std::string& input) const {
  const auto found = node.inputs.find(input);
  if (found == node.inputs.end() || !found->second.link) return nullptr;
  const auto source = nodes_.find(found->second.link->node);
  if (source == nodes_.end())
    refuse(node, input, fmt::format("comes from node {}, which is not in the file", shown(found->second.link->node)));
  return &source->second;
}

const ComfyNode& ComfyGraph::need(const ComfyNode& node, const std::string& input) const {
  const ComfyNode* source = from(node, input);
  if (source == nullptr) refuse(node, input, "has no node behind it");
  return *source;
}

std::string ComfyGraph::text(const ComfyNode& node, const std::string& input, const std::string& otherwise) const {
  const ComfyNode* source = from(node, input);
  if (source != nullptr && !holds_value(*source))
    refuse(node, input, fmt::format("is computed by {}; write the value itself", source->name()));
  const auto found = node.inputs.find(input);
  if (found == node.inputs.end()) return otherwise;
  return source != nullptr ? source->inputs.at("value").text : found->second.text;
}

double ComfyGraph::number(const ComfyNode& node, const std::string& input, double otherwise, double low,
                          double high) const {
  const std::string value = text(node, input, fmt::format("{}", otherwise));
  double out = 0.0;
  try {
    out = parse_number(value, input);
  } catch (const UsageError&) {
    refuse(node, input, fmt::format("must be a number, not '{}'", shown(value)));
  }
  if (!(out >= low && out <= high)) refuse(node, input, fmt::format("must lie in {} ... {}, not {}", low, high, value));
  return out;
}

int64_t ComfyGraph::integer(const ComfyNode& node, const std::string& input, int64_t otherwise, int64_t low,
                            int64_t high) const {
  const double out =
      number(node, input, static_cast<double>(otherwise), static_cast<double>(low), static_cast<double>(high));
  if (out != std::floor(out)) refuse(node, input, fmt::format("must be a whole number, not {}", out));
  return static_cast<int64_t>(out);
}

bool ComfyGraph::flag(const ComfyNode& node, const std::string& input, bool otherwise) const {
  const std::string value = text(node, input, otherwise ? "true" : "false");
  if (value == "true" || value == "enable") return true;
  if (value == "false" || value == "disable") return false;
  refuse(node, input, fmt::format("must be true or false, not '{}'", shown(value)));
}

std::vector<const ComfyNode*> ComfyGraph::upstream(const ComfyNode& node) const {
  std::vector<const ComfyNode*> out{&node};
  std::set<const ComfyNode*> seen{&node};
  for (std::size_t at = 0; at < out.size(); ++at)
    for (const auto& [key, input] : out[at]->inputs)
      if (const ComfyNode* source = from(*out[at], key); source != nullptr && seen.insert(source).second)
        out.push_back(source);
  return out;
}

}  // namespace stride
