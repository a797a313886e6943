// The runs that an experiment consists of: every stage at every combination of the axes that it depends on.
#pragma once

#include "evaluation/experiment/experiment.h"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// One run of one command.
struct ExperimentCell {
  std::string stage, command;
  std::vector<std::pair<std::string, std::string>> axes;  ///< its values, in the order of the file's axes
  std::vector<ConfigEntry> settings;                      ///< axes put in; `{#7}` stands for the folder of cell 7
  std::vector<std::size_t> needs;                         ///< earlier cells, ascending, each once

  /// "fit nfe=5 seed=1".
  [[nodiscard]] std::string label() const;
};

/// All cells, each after those that it needs. A stage runs over the axes that its settings and `axes` name, and those
/// that step together with them. Of a needed stage it takes the cells that agree on the axes of both: where these are
/// several, `{stage}` stands in a list, and gives an element for each. Throws UsageError where it stands elsewhere.
[[nodiscard]] std::vector<ExperimentCell> experiment_cells(const Experiment& experiment);

/// The settings with `folder_of(i)` in place of each `{#i}`.
[[nodiscard]] std::vector<ConfigEntry> settings_with_folders(const ExperimentCell& cell,
                                                             const std::function<std::string(std::size_t)>& folder_of);

}  // namespace stride
