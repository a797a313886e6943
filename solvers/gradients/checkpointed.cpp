#include "solvers/gradients/checkpointed.h"

#include "solvers/gradients/wanted_tensors.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace stride {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// f of every tensor that a step changes, in one order; what it returns takes the tensor's place.
template <class F>
RunState mapped(RunState state, F f) {
  struct {
    F& f;
    void operator()(const char* /*name*/, Tensor& field) const { field = f(field); }
    void operator()(const char* /*name*/, BatchState& field) const {
      std::vector<Tensor> slots;
      for (const Tensor& slot : field.slots()) slots.push_back(f(slot));
      field = BatchState(std::move(slots));
    }
  } const each{f};
  RunState::each_changing(each, state);
  return state;
}

// Tensors that gradients flow through, in that order.
std::vector<Tensor> joined_tensors(const RunState& state) {
  std::vector<Tensor> out;
  (void)mapped(state, [&](const Tensor& tensor) {
    if (tensor.requires_grad()) out.push_back(tensor);
    return tensor;
  });
  return out;
}

// A state of its own, at which the graph begins: the same tensors require gradients.
RunState cut(const RunState& state) {
  return mapped(state, [](const Tensor& tensor) {
    return tensor.requires_grad() ? tensor.detach().requires_grad_(true) : tensor;
  });
}

// Carries a segment through AutogradContext::saved_data.
struct Segment final : torch::CustomClassHolder {
  std::vector<RunPart> parts;
  RunState before;
  std::vector<Tensor> wanted;
  RunState after;  ///< what forward came to, for the caller
};

class Checkpointed final : public torch::autograd::Function<Checkpointed> {
 public:
  // `inputs`: joined_tensors of the state, then the wanted tensors. They are here for the graph alone.
  static variable_list forward(AutogradContext* context, const c10::intrusive_ptr<Segment>& segment,
                               at::TensorList /*inputs*/) {
    const at::AutoGradMode on(true);
    RunState state = segment->before;
    for (const RunPart& part : segment->parts) {
      // The graph of one step at a time: the next needs to know only what depends on what.
      const RunState begin = cut(state);
      state = part(begin);
      std::vector<Tensor> listed = joined_tensors(begin);
      listed.insert(listed.end(), segment->wanted.begin(), segment->wanted.end());
      check_listed(joined_tensors(state), listed);
    }
    segment->after = cut(state);
    context->saved_data["segment"] = c10::IValue::make_capsule(segment);
    context->set_materialize_grads(false);
    variable_list out;
    for (const Tensor& tensor : joined_tensors(segment->after)) out.push_back(tensor.detach());
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto segment = c10::static_intrusive_pointer_cast<Segment>(context->saved_data["segment"].toCapsule());
    const at::AutoGradMode on(true);
    const RunState before = cut(segment->before);
    RunState after = before;
    for (const RunPart& part : segment->parts) after = part(std::move(after));
    std::vector<Tensor> from = joined_tensors(before);
    from.insert(from.end(), segment->wanted.begin(), segment->wanted.end());
    const std::vector<Tensor> ends = joined_tensors(after);
    std::vector<Tensor> reached, given;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (!gradients[i].defined()) continue;
      reached.push_back(ends[i]);
      given.push_back(gradients[i]);
    }
    variable_list found(from.size());
    if (!reached.empty())
      found = torch::autograd::grad(reached, from, given, /*retain_graph=*/{}, /*create_graph=*/false,
                                    /*allow_unused=*/true);
    found.insert(found.begin(), Tensor());  // of the segment itself
    return found;
  }
};

}  // namespace

RunState checkpointed(const std::vector<RunPart>& parts, const RunState& state, const std::vector<Tensor>& wanted) {
  std::vector<Tensor> inputs = joined_tensors(state);
  if (inputs.empty() && wanted.empty()) {
    RunState next = state;
    for (const RunPart& part : parts) next = part(std::move(next));
    return next;
  }
  inputs.insert(inputs.end(), wanted.begin(), wanted.end());
  const auto segment = c10::make_intrusive<Segment>();
  segment->parts = parts;
  segment->before = cut(state);
  segment->wanted = wanted;
  const variable_list out = Checkpointed::apply(segment, at::TensorList(inputs));
  const RunState after = std::exchange(segment->after, {});
  std::size_t next = 0;
  return mapped(after, [&](const Tensor& tensor) { return tensor.requires_grad() ? out[next++] : tensor; });
}

}  // namespace stride
