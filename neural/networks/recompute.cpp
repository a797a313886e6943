#include "neural/networks/recompute.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace stride {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Body = std::function<Tensor(const std::vector<Tensor>&)>;

// Carries the function through AutogradContext::saved_data.
struct Holder final : torch::CustomClassHolder {
  explicit Holder(Body f) : f(std::move(f)) {}
  Body f;
};

class Recomputed final : public torch::autograd::Function<Recomputed> {
 public:
  static Tensor forward(AutogradContext* context, const c10::intrusive_ptr<Holder>& body, at::TensorList given) {
    variable_list inputs = given.vec();
    context->saved_data["body"] = c10::IValue::make_capsule(body);
    Tensor result;
    {
      const at::AutoGradMode off(false);
      result = body->f(inputs);
    }
    context->save_for_backward(std::move(inputs));
    return result;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto body = c10::static_intrusive_pointer_cast<Holder>(context->saved_data["body"].toCapsule());
    std::vector<Tensor> leaves, wanted;
    for (const Tensor& input : context->get_saved_variables()) {
      leaves.push_back(input.detach().requires_grad_(input.requires_grad()));
      if (input.requires_grad()) wanted.push_back(leaves.back());
    }
    std::vector<Tensor> found;
    {
      const at::AutoGradMode on(true);
      found = torch::autograd::grad({body->f(leaves)}, wanted, {gradients[0]}, {}, false, /*allow_unused=*/true);
    }
    variable_list result = {Tensor()};
    std::size_t next = 0;
    for (const Tensor& leaf : leaves) result.push_back(leaf.requires_grad() ? found[next++] : Tensor());
    return result;
  }
};

}  // namespace

Tensor recomputed(const Body& f, const std::vector<Tensor>& inputs) {
  // A Function takes no undefined tensors: they stay out, and get their places back.
  std::vector<Tensor> defined;
  for (const Tensor& input : inputs)
    if (input.defined()) defined.push_back(input);
  std::vector<bool> there;
  for (const Tensor& input : inputs) there.push_back(input.defined());
  const Body body = [f, there](const std::vector<Tensor>& given) {
    std::vector<Tensor> all(there.size());
    std::size_t next = 0;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (there[i]) all[i] = given[next++];
    return f(all);
  };
  return Recomputed::apply(c10::make_intrusive<Holder>(body), at::TensorList(defined));
}

}  // namespace stride
