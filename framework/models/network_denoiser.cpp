#include "framework/models/network_denoiser.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/models/preconditioning.h"

#include <ATen/ATen.h>

namespace stride {

BatchState Network::null_condition(const BatchState& /*condition*/) const {
  throw UsageError("guidance: this network has no unconditional form; leave `guidance` out");
}

TimeInput parse_time_input(const std::string& text) {
  if (text == "sigma") return TimeInput::sigma;
  if (text == "timestep") return TimeInput::timestep;
  if (text == "c_noise") return TimeInput::c_noise;
  if (text == "flow_t") return TimeInput::flow_t;
  throw UsageError("a network's time must be sigma, timestep, c_noise or flow_t, not '" + text + "'");
}

NetworkDenoiser::NetworkDenoiser(ModelInfo info, std::shared_ptr<const Network> network,
                                 std::shared_ptr<const Parameterisation> parameterisation, TimeInput time,
                                 std::optional<TimestepTable> timesteps, std::optional<at::ScalarType> dtype)
    : info_(std::move(info)),
      network_(std::move(network)),
      parameterisation_(std::move(parameterisation)),
      time_(time),
      timesteps_(std::move(timesteps)),
      dtype_(dtype) {
  if (time_ == TimeInput::timestep && !timesteps_)
    throw UsageError("model '" + info_.name + "' takes timesteps: its card needs a noise_schedule");
}

Evaluation NetworkDenoiser::evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  Tensor time = sigma;
  switch (time_) {
    case TimeInput::sigma:
      break;
    case TimeInput::timestep:
      time = (*timesteps_)(sigma);
      break;
    case TimeInput::c_noise:
      time = sigma.log() * 0.25;
      break;
    case TimeInput::flow_t:
      time = sigma / (sigma + 1.0);
      break;
  }
  const Scalings scale = parameterisation_->at(sigma);
  const at::ScalarType dtype = dtype_.value_or(x.scalar_type());
  Tensor output = network_->forward(network_input(x, scale.in, dtype), time.to(state_dtype(dtype)), condition);
  std::optional<Tensor> log_variance;
  if (output.dim() > 1 && output.size(1) == 2 * x.size(1)) {
    log_variance = output.narrow(1, x.size(1), x.size(1)).to(x.scalar_type());
    output = output.narrow(1, 0, x.size(1));
  }
  return {denoised_from(x, output, scale), {}, std::move(log_variance)};
}

Evaluation NetworkDenoiser::evaluate_both(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  const int64_t n = x.size(0);
  const BatchState both = BatchState::concat(condition, network_->null_condition(condition));
  const Evaluation all = evaluate(at::cat({x, x}), at::cat({sigma, sigma}), both);
  Evaluation result{all.denoised.narrow(0, 0, n), all.denoised.narrow(0, n, n), {}};
  if (all.log_variance) result.log_variance = all.log_variance->narrow(0, 0, n);
  return result;
}

NetworkDenoiser NetworkDenoiser::over(std::shared_ptr<const Network> network) const {
  NetworkDenoiser out = *this;
  out.network_ = std::move(network);
  out.dtype_.reset();
  return out;
}

BatchState NetworkDenoiser::null_condition(const BatchState& condition) const {
  return network_->null_condition(condition);
}

}  // namespace stride
