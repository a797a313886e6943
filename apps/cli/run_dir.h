// The folder that a run leaves behind.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// What a new run folder is made from.
struct RunDirOptions {
  std::string outdir;  ///< the folder itself; empty: a new one under `root`
  std::string root = "runs";
  std::string command;                    ///< "sample"
  std::string config_toml;                ///< full, resolved
  std::vector<std::string> command_line;  ///< as typed; command.txt holds it quoted for a shell
  std::string manifest_json;              ///< an object
};

/// `runs/<utc>-<command>-<8 hex>/` of the contract, made exclusively and locked while this lives. Files are
/// written whole under a temporary name and renamed; `DONE` comes last.
class RunDir final {
 public:
  /// Throws UsageError when `outdir` exists and is not empty (what a run leaves that ended before it had a config.toml
  /// does not count), ResourceError when it cannot be made,
  /// LockedError when another run holds it.
  [[nodiscard]] static RunDir create(const RunDirOptions& options);
  /// Opens the folder of an earlier run to continue it; DONE goes away, the command line is appended to
  /// command.txt, torn last lines of logs and temporaries of killed processes go. Throws InputError, and changes
  /// nothing, when it is not a run folder or a file of it is damaged (pipeline/run_folder.h), LockedError when another
  /// run holds it.
  [[nodiscard]] static RunDir resume(const std::string& path, const std::vector<std::string>& command_line);
  ~RunDir();
  RunDir(RunDir&&) noexcept;
  RunDir& operator=(RunDir&&) noexcept;

  [[nodiscard]] const std::string& path() const noexcept;
  /// path()/name.
  [[nodiscard]] std::string file(const std::string& name) const;
  /// Writes path()/name atomically.
  void write(const std::string& name, const std::string& bytes) const;
  /// Appends one JSON object as a line to metrics.jsonl.
  void metric(const std::string& json_object);
  /// With the checksum of config.toml and its own.
  void write_manifest(const std::string& manifest_json) const;
  /// Writes DONE: the exit code, the time and what the folder holds, as JSON.
  void finish(int exit_code) const;

 private:
  struct Impl;
  explicit RunDir(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Throws UsageError where `path` exists and is neither an empty folder nor one of a run that ended before it began.
/// Touches nothing.
void require_new_folder(const std::string& path);

/// `words` quoted for a POSIX shell.
[[nodiscard]] std::string shell_quote(const std::vector<std::string>& words);
/// UTC now as 2026-01-31T12:34:56Z.
[[nodiscard]] std::string utc_now();

}  // namespace stride
