// What `fast` numerics leave to the batch, policy by policy, and that `exact` leaves nothing: a network's kernels pick
// their algorithms by the batch, and where tolerances decide, they pass rounding on to the steps. The bounds are those
// of docs/cli.md.
#include "framework/full_float32.h"
#include "pipeline/draw.h"
#include "pipeline/model_card.h"
#include "tests/catch_torch.h"

namespace stride {
namespace {

constexpr int64_t kSamples = 6;

struct Row {
  const char* solver;
  const char* policy;
  int64_t steps;
  double bound;  // largest difference of a pixel
  bool exact = false;
};
constexpr double kGridBound = 2e-4, kPolicyBound = 1e-3;
const std::vector<Row> kRows = {{"heun", "fixed", 18, kGridBound},
                                {"dpmpp_3m", "fixed", 50, kGridBound},
                                {"dopri5", "fixed", 20, kGridBound},
                                {"dpmpp_2m_sde", "fixed", 20, kGridBound, true},
                                {"ralston", "pi:atol=0.05", 0, kPolicyBound, true},
                                {"ralston", "pi:atol=0.005", 0, kPolicyBound},
                                {"dopri5", "pi:atol=0.05", 0, kPolicyBound},
                                {"dopri5", "pi:atol=0.001,rtol=0.001", 0, kPolicyBound},
                                {"dpm_adaptive", "pid", 0, kPolicyBound},
                                {"dpm_adaptive", "pid:rtol=0.01,atol=0.001", 0, kPolicyBound}};

void compare_batches(at::Device device) {
  const FullFloat32 no_tf32;
  const LoadedModel model = load_model("digits", device, at::kFloat);
  for (const Row& row : kRows) {
    CAPTURE(row.solver, row.policy);
    SamplerSpec spec;
    spec.solver = row.solver;
    spec.policy = row.policy;
    if (row.steps > 0) spec.steps = row.steps;
    const Sampler sampler = make_sampler(spec, model.info(), &model.source.card, device);
    const auto drawn = [&](int64_t batch, bool exact, int64_t first = 0) {
      DrawSettings settings;
      settings.device = device;
      settings.batch = batch;
      settings.exact = exact;
      for (int64_t i = first; i < kSamples; ++i) settings.seeds.push_back(i);
      const Draws draws = draw(sampler, *model.denoiser, settings);
      CHECK(draws.status.eq(0).all().item<bool>());
      return draws.x;
    };
    const Tensor alone = drawn(1, false);
    for (const int64_t batch : {4, 6}) {  // 4: and a chunk of 2
      const double apart = (drawn(batch, false) - alone).abs().max().item<double>();
      CAPTURE(batch, apart);
      CHECK(apart <= row.bound);
    }
    if (!row.exact) continue;
    const Tensor all = drawn(6, true);
    CHECK(at::equal(drawn(1, true), all));
    CHECK(at::equal(drawn(6, true, kSamples - 1), all.narrow(0, kSamples - 1, 1)));  // with no other beside it
  }
}

}  // namespace

TEST_CASE("numerics: how far a sample may depend on its batch") { compare_batches(at::kCPU); }

TEST_CASE("numerics: how far a sample may depend on its batch, on the GPU", "[cuda]") { compare_batches(at::kCUDA); }

}  // namespace stride
