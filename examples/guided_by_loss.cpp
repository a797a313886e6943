// Guidance by a loss on the final images: gradients through all steps of a run move the noise that it starts from.
#include <ATen/ATen.h>
#include <stride/solvers/gradients/sample_with_gradients.h>
#include <stride/stride.h>

#include <cstdio>

using namespace stride;

int main() {
  const LoadedModel digits = load_model("digits", at::kCPU, at::kFloat);
  const Sampler sampler = make_sampler({.solver = "dpmpp_2m", .steps = 16}, digits.info());
  const TimeGrid& grid = sampler.grid;
  const PhiloxNoise noise;
  const Problem problem{*digits.denoiser, *sampler.term, noise};
  const at::Tensor ids = at::arange(8), sigma = at::full({8}, grid.start(), at::kDouble);
  const RunConstant constant{ids, {}, grid.rows(8, at::kCPU), {}};
  // How much brighter the right half of each image is than the left one, with the sign turned.
  const auto loss_of = [](const at::Tensor& x) { return (x.narrow(3, 0, 4) - x.narrow(3, 4, 4)).mean({1, 2, 3}); };

  at::Tensor x = noise.initial(ids, {1, 8, 8}, at::kFloat) * grid.start();
  double before = 0.0, after = 0.0;
  for (int i = 0; i <= 20; ++i) {
    x = x.detach().requires_grad_(true);
    const RunState start = start_run(*sampler.solver, *sampler.controller, constant, x, sigma);
    const RunResult end = sample_with_gradients(problem, *sampler.solver, *sampler.controller, start);
    const at::Tensor loss = loss_of(end.x);
    loss.sum().backward();
    after = loss.mean().item<double>();
    if (i == 0) before = after;
    // A tenth of the noise's length along the gradient; then it is as long as noise is.
    const at::Tensor moved = x.detach() - 0.8 * grid.start() * x.grad() / x.grad().norm(2, {1, 2, 3}, true);
    x = moved * (8.0 * grid.start() / moved.norm(2, {1, 2, 3}, true));
  }
  std::printf("left half less right half: %.3f before, %.3f after 20 steps\n", before, after);
  return after < before - 0.2 ? 0 : 1;
}
