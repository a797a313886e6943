// Runs an experiment's cells: each as a process of its own in a folder of its own, none twice.
#pragma once

#include "apps/cli/exit_code.h"
#include "apps/cli/log.h"
#include "apps/experiment/planned_cell.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stride {

enum class CellState {
  waiting,    ///< for cells that it needs
  ready,      ///< to be run
  running,    ///< in a process of this runner
  elsewhere,  ///< another process has its folder
  done,
  failed,
  left_out  ///< needs one that failed
};

[[nodiscard]] const char* to_string(CellState state) noexcept;

struct RunnerSettings {
  std::string program;  ///< the command itself
  int64_t jobs = 1;
  int64_t shard = 0, shards = 1;  ///< this runner begins the cells i with i % shards == shard, and waits for others
};

struct CellReport {
  std::vector<CellState> states;  ///< of each cell
  std::vector<int> exit_codes;    ///< of those that ended here or before; −1: none
  int64_t ran = 0;                ///< in this call
  bool stopped = false;           ///< by a signal: cells in flight have saved what they could
};

/// Done are cells whose folder has a DONE, with exit code 0 or 4 (a sample that did not end well). A folder that was
/// left half-way is gone on with. A failed one is tried again by the next call. Cells of one key are run once.
[[nodiscard]] CellReport run_cells(const std::vector<PlannedCell>& cells, const RunnerSettings& settings, Logger& log);

/// What is so before anything runs.
[[nodiscard]] std::vector<CellState> cell_states(const std::vector<PlannedCell>& cells);

}  // namespace stride
