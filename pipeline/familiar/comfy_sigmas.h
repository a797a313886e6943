// The noise levels that ComfyUI's nodes make, as a grid here.
#pragma once

#include "framework/grids/grid_part.h"
#include "framework/spec.h"
#include "pipeline/familiar/comfy_graph.h"

#include <optional>
#include <string>

namespace stride {

/// A grid, its steps, and the part of it that is run.
struct ComfySigmas {
  Spec grid;
  int64_t steps = 0;
  GridPart part = {};
  bool from_the_top = true;  ///< the first level is the model's largest
  std::string sigma_min = {}, sigma_max = {}, levels = {};

  /// The grid with the part as its options.
  [[nodiscard]] std::string schedule() const;
  /// Levels `from` to `to` of what there is, to its end without `to`: numpy's slice [from : to + 1].
  void slice(int64_t from, std::optional<int64_t> to);
};

/// What the network's own noise levels are, from the nodes between the loader and the sampler.
struct ComfyModel {
  std::string noise_schedule = {};   ///< empty: the model's card says
  std::optional<double> shift = {};  ///< of flow times
  int64_t timesteps = 1000;          ///< of flow times
};

/// The levels of KSampler and KSamplerAdvanced for a scheduler's name.
[[nodiscard]] ComfySigmas comfy_scheduler(const ComfyGraph& graph, const ComfyNode& node, const std::string& scheduler,
                                          int64_t steps, const ComfyModel& model);

/// The last `steps` of int(steps/denoise) intervals: what `denoise` below 1 does.
void apply_denoise(ComfySigmas& sigmas, double denoise);

/// The levels behind the input `sigmas` of a SamplerCustom. `model_of` reads the node that a scheduler takes its model
/// from.
[[nodiscard]] ComfySigmas comfy_sigmas(const ComfyGraph& graph, const ComfyNode& sampler,
                                       ComfyModel (*model_of)(const ComfyGraph&, const ComfyNode&));

}  // namespace stride
