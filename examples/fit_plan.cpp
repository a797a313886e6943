// Fit a few-step plan to an embedded model, save it, and sample with the file.
#include <ATen/ATen.h>
#include <stride/stride.h>

#include <cstdio>

int main() {
  const stride::LoadedModel digits = stride::load_model("digits", at::kCPU, at::kFloat);
  const auto fitted = stride::fit(
      digits,
      {.nfe = 4, .teacher = "heun:steps=12", .seeds = "0-31", .val_seeds = "100-115", .restarts = 1, .iterations = 4});
  fitted.plan.save("plan4.json");

  const auto teacher = stride::sample(digits, "heun", {.steps = 12}, "1000-1031");
  const auto error = [&](const char* solver, const stride::SampleSettings& settings) {
    const auto samples = stride::sample(digits, solver, settings, "1000-1031");
    return (samples.x - teacher.x).square().mean().sqrt().item<double>();
  };
  const double plan = error("plan:plan4.json", {}), classic = error("ipndm", {.nfe = 4});
  std::printf("4 evaluations, RMSE to the teacher on other seeds: ipndm %.3f, plan %.3f\n", classic, plan);
  return plan < 0.8 * classic ? 0 : 1;
}
