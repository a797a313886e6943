// Record trajectories, train a step predictor on them, and let it choose the steps of each sample.
#include <ATen/ATen.h>
#include <stride/stride.h>

#include <cstdio>

int main() {
  const stride::LoadedModel digits = stride::load_model("digits", at::kCPU, at::kFloat);
  const auto store = stride::record(digits, "heun", {.steps = 24}, "0-63", "trajectories");
  const auto trained = stride::train_predictor(store, {.steps = 400});
  trained.predictor.save("predictor.safetensors");

  const auto samples =
      stride::sample(digits, "dpmpp_2m",
                     {.final = "sigma_min", .policy = "predictor:predictor.safetensors,tolerance=0.1"}, "1000-1031");
  const double nfe = samples.nfe.to(at::kDouble).mean().item<double>();
  const double gain = 1.0 - trained.report.loss / trained.report.constant_loss;
  std::printf("held-out loss %.0f %% below the best constant's; %.1f evaluations per sample\n", 100.0 * gain, nfe);
  return gain > 0.3 && nfe > 3.0 && nfe < 40.0 ? 0 : 1;
}
