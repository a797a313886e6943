#include "apps/experiment/cell_runner.h"

#include "apps/cli/interrupt.h"
#include "apps/cli/outputs.h"
#include "apps/experiment/child_process.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "pipeline/run_folder.h"

#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <thread>

#include <fmt/format.h>

namespace stride {
namespace {

using Clock = std::chrono::steady_clock;

// None: not ended.
std::optional<int> ended(const PlannedCell& cell) {
  const auto end = run_end(cell.folder);
  return end ? std::optional(static_cast<int>(end->exit_code)) : std::nullopt;
}

bool counts(int exit_code) {
  return exit_code == static_cast<int>(ExitCode::ok) || exit_code == static_cast<int>(ExitCode::non_finite);
}

class Runner final {
 public:
  Runner(const std::vector<PlannedCell>& cells, const RunnerSettings& settings, Logger& log)
      : cells_(cells), settings_(settings), log_(log), again_(cells.size()) {
    report_.states = cell_states(cells);
    report_.exit_codes.assign(cells.size(), -1);
    for (std::size_t i = 0; i < cells.size(); ++i) first_.try_emplace(cells[i].key, i);
  }

  CellReport run() {
    while (!report_.stopped && step()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (report_.stopped) stop();
    return std::move(report_);
  }

 private:
  // False: nothing is left that could be done.
  bool step() {
    look();
    for (std::size_t i = 0; i < cells_.size() && children_.size() < static_cast<std::size_t>(settings_.jobs); ++i) {
      if (report_.states[i] == CellState::ready && mine(i)) begin(i);
    }
    report_.stopped = interrupted().has_value();
    bool left = !children_.empty();
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const CellState state = report_.states[i];
      left = left || state == CellState::ready || state == CellState::elsewhere || state == CellState::waiting;
    }
    return left;
  }

  // Whether this runner may begin it: the first of equal ones, and of this shard.
  [[nodiscard]] bool mine(std::size_t i) const {
    return first_.at(cells_[i].key) == i && static_cast<int64_t>(i) % settings_.shards == settings_.shard;
  }

  void look() {
    for (auto at = children_.begin(); at != children_.end();) {
      const int code = poll_process(at->second.pid);
      const bool over = code >= 0;
      if (over) finish(at->first, code);
      at = over ? children_.erase(at) : std::next(at);
    }
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      CellState& state = report_.states[i];
      if (state == CellState::running || state == CellState::done || state == CellState::failed) continue;
      // Others may have finished it: another shard, another machine, or the first of equal ones.
      const bool looks = state != CellState::ready || !mine(i);
      if (looks && Clock::now() >= again_[i]) {
        again_[i] = Clock::now() + std::chrono::seconds(1);
        if (const auto code = ended(cells_[i])) {
          report_.exit_codes[i] = *code;
          state = counts(*code) ? CellState::done : CellState::failed;
          continue;
        }
        if (state == CellState::elsewhere) state = CellState::ready;
      }
      if (state == CellState::waiting || state == CellState::left_out) state = of_needs(i);
      const std::size_t first = first_.at(cells_[i].key);
      if (first != i && (report_.states[first] == CellState::failed || report_.states[first] == CellState::left_out))
        state = CellState::left_out;
    }
  }

  [[nodiscard]] CellState of_needs(std::size_t i) const {
    CellState out = CellState::ready;
    for (const std::size_t need : cells_[i].cell.needs) {
      const CellState state = report_.states[need];
      if (state == CellState::failed || state == CellState::left_out) return CellState::left_out;
      if (state != CellState::done) out = CellState::waiting;
    }
    return out;
  }

  void begin(std::size_t i) {
    const PlannedCell& cell = cells_[i];
    const std::string config = cell.folder + ".toml";
    make_folder_of(config);
    write_file_atomic(config, cell.config);
    const auto words = run_words(settings_.program, cell.cell.command, config, cell.folder);
    log_.info(fmt::format("{}: begins ({})", cell.cell.label(), cell.folder));
    children_[i] = {start_process(words, cell.folder + ".log"), Clock::now()};
    report_.states[i] = CellState::running;
  }

  void finish(std::size_t i, int code) {
    const PlannedCell& cell = cells_[i];
    const double seconds = std::chrono::duration<double>(Clock::now() - children_.at(i).begin).count();
    const auto found = ended(cell);
    const int end = found.value_or(code);
    report_.exit_codes[i] = end;
    if (found && counts(*found)) {
      ++report_.ran;
      report_.states[i] = CellState::done;
      const std::string note = *found == 0 ? "" : ", with samples that did not end well";
      log_.info(fmt::format("{}: done in {:.1f} s{}", cell.cell.label(), seconds, note));
    } else if (code == static_cast<int>(ExitCode::locked)) {
      report_.states[i] = CellState::elsewhere;
      again_[i] = Clock::now() + std::chrono::seconds(2);
    } else if (interrupted()) {
      report_.states[i] = CellState::ready;
    } else {
      report_.states[i] = CellState::failed;
      log_.error(
          fmt::format("{}: failed with exit code {}; what it said is in {}.log", cell.cell.label(), end, cell.folder));
    }
  }

  // Every child saves what it has; a second signal to this process ends it, and them.
  void stop() {
    const int signal = interrupted() == ExitCode::terminated ? SIGTERM : SIGINT;
    for (const auto& [i, child] : children_) (void)kill(child.pid, signal);
    while (!children_.empty()) {
      look();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  struct Child {
    pid_t pid;
    Clock::time_point begin;
  };
  const std::vector<PlannedCell>& cells_;
  RunnerSettings settings_;
  Logger& log_;
  CellReport report_;
  std::map<std::string, std::size_t> first_;  // of each key
  std::map<std::size_t, Child> children_;
  std::vector<Clock::time_point> again_;  // when to look at a cell's folder next
};

}  // namespace

const char* to_string(CellState state) noexcept {
  switch (state) {
    case CellState::waiting:
      return "waiting";
    case CellState::ready:
      return "to do";
    case CellState::running:
      return "running";
    case CellState::elsewhere:
      return "elsewhere";
    case CellState::done:
      return "done";
    case CellState::failed:
      return "failed";
    case CellState::left_out:
      return "left out";
  }
  return "";
}

std::vector<CellState> cell_states(const std::vector<PlannedCell>& cells) {
  std::vector<CellState> out;
  for (const PlannedCell& cell : cells) {
    const auto code = ended(cell);
    CellState state = code && counts(*code) ? CellState::done : CellState::ready;
    if (state != CellState::done) {
      for (const std::size_t need : cell.cell.needs)
        if (out[need] != CellState::done) state = CellState::waiting;
    }
    out.push_back(state);
  }
  return out;
}

CellReport run_cells(const std::vector<PlannedCell>& cells, const RunnerSettings& settings, Logger& log) {
  return Runner(cells, settings, log).run();
}

}  // namespace stride
