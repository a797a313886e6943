// What a running subcommand may reach.
#pragma once

#include "apps/cli/exit_code.h"
#include "apps/cli/log.h"
#include "apps/cli/option_table.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/run_dir.h"
#include "apps/cli/run_inputs.h"
#include "apps/tensorboard/event_file.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// Typed options, device, seeds, run folder, log and output of one command. Made by run_program.
class Context final {
 public:
  /// Throws UsageError on a device that is not there and on malformed seeds. `command_line` is what the
  /// user typed, for command.txt.
  Context(std::string command, OptionValues options, std::vector<std::string> command_line);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] const OptionValues& options() const noexcept { return options_; }
  [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return options_.arguments(); }
  [[nodiscard]] const std::string& command() const noexcept { return command_; }

  [[nodiscard]] at::Device device() const noexcept { return device_; }    ///< cpu for commands without --device
  [[nodiscard]] at::ScalarType dtype() const noexcept { return dtype_; }  ///< float32 for commands without --dtype
  /// Under --dry-run, of more than a run may have, the first million: a plan needs little but their number.
  [[nodiscard]] const std::vector<int64_t>& seeds() const noexcept { return seeds_; }
  [[nodiscard]] uint64_t seed_count() const noexcept { return seed_count_; }
  /// "64 of them, 8 at a time", and where that is more than one run may have, so.
  [[nodiscard]] std::string seeds_text() const;
  [[nodiscard]] int64_t batch() const;  ///< rows run together; 0 for commands without --batch
  [[nodiscard]] bool dry_run() const { return options_.flag("dry-run"); }
  [[nodiscard]] bool json() const { return options_.flag("json"); }
  [[nodiscard]] bool quiet() const { return options_.flag("quiet"); }

  /// Messages for people, on standard error (and in log.ndjson once there is a run folder).
  [[nodiscard]] Logger& log() noexcept { return log_; }
  /// Results, on standard output; dropped under --json, where done() prints the one object.
  void print(const std::string& text) const;

  /// A progress bar on standard error. Its fn() asks work to stop once a signal has come.
  [[nodiscard]] ProgressBar progress(const std::string& label, int64_t total = 0) const;
  /// True once SIGINT or SIGTERM has come.
  [[nodiscard]] bool stop() const noexcept;

  /// The run folder, made (or, with --resume, opened) and locked on first use.
  [[nodiscard]] RunDir& run_dir();
  /// Appends one JSON object as a line to metrics.jsonl. Where it has a whole number "step", its other numbers become
  /// scalars in tb/ under their names.
  void metric(const std::string& json_object);
  /// The event file of this run in tb/, for histograms and images; made on first use.
  [[nodiscard]] EventFile& events();
  /// The folder named by --resume, if any.
  [[nodiscard]] std::optional<std::string> resumed_from() const;
  /// Notes an input file for manifest.json. Throws InputError where --resume finds it changed.
  void add_input(const std::string& path, const std::string& sha256);
  /// Notes a fact for manifest.json: `value` is JSON.
  void add_fact(const std::string& name, const std::string& value_json);

  /// Prints what the run would do (--dry-run) and returns ExitCode::ok. Touches nothing.
  [[nodiscard]] ExitCode plan(const std::vector<std::pair<std::string, std::string>>& lines) const;
  /// Closes the run: DONE is written where there is a run folder, and under --json `result_json` (an object)
  /// is printed with `run_dir` added. Returns `code`.
  [[nodiscard]] ExitCode done(const std::string& result_json, ExitCode code = ExitCode::ok);
  /// Under --resume of a run that has ended well and still holds `files`: says so, prints its results again and gives
  /// ExitCode::ok; the folder is left alone. Else none.
  [[nodiscard]] std::optional<ExitCode> finished(const std::vector<std::string>& files);
  /// Says what was saved and returns ExitCode::interrupted or ExitCode::terminated. No DONE is written, so
  /// that --resume continues.
  [[nodiscard]] ExitCode stopped(const std::string& what_is_saved);

 private:
  [[nodiscard]] std::string manifest() const;

  std::string command_;
  OptionValues options_;
  std::vector<std::string> command_line_;
  at::Device device_;
  at::ScalarType dtype_;
  std::vector<int64_t> seeds_;
  uint64_t seed_count_ = 0;
  Logger log_;
  std::optional<RunDir> run_dir_;
  std::optional<EventFile> events_;
  RunInputs inputs_;
  std::vector<std::pair<std::string, std::string>> facts_;
};

}  // namespace stride
