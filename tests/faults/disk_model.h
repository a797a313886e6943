// A disk that forgets what was not synced: a recorded series of calls, replayed up to a power cut.
#pragma once

#include "tests/tools/fault_calls.h"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace stride::testing {

/// What of the unsynced survives a power cut. POSIX promises nothing: any of it may.
enum class Survives { nothing, names, some };

/// Names belong to their folder and last once it is synced, contents to their file. A rename is one change of its
/// folder; a folder's changes last in their order.
class DiskModel final {
 public:
  /// `folder` as it is now, all of it durable.
  explicit DiskModel(const std::string& folder);
  void apply(const faults::Call& call);
  /// Makes the folder `to` as it would be found after a power cut.
  void cut(const std::string& to, Survives what, std::mt19937& random) const;

 private:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  struct Change {
    std::string gone, name;  ///< `gone` is taken away, `name` is set (each may be empty)
    NodePtr node;
  };
  struct Node {
    bool folder = false;
    std::string now, durable;                             // of a file
    std::map<std::string, NodePtr> names, durable_names;  // of a folder
    std::vector<Change> pending;
  };
  [[nodiscard]] NodePtr find(const std::string& path) const;
  void change(const std::string& folder, Change change);
  static void make(const NodePtr& node, const std::string& to, Survives what, std::mt19937& random);

  std::string root_;
  NodePtr top_;
  std::map<int, NodePtr> opened_;
};

}  // namespace stride::testing
