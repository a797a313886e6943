#include "solvers/gradients/wanted_tensors.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unordered_set>

namespace stride {
namespace {

using torch::autograd::Node;

void add(std::vector<Tensor>& wanted, const Tensor& tensor) {
  if (!tensor.defined() || !tensor.requires_grad()) return;
  for (const Tensor& other : wanted)
    if (other.is_same(tensor)) return;
  wanted.push_back(tensor);
}
void add(std::vector<Tensor>& wanted, const std::optional<Tensor>& tensor) {
  if (tensor) add(wanted, *tensor);
}
void add(std::vector<Tensor>& wanted, const BatchState& state) {
  for (const Tensor& slot : state.slots()) add(wanted, slot);
}

}  // namespace

std::vector<Tensor> wanted_tensors(const RunConstant& constant, const std::vector<Tensor>& parameters) {
  std::vector<Tensor> wanted;
  RunConstant::each([&](const char* /*name*/, const auto& field) { add(wanted, field); }, constant);
  for (const Tensor& parameter : parameters) add(wanted, parameter);
  return wanted;
}

void check_listed(const std::vector<Tensor>& results, const std::vector<Tensor>& listed) {
  std::unordered_set<Node*> seen;
  std::vector<torch::autograd::Edge> edges;  // they keep nodes alive, whose addresses would come up again else
  for (const Tensor& tensor : listed) {
    edges.push_back(torch::autograd::impl::gradient_edge(tensor));
    seen.insert(edges.back().function.get());
  }
  std::vector<Node*> waiting;
  const auto meet = [&](Node* node) {
    if (node != nullptr && seen.insert(node).second) waiting.push_back(node);
  };
  for (const Tensor& result : results)
    if (result.grad_fn()) meet(result.grad_fn().get());
  while (!waiting.empty()) {
    Node* const node = waiting.back();
    waiting.pop_back();
    if (const auto* leaf = dynamic_cast<const torch::autograd::AccumulateGrad*>(node))
      throw UsageError(
          fmt::format("sample_with_gradients: the denoiser uses a tensor of shape [{}] that requires a gradient and is "
                      "not in `parameters`; list it there, or turn its requires_grad off",
                      fmt::join(leaf->variable.sizes(), ", ")));
    for (const torch::autograd::Edge& edge : node->next_edges()) meet(edge.function.get());
  }
}

}  // namespace stride
