// Where results go besides the run folder: checked before the work, and copied there after it.
#pragma once

#include "apps/cli/option_table.h"
#include "framework/files/output_claim.h"

#include <string>
#include <vector>

namespace stride {

/// Looks at every option of `values` that names an output (Option::writes), and touches nothing. Throws UsageError
/// where a file could not be made there: it is a folder, its place is a file or may not be written to, another output
/// goes there, or it would replace what the command reads or a run's file; LockedError where a run that lives is in a
/// new run's folder.
void check_outputs(const OptionValues& values);

/// claim_output for every file that `values` names as an output. Those that are there already are named in `replaced`.
[[nodiscard]] std::vector<LockFile> claim_outputs(const OptionValues& values, std::vector<std::string>& replaced);

/// Makes the folders that `path` lies in. Throws as write_file_atomic.
void make_folder_of(const std::string& path);

/// Copies `kept`, a file of the run folder, to `path`. Throws as write_file_atomic, and says where the result is kept.
void copy_out(const std::string& kept, const std::string& path);

}  // namespace stride
