#include "evaluation/experiment/cells.h"

#include "framework/error.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace stride {
namespace {

// Axes that step together, or one by itself.
struct Group {
  std::vector<const ExperimentAxis*> axes;
  [[nodiscard]] std::size_t size() const { return axes.front()->values.size(); }
};

// Which value of each group: groups that the cell does not depend on are not there.
using Place = std::map<std::size_t, std::size_t>;

struct Placed {
  std::size_t cell;
  Place place;
};

std::vector<Group> groups_of(const Experiment& in) {
  std::vector<Group> out;
  std::set<std::string> taken;
  for (const ExperimentAxis& axis : in.axes) {
    if (taken.contains(axis.name)) continue;
    Group group{{&axis}};
    for (const auto& list : in.zip) {
      if (std::find(list.begin(), list.end(), axis.name) == list.end()) continue;
      group.axes.clear();
      for (const ExperimentAxis& each : in.axes)
        if (std::find(list.begin(), list.end(), each.name) != list.end()) group.axes.push_back(&each);
    }
    for (const ExperimentAxis* each : group.axes) taken.insert(each->name);
    out.push_back(std::move(group));
  }
  return out;
}

std::set<std::string> named_in(const ExperimentStage& stage) {
  std::set<std::string> out(stage.axes.begin(), stage.axes.end());
  for (const ConfigEntry& entry : stage.settings) {
    for (const ConfigValue& value : entry.values) {
      for (const std::string& name : names_in_braces(value.text)) out.insert(name);
    }
  }
  return out;
}

// Every combination of values of the groups, the last one fastest.
std::vector<Place> places_of(const std::vector<Group>& groups, const std::vector<std::size_t>& used) {
  std::vector<Place> out = {{}};
  for (const std::size_t group : used) {
    std::vector<Place> next;
    for (const Place& place : out) {
      for (std::size_t value = 0; value < groups[group].size(); ++value) {
        next.push_back(place);
        next.back()[group] = value;
      }
    }
    out = std::move(next);
  }
  return out;
}

bool agree(const Place& a, const Place& b) {
  return std::all_of(a.begin(), a.end(), [&](const auto& at) {
    const auto found = b.find(at.first);
    return found == b.end() || found->second == at.second;
  });
}

class Expansion final {
 public:
  explicit Expansion(const Experiment& in) : in_(in), groups_(groups_of(in)) {}

  std::vector<ExperimentCell> cells() {
    for (const ExperimentStage& stage : in_.stages) add(stage);
    return std::move(out_);
  }

 private:
  void add(const ExperimentStage& stage) {
    const std::set<std::string> named = named_in(stage);
    std::vector<std::size_t> used;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const auto& axes = groups_[i].axes;
      if (std::any_of(axes.begin(), axes.end(), [&](const auto* axis) { return named.contains(axis->name); }))
        used.push_back(i);
    }
    for (const Place& place : places_of(groups_, used)) add(stage, place);
  }

  void add(const ExperimentStage& stage, const Place& place) {
    ExperimentCell cell{stage.name, stage.command, {}, {}, {}};
    std::map<std::string, std::string> values;
    for (const auto& [group, value] : place)
      for (const ExperimentAxis* axis : groups_[group].axes) values[axis->name] = axis->values[value];
    for (const ExperimentAxis& axis : in_.axes)
      if (const auto found = values.find(axis.name); found != values.end()) cell.axes.emplace_back(*found);
    std::map<std::string, std::vector<std::size_t>> needed;
    for (const std::string& need : stage.needs) {
      for (const Placed& other : stages_[need])
        if (agree(place, other.place)) needed[need].push_back(other.cell);
      cell.needs.insert(cell.needs.end(), needed[need].begin(), needed[need].end());
    }
    std::sort(cell.needs.begin(), cell.needs.end());
    cell.needs.erase(std::unique(cell.needs.begin(), cell.needs.end()), cell.needs.end());
    for (const ConfigEntry& entry : stage.settings) cell.settings.push_back(settled(stage, entry, values, needed));
    stages_[stage.name].push_back({out_.size(), place});
    out_.push_back(std::move(cell));
  }

  ConfigEntry settled(const ExperimentStage& stage, const ConfigEntry& entry,
                      const std::map<std::string, std::string>& values,
                      const std::map<std::string, std::vector<std::size_t>>& needed) const {
    ConfigEntry out{entry.key, {}, entry.array};
    for (const ConfigValue& value : entry.values) {
      if (value.kind != ValueKind::text) {
        out.values.push_back(value);
        continue;
      }
      std::optional<std::string> several;  // the one need of which there are several cells
      for (const std::string& name : names_in_braces(value.text)) {
        const auto found = needed.find(name);
        if (found != needed.end() && found->second.size() != 1) several = name;
      }
      if (several && !entry.array)
        throw UsageError(
            fmt::format("{}: stage {}: {} is one value, and there are {} runs of {} for it; name what tells them apart "
                        "in `axes`, or "
                        "write a list",
                        in_.where, stage.name, entry.key, needed.at(*several).size(), *several));
      const std::size_t count = several ? needed.at(*several).size() : 1;
      for (std::size_t i = 0; i < count; ++i) {
        const std::string text = with_values(value.text, [&](const std::string& name) {
          if (const auto axis = values.find(name); axis != values.end()) return axis->second;
          const std::vector<std::size_t>& runs = needed.at(name);
          return fmt::format("{{#{}}}", runs[several == name ? i : 0]);
        });
        // A word that is all name takes the type that the setting has.
        const bool whole = value.text.starts_with('{') && value.text.find('}') + 1 == value.text.size();
        out.values.push_back({whole ? std::nullopt : value.kind, text});
      }
    }
    return out;
  }

  const Experiment& in_;
  std::vector<Group> groups_;
  std::vector<ExperimentCell> out_;
  std::map<std::string, std::vector<Placed>> stages_;
};

}  // namespace

std::string ExperimentCell::label() const {
  std::string out = stage;
  for (const auto& [name, value] : axes) out += fmt::format(" {}={}", name, value);
  return out;
}

std::vector<ExperimentCell> experiment_cells(const Experiment& experiment) { return Expansion(experiment).cells(); }

std::vector<ConfigEntry> settings_with_folders(const ExperimentCell& cell,
                                               const std::function<std::string(std::size_t)>& folder_of) {
  std::vector<ConfigEntry> out = cell.settings;
  for (ConfigEntry& entry : out) {
    for (ConfigValue& value : entry.values) {
      if (value.text.find("{#") == std::string::npos) continue;
      value.text = with_values(value.text, [&](const std::string& name) {
        if (!name.starts_with('#')) return fmt::format("{{{}}}", name);
        return folder_of(static_cast<std::size_t>(std::stoull(name.substr(1))));
      });
    }
  }
  return out;
}

}  // namespace stride
