#include "tests/faults/disk_model.h"

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace stride::testing {
namespace {

namespace fs = std::filesystem;

}  // namespace

DiskModel::DiskModel(const std::string& folder) : root_(folder), top_(std::make_shared<Node>()) {
  top_->folder = true;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const NodePtr node = std::make_shared<Node>();
    node->folder = entry.is_directory();
    if (!node->folder) {
      std::ostringstream text;
      text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      node->now = node->durable = text.str();
    }
    const NodePtr parent = find(entry.path().parent_path().string());
    parent->names[entry.path().filename()] = parent->durable_names[entry.path().filename()] = node;
  }
}

DiskModel::NodePtr DiskModel::find(const std::string& path) const {
  NodePtr node = top_;
  for (const fs::path& part : fs::path(path).lexically_relative(root_)) {
    if (part == ".") continue;
    const auto found = node->names.find(part.string());
    if (found == node->names.end()) return nullptr;
    node = found->second;
  }
  return node;
}

void DiskModel::change(const std::string& folder, Change change) {
  const NodePtr parent = find(folder);
  if (!parent) return;
  if (!change.gone.empty()) parent->names.erase(change.gone);
  if (!change.name.empty()) parent->names[change.name] = change.node;
  parent->pending.push_back(std::move(change));
}

void DiskModel::apply(const faults::Call& call) {
  const fs::path path(call.path), other(call.other);
  const std::string folder = path.parent_path(), name = path.filename();
  switch (call.kind) {
    case 'c': {
      NodePtr node = find(call.path);
      if (!node) {
        node = std::make_shared<Node>();
        change(folder, {"", name, node});
      }
      if ((call.flags & O_TRUNC) != 0) node->now.clear();
      opened_[call.file] = node;
      break;
    }
    case 'w':
      opened_.at(call.file)->now += call.bytes;
      break;
    case 't':
      opened_.at(call.file)->now.clear();
      break;
    case 's':
      opened_.at(call.file)->durable = opened_.at(call.file)->now;
      break;
    case 'S':
      if (const NodePtr node = find(call.path)) {
        node->durable_names = node->names;
        node->pending.clear();
      }
      break;
    case 'm': {
      const NodePtr node = std::make_shared<Node>();
      node->folder = true;
      change(folder, {"", name, node});
      break;
    }
    case 'u':
      change(folder, {name, "", nullptr});
      break;
    case 'r': {
      const NodePtr node = find(call.path);
      if (other.parent_path() == path.parent_path()) {
        change(folder, {name, other.filename(), node});
      } else {
        change(other.parent_path(), {"", other.filename(), node});
        change(folder, {name, "", nullptr});
      }
      break;
    }
    case 'l':
      change(other.parent_path(), {"", other.filename(), find(call.path)});
      break;
    default:
      break;
  }
}

void DiskModel::make(const NodePtr& node, const std::string& to, Survives what, std::mt19937& random) {
  if (!node->folder) {
    const bool lasts = what == Survives::some && random() % 2 == 0;
    std::ofstream(to, std::ios::binary) << (lasts ? node->now : node->durable);
    return;
  }
  fs::create_directories(to);
  std::map<std::string, NodePtr> names = what == Survives::names ? node->names : node->durable_names;
  if (what == Survives::some) {
    const std::size_t lasting = random() % (node->pending.size() + 1);
    for (std::size_t i = 0; i < lasting; ++i) {
      const Change& change = node->pending[i];
      if (!change.gone.empty()) names.erase(change.gone);
      if (!change.name.empty()) names[change.name] = change.node;
    }
  }
  for (const auto& [name, child] : names) make(child, to + "/" + name, what, random);
}

void DiskModel::cut(const std::string& to, Survives what, std::mt19937& random) const { make(top_, to, what, random); }

}  // namespace stride::testing
