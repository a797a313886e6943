// Noise schedules: their end points, the σ ↔ timestep map both ways, zero terminal SNR.
#include "framework/grids/noise_schedule.h"
#include "framework/error.h"
#include "framework/grids/timestep_table.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <cmath>
#include <fstream>

namespace stride {
namespace {

NoiseSchedule noise(const std::string& text) { return make_noise_schedule(Spec::parse(text)); }

}  // namespace

TEST_CASE("noise schedule: σ and timestep are each other's inverse, clamped at both ends", "[noise-schedule]") {
  std::vector<std::string> all = noise_schedule_names();
  for (const char* options : {":interpolation=linear", ":steps=50", ":steps=2"})
    for (const std::string& name : noise_schedule_names()) all.push_back(name + options);
  for (const char* text : {"scaled_linear:rescale_zero_snr=1", "linear:rescale_zero_snr=1,interpolation=linear",
                           "flow:shift=12", "flow:mu=1.15"})
    all.emplace_back(text);
  for (const std::string& text : all) {
    CAPTURE(text);
    const NoiseSchedule schedule = noise(text);
    const TimestepTable table(schedule, at::kCPU);
    const auto last = static_cast<double>(schedule.size() - 1);
    std::vector<double> timesteps, sigmas;
    for (int i = 0; i <= 200; ++i) {
      timesteps.push_back(last * i / 200.0);
      sigmas.push_back(schedule.sigma(timesteps.back()));
      CHECK(schedule.timestep(sigmas.back()) == Approx(timesteps.back()).margin(1e-8));
    }
    const Tensor batch = table(at::tensor(sigmas, at::kDouble));
    CHECK((batch - at::tensor(timesteps, at::kDouble)).abs().max().item<double>() < 1e-8);
    // Beyond the ends: clamped, both ways, alone and in a batch.
    CHECK(schedule.timestep(1e-9) == 0.0);
    CHECK(schedule.timestep(1e9) == last);
    CHECK(schedule.sigma(-3.0) == schedule.sigmas().front());
    CHECK(schedule.sigma(last + 3.0) == schedule.sigmas().back());
    const Tensor beyond = table(at::tensor({1e-9, 1e9}, at::kDouble));
    CHECK(beyond[0].item<double>() == 0.0);
    CHECK(beyond[1].item<double>() == last);
  }
}

TEST_CASE("noise schedule: known end points", "[noise-schedule]") {
  // √((1 − ᾱ)/ᾱ) at both ends, from the betas' definition: σ₀ = √(β₀/(1 − β₀)).
  const NoiseSchedule linear = noise("linear");
  CHECK(linear.sigmas().front() == Approx(std::sqrt(1e-4 / (1.0 - 1e-4))).epsilon(1e-12));
  CHECK(linear.betas()[999] == Approx(0.02).epsilon(1e-12));
  CHECK(noise("scaled_linear").sigmas().back() == Approx(14.6146).epsilon(1e-4));  // the latent models' known σ_max
  CHECK(noise("squaredcos_cap_v2").sigmas() == noise("cosine").sigmas());
  CHECK(noise("sigmoid").betas()[0] == Approx(1e-4 + 0.0199 / (1.0 + std::exp(6.0))).epsilon(1e-10));
  const NoiseSchedule flow = noise("flow:shift=3");
  CHECK(flow.sigmas()[499] == Approx(3.0).epsilon(1e-14));  // s = ½ is σ = 1
  CHECK(flow.sigmas().back() == 3.0 * 4095.0);
  CHECK(flow.alphas_cumprod()[499] == Approx(0.1).epsilon(1e-14));
}

TEST_CASE("noise schedule: zero terminal SNR keeps the first level and ends at 4096", "[noise-schedule]") {
  for (const char* name : {"linear", "scaled_linear", "cosine", "sigmoid", "laplace"}) {
    CAPTURE(name);
    const NoiseSchedule plain = noise(name), rescaled = noise(std::string(name) + ":rescale_zero_snr=1");
    CHECK(rescaled.sigmas().front() == Approx(plain.sigmas().front()).epsilon(1e-9));
    CHECK(rescaled.sigmas().back() >= 4095.9);
    // Algorithm 1 of arXiv:2305.08891, at one place in the middle.
    const auto root = [](const NoiseSchedule& s, std::size_t t) { return std::sqrt(s.alphas_cumprod()[t]); };
    const double want = (root(plain, 500) - root(plain, 999)) * root(plain, 0) / (root(plain, 0) - root(plain, 999));
    CHECK(root(rescaled, 500) == Approx(want).epsilon(1e-12));
  }
  CHECK(noise("scaled_linear:rescale_zero_snr=1").alphas_cumprod().back() == 0x1p-24);
}

TEST_CASE("noise schedule: custom ones from a file, and what is refused", "[noise-schedule]") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "numbers.txt";
  const auto write = [&](const std::string& text) { std::ofstream(path) << text; };
  write("[0.1, 0.2, 0.5]");
  const NoiseSchedule betas = noise("custom:" + path);
  CHECK(betas.alphas_cumprod()[2] == Approx(0.36).epsilon(1e-14));
  write("0.9\n0.72\n0.36\n");
  CHECK(noise("custom:" + path + ",of=alphas_cumprod").sigmas()[1] == Approx(betas.sigmas()[1]).epsilon(1e-14));
  CHECK(noise("custom:" + path + ",of=alphas_cumprod,rescale_zero_snr=1").sigmas()[2] > 4095.0);
  write("0.1 1 10");
  CHECK(noise("custom:" + path + ",of=sigmas").sigmas() == std::vector<double>{0.1, 1.0, 10.0});
  write("0.1 1 1");
  CHECK_THROWS_WITH(noise("custom:" + path + ",of=sigmas"), contains("timestep 2"));
  CHECK_THROWS_WITH(noise("custom:" + path), contains("between 0 and 1"));
  write("0.1 1 x");
  CHECK_THROWS_WITH(noise("custom:" + path), contains("entry 3"));
  CHECK_THROWS_AS(noise("custom:" + (folder / "none")), InputError);
  CHECK_THROWS_WITH(noise("custom"), contains("custom:FILE"));
  CHECK_THROWS_WITH(noise("custom:" + path + ",of=alpha"), contains("betas, alphas_cumprod or sigmas"));

  CHECK_THROWS_WITH(noise("liner"), contains("did you mean 'linear'"));
  CHECK_THROWS_WITH(noise("linear:steps=1"), contains("steps must lie in"));
  CHECK_THROWS_WITH(noise("linear:beta_end=1.5"), contains("between 0 and 1"));
  CHECK_THROWS_WITH(noise("cosine:beta_end=0.5"), contains("beta_end"));
  CHECK_THROWS_WITH(noise("flow:rescale_zero_snr=1"), contains("rescale_zero_snr"));
  CHECK_THROWS_AS(NoiseSchedule({0.1, 1.0}), UsageError);
  CHECK_THROWS_AS(NoiseSchedule({0.1}), UsageError);
}

}  // namespace stride
