// Grids of noise levels.
#pragma once

#include "framework/card.h"
#include "framework/grids/noise_schedule.h"
#include "framework/spec.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// What lies at the end of a grid (design §2.5).
enum class Final { zero, sigma_min };
[[nodiscard]] Final parse_final(const std::string& text);
[[nodiscard]] const char* to_string(Final final) noexcept;

/// A strictly decreasing list of N + 1 noise levels. With Final::zero the last is 0 and the last step is
/// Solver::finish; with Final::sigma_min all are positive and there is no jump.
class TimeGrid final {
 public:
  /// Throws UsageError, naming the place, unless the list has at least two levels, is finite, strictly
  /// decreasing and non-negative, and has a positive second-last.
  explicit TimeGrid(std::vector<double> sigmas);

  [[nodiscard]] const std::vector<double>& sigmas() const noexcept { return sigmas_; }
  [[nodiscard]] int64_t steps() const noexcept { return static_cast<int64_t>(sigmas_.size()) - 1; }
  [[nodiscard]] bool final_zero() const noexcept { return sigmas_.back() == 0.0; }
  [[nodiscard]] double start() const noexcept { return sigmas_.front(); }
  /// The smallest positive level.
  [[nodiscard]] double end() const noexcept { return final_zero() ? sigmas_[sigmas_.size() - 2] : sigmas_.back(); }
  /// float64 `[B, N+1]`, the same row B times.
  [[nodiscard]] Tensor rows(int64_t batch, const at::Device& device) const;

 private:
  std::vector<double> sigmas_;
};

/// What a grid builder needs to know.
struct GridRequest {
  int64_t steps = 18;
  double sigma_min = 0.002;
  double sigma_max = 80.0;
  Final final = Final::zero;
  /// The timestep axis, for grids that live on it.
  const NoiseSchedule* noise_schedule = nullptr;
};

/// What `stride list schedules` shows of a grid builder.
struct GridTraits {
  std::string name;
  std::vector<std::string> aliases = {};
  std::string summary = {};
  std::vector<OptionInfo> options = {};  ///< from their declarations: grid_row() fills them in
  /// What other projects give under the same name, and the option for it. Empty where all agree.
  std::string differs = {};
  std::string reference = {};
  bool needs_noise_schedule = false;
  /// Option strings that the suites run too. A variant that carries another project's name has that project's number
  /// of levels and end.
  std::vector<std::string> variants = {};
};
[[nodiscard]] const std::vector<GridTraits>& grid_traits();

/// Builds a grid by name and options, e.g. `karras:rho=7`, `custom:FILE`. Throws UsageError on an unknown
/// name or option, on fewer than one step, where `needs_noise_schedule` is not met, and where the levels would not be
/// finite and strictly decreasing.
[[nodiscard]] TimeGrid make_grid(const Spec& spec, const GridRequest& request);

/// A grid from a function: the levels σ(u) at u = 0 … 1, evenly spaced, decreasing, and 0 after them with Final::zero.
/// The request's range is not used.
[[nodiscard]] TimeGrid make_grid(const std::function<double(double)>& sigma, const GridRequest& request);

}  // namespace stride
