// What the samples of a run are conditioned on.
#pragma once

#include "framework/denoiser.h"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace stride {

struct DrawSettings;

/// Conditions by name, and what stands for "none" in their place under guidance: on the CPU, `[N, …]` with a row a seed
/// in the order of the seeds, or `[1, …]` for all of them.
struct ConditionRows {
  std::map<std::string, Tensor> values, negative;
  std::string sha256;  ///< of the file that they are from
};

/// The conditions of a model with so many seeds, from tensors NAME and negative.NAME, each one sample's or `[N, …]`.
/// Throws InputError, naming `where`, on a name that the model does not have, and on shapes, types and values that it
/// does not take.
[[nodiscard]] ConditionRows condition_rows(const std::map<std::string, Tensor>& tensors, const std::string& where,
                                           const ModelInfo& model, std::size_t seeds);

/// The same from a safetensors file.
[[nodiscard]] ConditionRows read_conditions(const std::string& path, const ModelInfo& model, std::size_t seeds);

/// To be called once the settings are complete. Where the model takes its guidance scale as a condition, moves it there
/// (`guidance_given`: somebody asked for the scale). Throws UsageError where a condition is missing, is none of the
/// model's, or is given twice; where guidance has nothing to guide towards, or nothing that stands for "none".
void settle_conditions(DrawSettings& settings, const ModelInfo& model, bool guidance_given);

/// The condition of the n seeds from the `first`-th on: a slot for each of the model's, in order, and as many again for
/// guidance where the settings say what stands for "none". What nobody gave is "none" where the model knows that.
[[nodiscard]] BatchState make_condition(const ModelInfo& model, const DrawSettings& settings, int64_t first, int64_t n);

/// The label of each of them, int64 `[n]` on the CPU, −1 where it is none; undefined: the model takes no labels.
[[nodiscard]] Tensor label_rows(const ModelInfo& model, const DrawSettings& settings, int64_t first, int64_t n);

/// The condition that `class` means, the first of labels; nullptr: the model takes none.
[[nodiscard]] const ConditionSpec* label_of(const ModelInfo& model);

/// Some condition for n rows, whichever: for measuring time.
[[nodiscard]] BatchState any_condition(const ModelInfo& model, int64_t n, const at::Device& device);

}  // namespace stride
