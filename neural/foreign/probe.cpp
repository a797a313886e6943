#include "neural/foreign/probe.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/full_float32.h"
#include "framework/shapes.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace stride {
namespace {

class Reader final {
 public:
  Reader(const Safetensors& file, const std::string& where) : file_(file), where_(where) {}

  [[nodiscard]] Tensor at(const std::string& name) const {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end())
      throw InputError(
          fmt::format("{}: a probe holds input, time, output and condition.NAME; it lacks '{}'", where_, name));
    return found->second;
  }
  [[nodiscard]] Tensor floats(const std::string& name, const std::vector<int64_t>& shape) const {
    const Tensor values = at(name);
    require(name, values, shape);
    if (!values.is_floating_point() || !values.isfinite().all().item<bool>())
      throw InputError(fmt::format("{}: '{}' must hold finite floating-point numbers", where_, name));
    return values;
  }
  [[nodiscard]] Tensor labels(const std::string& name, const std::vector<int64_t>& shape, int64_t classes,
                              const std::optional<int64_t>& null) const {
    const Tensor values = at(name);
    require(name, values, shape);
    if (values.scalar_type() != at::kLong)
      throw InputError(fmt::format("{}: '{}' must hold labels, int64", where_, name));
    Tensor bad = values.lt(0).logical_or(values.ge(classes));
    if (null) bad = bad.logical_and(values.ne(*null));
    if (bad.any().item<bool>())
      throw InputError(fmt::format("{}: '{}' holds a label that is none of the {} classes", where_, name, classes));
    return values;
  }
  [[noreturn]] void fail(const std::string& what) const { throw InputError(fmt::format("{}: {}", where_, what)); }

 private:
  void require(const std::string& name, const Tensor& values, const std::vector<int64_t>& shape) const {
    if (values.sizes() != at::IntArrayRef(shape))
      fail(fmt::format("'{}' has the shape [{}], the card says [{}]", name, fmt::join(values.sizes(), ", "),
                       fmt::join(shape, ", ")));
  }

  const Safetensors& file_;
  const std::string& where_;
};

}  // namespace

Probe make_probe(const Safetensors& file, const std::string& where, const ModelInfo& model) {
  const Reader reader(file, where);
  const int64_t rows = reader.at("input").dim() > 0 ? reader.at("input").size(0) : 0;
  if (rows < 2) reader.fail("a probe has at least two rows");
  Probe probe;
  probe.input = reader.floats("input", prepend({rows}, model.shape));
  probe.time = reader.floats("time", {rows});
  std::vector<Tensor> slots;
  for (const ConditionSpec& spec : model.conditions) {
    const std::string name = "condition." + spec.name;
    slots.push_back(spec.classes > 0 ? reader.labels(name, {rows}, spec.classes, spec.null)
                                     : reader.floats(name, prepend({rows}, spec.shape)));
  }
  probe.condition = BatchState(std::move(slots));
  const Tensor output = reader.at("output");
  std::vector<int64_t> shape = prepend({rows}, model.shape);
  if (shape.size() > 1 && output.dim() > 1 && output.size(1) == 2 * shape[1]) shape[1] *= 2;
  probe.output = reader.floats("output", shape);
  return probe;
}

double relative_error(const Tensor& answer, const Tensor& expected) {
  if (answer.sizes() != expected.sizes())
    throw InputError(fmt::format("the network returns [{}], the probe has [{}]", fmt::join(answer.sizes(), ", "),
                                 fmt::join(expected.sizes(), ", ")));
  const Tensor wanted = expected.to(at::kCPU, at::kDouble);
  const double size = wanted.norm().item<double>();
  const double off = (answer.to(at::kCPU, at::kDouble) - wanted).norm().item<double>();
  return size > 0.0 ? off / size : off;
}

double probe_error(const Probe& probe, const Network& network, const at::Device& device, at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  const FullFloat32 full;
  return relative_error(network.forward(probe.input.to(device, dtype), probe.time.to(device, state_dtype(dtype)),
                                        probe.condition.to(device)),
                        probe.output);
}

double probe_bound(at::ScalarType dtype) noexcept { return at::elementSize(dtype) < 4 ? 2e-2 : 1e-4; }

}  // namespace stride
