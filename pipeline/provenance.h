// What plans and predictors were made with, and whether a run is like that.
#pragma once

#include "pipeline/draw.h"

#include <map>
#include <string>
#include <vector>

namespace stride {

/// The record of a fit to `teacher`'s end points under `settings`, whose seeds were fitted to.
[[nodiscard]] MadeWith record_of(const Sampler& teacher, const ModelInfo& model, const DrawSettings& settings,
                                 const std::vector<int64_t>& seeds, const std::vector<int64_t>& validation_seeds);

/// Class, guidance and bounds of a run as texts by name ("class", "guidance", "clip", "threshold"), those that it has:
/// two runs that differ here are of two different samplers of the model. "condition" is the hash of the file of other
/// conditions (prompts), by which samplers do not differ.
[[nodiscard]] std::map<std::string, std::string> conditions_of(const DrawSettings& settings);

/// Throws UsageError, naming what differs, where the sampler comes from a file that was made with another class,
/// guidance or bound, unless the spec allows it. (make_sampler has compared the model.)
void require_made_for(const Sampler& sampler, const ModelInfo& model, const DrawSettings& settings);

/// The same for a store that a plan is fitted to, by its record: all of its trajectories must be like the fit's.
void require_recorded_for(const MadeFile& store, const ModelInfo& model, const DrawSettings& settings);

/// One sentence for each thing that a reader of the results should know: the sampler's own warnings; a file that does
/// not say what it was made with, or that was made in a higher precision or under other conditions; noise that nothing
/// draws.
[[nodiscard]] std::vector<std::string> run_warnings(const Sampler& sampler, const DrawSettings& settings);

/// Those of `seeds` that the sampler's file was fitted, trained or chosen on, as text; empty: none, as far as it says.
[[nodiscard]] std::string seeds_seen(const Sampler& sampler, const std::vector<int64_t>& seeds);

}  // namespace stride
