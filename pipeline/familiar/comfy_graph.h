// ComfyUI's nodes as its API takes them: {"3": {"class_type": "KSampler", "inputs": {"steps": 20, "model": ["4", 0]}}}.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// Where an input comes from: output `output` of node `node`.
struct ComfyLink {
  std::string node;
  int64_t output = 0;
};

struct ComfyInput {
  std::optional<ComfyLink> link = {};
  std::string text = {};  ///< a value that is no link, as text; true and false are words
};

struct ComfyNode {
  std::string id, type;
  std::map<std::string, ComfyInput> inputs = {};
  /// For messages: node 3 (KSampler).
  [[nodiscard]] std::string name() const;
};

class ComfyGraph final {
 public:
  /// Throws UsageError, naming `where`, on more than 10,000 nodes and on nodes that are none.
  ComfyGraph(const nlohmann::json& workflow, std::string where);

  [[nodiscard]] const std::map<std::string, ComfyNode>& nodes() const noexcept { return nodes_; }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }

  /// The node that an input comes from; nullptr: the input is a value, or is not there. Throws UsageError on a link to
  /// a node that is not in the file.
  [[nodiscard]] const ComfyNode* from(const ComfyNode& node, const std::string& input) const;
  /// The same, which must be one.
  [[nodiscard]] const ComfyNode& need(const ComfyNode& node, const std::string& input) const;

  /// An input's value, which may come from a node that holds a value alone (PrimitiveInt, …); `otherwise` where there
  /// is none. Throws UsageError on a value that another kind of node computes, and on one of another type or out of
  /// range.
  [[nodiscard]] std::string text(const ComfyNode& node, const std::string& input, const std::string& otherwise) const;
  [[nodiscard]] double number(const ComfyNode& node, const std::string& input, double otherwise, double low,
                              double high) const;
  [[nodiscard]] int64_t integer(const ComfyNode& node, const std::string& input, int64_t otherwise, int64_t low,
                                int64_t high) const;
  [[nodiscard]] bool flag(const ComfyNode& node, const std::string& input, bool otherwise) const;

  /// Throws UsageError: file, node and key, and why.
  [[noreturn]] void refuse(const ComfyNode& node, const std::string& input, const std::string& why) const;

  /// The nodes upstream of `node`, itself first, each once.
  [[nodiscard]] std::vector<const ComfyNode*> upstream(const ComfyNode& node) const;

 private:
  std::string where_;
  std::map<std::string, ComfyNode> nodes_;
};

}  // namespace stride
