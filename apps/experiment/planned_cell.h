// An experiment's cells as runs: settings checked by the commands' tables, and a key that says what a run is of.
#pragma once

#include "apps/cli/command.h"
#include "evaluation/experiment/cells.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

struct PlannedCell {
  ExperimentCell cell;
  std::string key;     ///< 16 digits of the SHA-256 of the command, its settings, and the files that they name
  std::string folder;  ///< OUT/cells/COMMAND-KEY
  std::string config;  ///< what --config takes
};

/// Two cells of one key are one run; settings that may change between a run and its --resume (device, batch) are not in
/// it, and of another cell's folder its key is. Throws UsageError, naming file and stage, on commands that leave no run
/// folder and on settings that the command's table refuses.
[[nodiscard]] std::vector<PlannedCell> plan_cells(const Experiment& experiment,
                                                  const std::vector<std::unique_ptr<Command>>& commands);

}  // namespace stride
