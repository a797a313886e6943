// A denoiser of your own, and what Stride does with it: sample, steps per sample, fit, record, evaluate.
#include <ATen/ATen.h>
#include <stride/stride.h>

#include <cstdio>

using at::Tensor;

// The exact denoiser of two blurred points, −1 and 1, in each of two dimensions: here your network is called.
Tensor denoise(const Tensor& x, const Tensor& sigma) {
  const Tensor noise = stride::per_sample(sigma.square(), x);
  return (0.04 * x + noise * (x / (0.04 + noise)).tanh()) / (0.04 + noise);
}

int main() {
  const stride::LambdaDenoiser denoiser({.shape = {2}}, denoise);
  const auto ten = stride::sample(denoiser, "dpmpp_2m", {.steps = 10}, "0-63");
  const auto own = stride::sample(denoiser, "heun", {.policy = "pi:atol=0.05"}, "0-63");
  const auto plan = stride::fit(denoiser, {.nfe = 5}).plan;
  const auto store = stride::record(denoiser, "heun", {.steps = 32}, "0-63", "own_denoiser");
  const auto table = stride::evaluate(denoiser, {"ipndm", "dpmpp_2m", plan}, {.nfe = {5}});

  const double spread = ten.x.abs().sub(1.0).square().mean().sqrt().item<double>();
  std::printf("%s10 steps: %.3f from the points (0.2 is right); pi: %.1f evaluations per sample\n",
              stride::results_table(table).c_str(), spread, own.nfe.to(at::kDouble).mean().item<double>());
  const double classic = table.samplers[0].metric("rmse")->all.value,
               fitted = table.samplers[2].metric("rmse")->all.value;
  return std::abs(spread - 0.2) < 0.05 && fitted < 0.7 * classic && store.size() == 64 ? 0 : 1;
}
