// A denoiser of your own, and what Stride does with it: sample, steps per sample, fit, record, evaluate.
#include <ATen/ATen.h>
#include <stride/stride.h>

#include <cstdio>

using at::Tensor;

// The exact denoiser of two points, −1 and 1, with a deviation of 0.5, in each of two dimensions: call your network
// here.
Tensor denoise(const Tensor& x, const Tensor& sigma) {
  const Tensor noise = stride::per_sample(sigma.square(), x);
  return (0.25 * x + noise * (x / (0.25 + noise)).tanh()) / (0.25 + noise);
}

int main() {
  const stride::LambdaDenoiser denoiser({.shape = {2}, .sigma_max = 10.0}, denoise);
  const auto samples = stride::sample(denoiser, "dpmpp_2m", {.steps = 20}, "0-1023");
  const auto own = stride::sample(denoiser, "heun", {.policy = "pi:atol=0.05"}, "0-1023");
  const auto plan = stride::fit(denoiser, {.nfe = 5}).plan;
  const auto store = stride::record(denoiser, "heun", {.steps = 32}, "0-63", "own_denoiser");
  const auto table = stride::evaluate(denoiser, {"ipndm", "dpmpp_2m", plan}, {.nfe = {5}});

  const double size = samples.x.square().mean().item<double>();
  std::printf("%smean square with 20 steps %.2f (1.25 is right); pi: %.1f evaluations per sample\n",
              stride::results_table(table).c_str(), size, own.nfe.to(at::kDouble).mean().item<double>());
  const double classic = table.samplers[0].metric("rmse")->all.value,
               fitted = table.samplers[2].metric("rmse")->all.value;
  return std::abs(size - 1.25) < 0.1 && fitted < 0.7 * classic && store.size() == 64 ? 0 : 1;
}
