// A denoiser from a callable of Python's.
#include "python/bindings/convert.h"
#include "python/bindings/held.h"
#include "python/bindings/model.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/models/network_denoiser.h"
#include "neural/foreign/conditioned_network.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/utils/pybind.h>

#include <cmath>
#include <utility>

namespace stride {
namespace {

// What libraries answer with: a tensor; an object whose `sample` it is (diffusers); a tuple that begins with it.
Tensor answer_of(py::object value, const std::string& name) {
  if (!is_tensor(value) && py::hasattr(value, "sample") && !PyCallable_Check(value.attr("sample").ptr()))
    value = value.attr("sample");
  if (py::isinstance<py::tuple>(value) && py::len(value) > 0) value = value[py::int_(0)];
  if (!is_tensor(value))
    throw UsageError(fmt::format("the denoiser '{}' answered with {}; it must give a tensor shaped like x", name,
                                 py::cast<std::string>(py::type::of(value).attr("__name__"))));
  return py::cast<Tensor>(value);
}

class PythonNetwork final : public Network {
 public:
  PythonNetwork(Held callable, std::string name, std::vector<ConditionSpec> conditions)
      : callable_(std::move(callable)), name_(std::move(name)), conditions_(std::move(conditions)) {}

  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override {
    const py::gil_scoped_acquire gil;
    py::dict named;
    for (std::size_t i = 0; i < conditions_.size(); ++i) named[conditions_[i].name.c_str()] = condition[i];
    const Tensor output = answer_of(callable_.get()(input, time, **named), name_);
    const bool variance =
        output.dim() > 1 && output.dim() == input.dim() && output.size(1) == 2 * input.size(1);  // NetworkDenoiser
    if (output.sizes() != input.sizes() && !variance)
      throw UsageError(
          fmt::format("the denoiser '{}' answered with the shape [{}] for x of the shape [{}]; they must be "
                      "the same",
                      name_, fmt::join(output.sizes(), ", "), fmt::join(input.sizes(), ", ")));
    return output.device() == input.device() ? output : output.to(input.device());
  }

 private:
  Held callable_;
  std::string name_;
  std::vector<ConditionSpec> conditions_;
};

ConditionSpec condition_of(const py::dict& given) {
  ConditionSpec out;
  const auto read = [&](const char* key, auto& value) {
    if (given.contains(key)) convert(given[key], key, value);
  };
  read("name", out.name);
  read("classes", out.classes);
  read("shape", out.shape);
  if (given.contains("null")) {
    out.null.reset();
    if (!py::object(given["null"]).is_none()) convert(given["null"], "null", out.null);
  }
  read("zeros", out.zeros);
  read("guidance", out.guidance);
  read("standard", out.standard);
  return out;
}

}  // namespace

Model model_from_callable(py::object callable, const py::dict& facts) {
  if (PyCallable_Check(callable.ptr()) == 0)
    throw UsageError("the denoiser must be callable: (x, sigma) -> D(x; sigma)");
  Model out;
  ModelCard& card = out.loaded.source.card;
  const auto read = [&](const char* key, auto& value) {
    if (facts.contains(key) && !py::object(facts[key]).is_none()) convert(facts[key], key, value);
  };
  ModelInfo& info = card.info;
  info.kind = "python";
  std::string noise_schedule;
  out.capturable = false;
  read("name", info.name);
  read("shape", info.shape);
  read("sigma_min", info.sigma_min);
  read("sigma_max", info.sigma_max);
  read("sigma_data", info.sigma_data);
  read("sha256", info.sha256);
  read("prediction", card.prediction);
  read("time", card.time);
  read("noise_schedule", noise_schedule);
  read("device", out.device);
  read("dtype", out.dtype);
  read("capturable", out.capturable);
  for (const py::handle each : facts["conditions"]) info.conditions.push_back(condition_of(py::cast<py::dict>(each)));
  if (info.shape.empty()) throw UsageError("`shape` must say what one sample is, as in (3, 32, 32)");
  if (!(info.sigma_min > 0.0) || !(info.sigma_min < info.sigma_max) || !std::isfinite(info.sigma_max))
    throw UsageError(fmt::format("`sigma` takes (smallest, largest), both positive and finite; they are {} and {}",
                                 info.sigma_min, info.sigma_max));
  std::optional<TimestepTable> timesteps;
  if (!noise_schedule.empty()) {
    card.noise_schedule = Spec::parse(noise_schedule);
    timesteps.emplace(make_noise_schedule(*card.noise_schedule), out.device);
  }
  out.loaded.source.where = info.name;
  std::shared_ptr<const Network> network =
      std::make_shared<PythonNetwork>(Held(std::move(callable)), info.name, info.conditions);
  if (!info.conditions.empty())
    network = std::make_shared<ConditionedNetwork>(network, info.conditions, out.dtype, info.name);
  out.loaded.denoiser = std::make_shared<NetworkDenoiser>(
      info, std::move(network), make_parameterisation(card.prediction, info.sigma_data), parse_time_input(card.time),
      std::move(timesteps), state_dtype(out.dtype) == out.dtype ? std::nullopt : std::optional(out.dtype));
  return out;
}

}  // namespace stride
