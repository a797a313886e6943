// What a plan or a learned policy was made with: where else it may run follows from that.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace stride {

/// The conditions under which a file was fitted or trained. Part of plans (`made_with`) and of predictors.
struct MadeWith {
  /// False for a file from before this record: then at most the model and the seeds are known.
  bool recorded = false;
  std::string model_sha256 = {};  ///< empty: not known
  /// "3"; "0-9" or "random" where each seed had one of several; of a predictor for several stores "3,1,none"; empty:
  /// none
  std::string label = {};
  std::string condition = {};                     ///< SHA-256 of the file of other conditions; empty: none
  std::string guidance = {};                      ///< as parse_guidance takes it; empty: none
  std::string threshold = {};                     ///< as parse_threshold takes it; empty: none
  std::optional<double> clip = {};                ///< bound on the denoised prediction, in data scale
  std::string dtype = {};                         ///< of the states: "float32"
  std::string teacher = {};                       ///< as parse_teacher takes it, with steps, schedule and end
  std::vector<double> teacher_sigmas = {};        ///< its levels
  std::string seeds = {}, validation_seeds = {};  ///< as parse_seeds takes them
  bool operator==(const MadeWith&) const = default;
};

/// An object of JSON on one line.
[[nodiscard]] std::string to_json(const MadeWith& made_with);
/// Reads it back, `recorded`. Keys that it does not know are left alone. Throws InputError, naming `where`, on values
/// of the wrong kind.
[[nodiscard]] MadeWith made_with_from_json(const std::string& text, const std::string& where);

}  // namespace stride
