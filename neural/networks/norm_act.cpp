#include "neural/networks/norm_act.h"

#include "framework/error.h"
#include "neural/networks/norm_act_cuda.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

namespace stride {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using MaybeTensor = std::optional<Tensor>;  // a Function takes no undefined tensors

constexpr int64_t kParts = 264;  // of a sum over pixels: two blocks a multiprocessor of an H200

Tensor channels_last(const Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }
Tensor as_float(const Tensor& t) { return t.to(at::kFloat).contiguous(); }
MaybeTensor maybe(const Tensor& t) { return t.defined() ? MaybeTensor(t) : std::nullopt; }

class FusedNormAct final : public torch::autograd::Function<FusedNormAct> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const MaybeTensor& before, const Tensor& gamma,
                        const Tensor& beta, const MaybeTensor& scale_shift, int64_t groups, double epsilon) {
    const Tensor modulation = scale_shift ? scale_shift->to(x.scalar_type()).contiguous() : Tensor();
    const Tensor y = at::empty_like(x);
    const Tensor mean = at::empty({x.size(0), groups}, x.options().dtype(at::kFloat));
    const Tensor rstd = at::empty_like(mean);
    const Tensor first = before ? as_float(*before) : Tensor(), second = as_float(gamma), third = as_float(beta);
    cuda::norm_act_forward(x, first, second, third, modulation, {groups, epsilon}, y, mean, rstd);
    context->save_for_backward({x, first, second, third, modulation, mean, rstd});
    context->saved_data["groups"] = groups;
    context->saved_data["epsilon"] = epsilon;
    const auto keep = [&](const char* name, const MaybeTensor& t) {
      if (t) context->saved_data[name] = static_cast<int64_t>(t->scalar_type());
    };
    keep("before", before);
    keep("gamma", gamma);
    keep("beta", beta);
    keep("scale_shift", scale_shift);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &before = saved[1], &modulation = saved[4], &mean = saved[5];
    const cuda::NormShape shape{context->saved_data["groups"].toInt(), context->saved_data["epsilon"].toDouble()};
    const Tensor dy = channels_last(gradients[0]);
    const Tensor dx = at::empty_like(x);
    const Tensor sums = at::empty({3, x.size(0), x.size(1)}, mean.options());
    const Tensor small = at::empty({3, x.size(1)}, mean.options());
    const Tensor dmodulation = modulation.defined() ? at::empty_like(modulation) : Tensor();
    cuda::norm_act_backward(dy, x, before, saved[2], saved[3], modulation, mean, saved[6], shape, dx, sums, small[0],
                            small[1], small[2], dmodulation);
    const auto like = [&](const char* name, const Tensor& gradient) {
      const auto found = context->saved_data.find(name);
      if (found == context->saved_data.end()) return Tensor();
      return gradient.to(static_cast<at::ScalarType>(found->second.toInt()));
    };
    return {dx,
            like("before", small[2]),
            like("gamma", small[0]),
            like("beta", small[1]),
            like("scale_shift", dmodulation),
            Tensor(),
            Tensor()};
  }
};

class FusedAddScaled final : public torch::autograd::Function<FusedAddScaled> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& a, const Tensor& b, const MaybeTensor& bias,
                        double scale) {
    const Tensor y = at::empty_like(a);
    cuda::add_scaled(a, b, bias ? as_float(*bias) : Tensor(), scale, y);
    context->saved_data["scale"] = scale;
    if (bias) context->saved_data["bias"] = static_cast<int64_t>(bias->scalar_type());
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor dy = channels_last(gradients[0]);
    const Tensor dx = at::empty_like(dy);
    const Tensor partial = at::empty({kParts, dy.size(1)}, dy.options().dtype(at::kFloat));
    cuda::scaled_and_summed(dy, context->saved_data["scale"].toDouble(), dx, partial);
    Tensor dbias;
    if (const auto found = context->saved_data.find("bias"); found != context->saved_data.end())
      dbias = partial.sum(0).to(static_cast<at::ScalarType>(found->second.toInt()));
    return {dx, dx, dbias, Tensor()};
  }
};

bool fusible(const Tensor& x) { return has_kernels(x) && x.is_contiguous(at::MemoryFormat::ChannelsLast); }

Tensor per_channel(const Tensor& t, const Tensor& x) { return t.to(x.scalar_type()).view({1, -1, 1, 1}); }

}  // namespace

bool has_kernels(const Tensor& x) {
  const auto type = x.scalar_type();
  return x.is_cuda() && (type == at::kFloat || type == at::kBFloat16 || type == at::kHalf);
}

Tensor norm_act(const Tensor& x, const NormAct& act) {
  if (!fusible(x)) return norm_act_plain(x, act);
  return FusedNormAct::apply(x, maybe(act.before), act.gamma, act.beta, maybe(act.scale_shift), act.groups,
                             act.epsilon);
}

Tensor norm_act_plain(const Tensor& x, const NormAct& act) {
  const auto dtype = x.scalar_type();
  const Tensor input = act.before.defined() ? x + per_channel(act.before, x) : x;
  Tensor h = at::group_norm(input, act.groups, act.gamma.to(dtype), act.beta.to(dtype), act.epsilon);
  if (act.scale_shift.defined()) {
    const auto halves = act.scale_shift.unsqueeze(2).unsqueeze(3).chunk(2, 1);
    h = h * (halves[0] + 1.0) + halves[1];
  }
  return at::silu(h);
}

Tensor add_scaled(const Tensor& a, const Tensor& b, const Tensor& bias, double scale) {
  if (!fusible(a) || !fusible(b)) return add_scaled_plain(a, b, bias, scale);
  return FusedAddScaled::apply(a, b, maybe(bias), scale);
}

Tensor add_scaled_plain(const Tensor& a, const Tensor& b, const Tensor& bias, double scale) {
  return (a + (bias.defined() ? b + per_channel(bias, b) : b)) * scale;
}

}  // namespace stride
