// What a run folder promises: which of its files say that they are whole, and what `DONE`, written last, says of all.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// What is known of one file of a run.
struct FileSum {
  uint64_t bytes = 0;
  std::string xxh3_128;
  bool grows = false;  ///< a log: lines may have been added since
};

/// `DONE` as it is read. Runs of earlier versions list nothing.
struct RunEnd {
  int64_t exit_code = 0;
  bool lists = false;
  std::map<std::string, FileSum> files;       ///< by name in the run folder
  std::map<std::string, std::string> stores;  ///< trajectory stores in it, and the seeds that they hold
};

/// Writes `DONE`: exit code, time, the sum of every file in the folder, and the seeds of its stores (whose shards are
/// in their own manifests). Temporaries and locks are left out. Throws as write_file_atomic.
void seal_run(const std::string& folder, int64_t exit_code, const std::string& time);

/// None where the run has not ended. Throws InputError where DONE is damaged.
[[nodiscard]] std::optional<RunEnd> run_end(const std::string& folder);

/// One line for each file of `end` that is missing or not as listed. `missing`: whether those that are gone count.
[[nodiscard]] std::vector<std::string> run_damage(const std::string& folder, const RunEnd& end, bool missing = true);

/// After a command has written a file again that lies in a finished run (`stride report` its page): DONE lists it as it
/// is now. Nothing where no DONE lists it.
void relist(const std::string& path);

/// `manifest.json` of a run as text: `manifest_json` with the checksum of the configuration and its own.
[[nodiscard]] std::string run_manifest(const std::string& manifest_json, const std::string& config_toml);

/// The text of `config.toml` of a run that is to be continued, compared with the checksum in the run's manifest. Throws
/// InputError where either is missing or damaged, and where the folder is none of a run. Manifests of earlier versions
/// have no checksum: the text is taken as it is.
[[nodiscard]] std::string run_config(const std::string& folder);

/// Throws InputError where a run that is to be continued has ended and a file of it is damaged; one that is gone is
/// made again.
void require_undamaged(const std::string& folder);

/// Whether `folder` holds nothing but what a run leaves that ended before it began, without a configuration.
[[nodiscard]] bool is_stillborn_run(const std::string& folder);

/// Cuts what follows the last line end off a file of lines: a line that a kill left in half. Only for whoever holds the
/// run's lock. Nothing where there is no such file.
void drop_torn_line(const std::string& path);

/// Removes the temporaries of killed processes in the folder and below it. Only for whoever holds its lock.
void remove_temporaries_below(const std::string& folder);

/// Whether the file is one of a run in its folder: DONE lists it, or it is one that every run has.
[[nodiscard]] bool is_file_of_run(const std::string& path);

}  // namespace stride
