// A network behind a parameterisation is a denoiser.
#pragma once

#include "framework/denoiser.h"
#include "framework/grids/timestep_table.h"
#include "framework/models/parameterisation.h"

#include <optional>

namespace stride {

/// What a foreign or native network looks like: (input `[B, …]`, time `[B]`, conditions) → output `[B, …]`. A row's
/// output depends on its own input, time and conditions alone, and B is free.
class Network {
 public:
  virtual ~Network() = default;
  [[nodiscard]] virtual Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const = 0;
  /// See Denoiser::null_condition.
  [[nodiscard]] virtual BatchState null_condition(const BatchState& condition) const;
  /// Of images: what height and width must be multiples of.
  [[nodiscard]] virtual int64_t multiple() const noexcept { return 1; }

 protected:
  Network() = default;
  Network(const Network&) = default;
  Network& operator=(const Network&) = default;
};

/// What a network takes as its time.
enum class TimeInput { sigma, timestep, c_noise, flow_t };
[[nodiscard]] TimeInput parse_time_input(const std::string& text);

/// D(x; σ) = skip·x + out·F(in·x; time(σ)). Scalings are computed in float64 and meet the data once. Of a network of
/// fewer bits than x only F is in its dtype: the scaled input is cast down and the output up, so that no number of the
/// size of σ reaches it.
/// A network with twice the sample's channels says F in the first half and Evaluation::log_variance in the second.
class NetworkDenoiser final : public Denoiser {
 public:
  /// `timesteps`, made for the network's device, is needed for TimeInput::timestep only; throws UsageError when it is
  /// missing there. `dtype` is the network's where it is not that of x. The time is float32 at least.
  NetworkDenoiser(ModelInfo info, std::shared_ptr<const Network> network,
                  std::shared_ptr<const Parameterisation> parameterisation, TimeInput time,
                  std::optional<TimestepTable> timesteps = {}, std::optional<at::ScalarType> dtype = {});

  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override;
  /// One pass of 2B rows.
  [[nodiscard]] Evaluation evaluate_both(const Tensor& x, const Times& sigma,
                                         const BatchState& condition) const override;
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override;
  [[nodiscard]] const Network& network() const noexcept { return *network_; }
  /// The network's, where it is not that of x.
  [[nodiscard]] std::optional<at::ScalarType> dtype() const noexcept { return dtype_; }
  /// The same scalings around another network, which takes the dtype of x.
  [[nodiscard]] NetworkDenoiser over(std::shared_ptr<const Network> network) const;

 private:
  ModelInfo info_;
  std::shared_ptr<const Network> network_;
  std::shared_ptr<const Parameterisation> parameterisation_;
  TimeInput time_;
  std::optional<TimestepTable> timesteps_;
  std::optional<at::ScalarType> dtype_;
};

}  // namespace stride
