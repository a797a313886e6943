// Whether what Stride leaves is whole: `stride verify`.
#pragma once

#include <string>
#include <vector>

namespace stride {

/// Checks of a file or folder: what was found whole, what is worth knowing, and what is damaged.
struct Findings {
  std::vector<std::string> checked, notes, problems;
};

/// Checks the files of a run, each against DONE where that lists it and against its own checksum where it has one, and
/// the stores in it. Damage is in the findings.
void verify_run(Findings& findings, const std::string& folder);

/// Checks a run folder, a trajectory store, a model's folder or one file (samples.h5, plan, card, safetensors, .npz,
/// PNG, JSON). Throws InputError where there is nothing, or nothing that can be checked.
[[nodiscard]] Findings verify_path(const std::string& path);

}  // namespace stride
