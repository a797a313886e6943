// stride run: an experiment from a file.
#include "apps/cli/outputs.h"
#include "apps/commands/commands.h"
#include "apps/experiment/cell_runner.h"
#include "apps/experiment/child_process.h"
#include "evaluation/experiment/experiment_output.h"
#include "evaluation/text_table.h"
#include "framework/files/file.h"
#include "pipeline/recording.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const std::vector<PlannedCell>& cells, const std::vector<CellState>& states) {
  Json out = Json::array();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    Json axes = Json::object();
    for (const auto& [name, value] : cells[i].cell.axes) axes[name] = value;
    out.push_back({{"stage", cells[i].cell.stage},
                   {"command", cells[i].cell.command},
                   {"axes", axes},
                   {"key", cells[i].key},
                   {"folder", cells[i].folder},
                   {"state", to_string(states[i])}});
  }
  return out;
}

std::string table_of(const std::vector<PlannedCell>& cells, const std::vector<CellState>& states) {
  TextTable table({{"cell"}, {"state"}, {"folder"}});
  for (std::size_t i = 0; i < cells.size(); ++i)
    table.add({cells[i].cell.label(), to_string(states[i]), cells[i].folder});
  return table.text();
}

// What of the tables and figures can be made: those of stages whose cells have all ended.
std::vector<std::string> write_results(const Experiment& experiment, const std::vector<PlannedCell>& cells,
                                       const std::vector<CellState>& states, Logger& log) {
  std::vector<std::string> written;
  const auto rows_of = [&](const std::string& stage) {
    std::optional<std::vector<ResultRow>> rows = std::vector<ResultRow>();
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].cell.stage != stage) continue;
      if (states[i] != CellState::done) return std::optional<std::vector<ResultRow>>();
      for (ResultRow& row : result_rows(cells[i].cell, cells[i].folder)) rows->push_back(std::move(row));
    }
    return rows;
  };
  const auto write = [&](const auto& what, const char* kind, const auto& files_of) {
    const auto rows = rows_of(what.from);
    if (!rows)
      return log.warning(
          fmt::format("{} {}: not made, since not every cell of {} is done", kind, what.name, what.from));
    for (const auto& [name, bytes] : files_of(*rows, what)) {
      const std::string path = experiment.out + "/" + name;
      make_folder_of(path);
      write_file_atomic(path, bytes);
      written.push_back(path);
    }
  };
  for (const ExperimentTable& table : experiment.tables) write(table, "table", table_files);
  for (const ExperimentFigure& figure : experiment.figures) write(figure, "figure", figure_files);
  return written;
}

std::string slurm_script(const std::string& path, const Experiment& experiment, int64_t shares, int64_t jobs) {
  if (shares < 1) throw UsageError("--slurm: at least 1");
  return fmt::format(
      "#!/bin/bash\n#SBATCH --job-name={}\n#SBATCH --array=0-{}\n#SBATCH --output={}/slurm-%A-%a.log\n"
      "stride run {} --jobs {} --shard \"$SLURM_ARRAY_TASK_ID/{}\"\n",
      experiment.name, shares - 1, experiment.out, shell_quote({path}), jobs, shares);
}

class RunCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    if (context.arguments().size() != 1) throw UsageError("stride run takes one experiment: stride run FILE.toml");
    const std::string& path = context.arguments().front();
    Experiment experiment = read_experiment(path);
    if (options.has("out")) experiment.out = options.text("out");
    RunnerSettings settings{own_program(), options.integer("jobs"), 0, 1};
    if (settings.jobs < 1) throw UsageError("--jobs: at least 1");
    if (options.has("shard")) {
      const Ranks share = parse_ranks(options.text("shard"), "--shard");
      settings.shard = share.rank;
      settings.shards = share.count;
    }
    const std::vector<PlannedCell> cells = plan_cells(experiment, make_commands());
    if (options.has("slurm")) {
      context.print(slurm_script(path, experiment, options.integer("slurm"), settings.jobs));
      return ExitCode::ok;
    }
    std::vector<CellState> states = cell_states(cells);
    if (context.dry_run() || options.flag("list")) {
      context.print(table_of(cells, states));
      return context.done(Json{{"cells", json_of(cells, states)}}.dump());
    }
    const CellReport report = run_cells(cells, settings, context.log());
    states = report.states;
    const auto count = [&](CellState state) { return std::count(states.begin(), states.end(), state); };
    const auto done = count(CellState::done);
    if (report.stopped)
      return context.stopped(fmt::format("{} of {} cells are done; the same command goes on", done, cells.size()));
    const std::vector<std::string> files = write_results(experiment, cells, states, context.log());
    for (const std::string& file : files) context.print(file + "\n");
    context.print(fmt::format("cells   {} done ({} of them in this call), {} failed, {} left out\n", done, report.ran,
                              count(CellState::failed), count(CellState::left_out)));
    const bool all = done == static_cast<int64_t>(cells.size());
    return context.done(Json{{"name", experiment.name},
                             {"out", experiment.out},
                             {"ran", report.ran},
                             {"files", files},
                             {"cells", json_of(cells, states)}}
                            .dump(),
                        all ? ExitCode::ok : ExitCode::run_failed);
  }

 private:
  CommandInfo info_{
      .name = "run",
      .summary = "run an experiment from a file: stages over axes, tables, figures",
      .description =
          "Runs the stages of an experiment at every combination of its axes, each in a folder that is named "
          "by a hash of its settings and inputs: what is done is never done again, and what was stopped goes "
          "on. Then it writes the tables and figures that the file asks for.",
      .arguments = "FILE",
      .example =
          "stride run experiments/few-steps.toml --jobs 2\n"
          "writes runs/few-steps/ with cells/, and the file's tables as Markdown, LaTeX and CSV",
      .common = {.saves = true},
      .options = {
          {.name = "jobs", .kind = ValueKind::integer, .fallback = "1", .value = "N", .help = "cells that run at once"},
          {.name = "shard",
           .value = "i/n",
           .help = "begin only the i-th of n shares of the cells, counted from 0, and wait for the others"},
          {.name = "slurm",
           .kind = ValueKind::integer,
           .value = "N",
           .help = "print a script for sbatch that runs N shares as an array, and stop"},
          {.name = "list", .kind = ValueKind::flag, .help = "print the cells and how far they are, and stop"},
          {.name = "out", .value = "DIR", .help = "where results go, in place of the file's `out`"}}};
};

}  // namespace

std::unique_ptr<Command> make_cmd_run() { return std::make_unique<RunCommand>(); }

}  // namespace stride
