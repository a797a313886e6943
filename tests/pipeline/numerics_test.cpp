// What `fast` numerics may change: how far samples move when the batch has another size. A network's rows round
// otherwise in batches of another size, and tolerances amplify that.
#include "pipeline/draw.h"
#include "pipeline/model_card.h"
#include "pipeline/sampler.h"
#include "tests/catch_torch.h"

#include <numeric>

namespace stride {
namespace {

// The bounds of docs/cli.md: in data scale, of any element, in float32.
struct Row {
  const char* solver;
  const char* policy;
  double bound;
};

}  // namespace

TEST_CASE("numerics: how far another batch size moves samples is bounded, policy by policy") {
  const LoadedModel model = load_model("digits", at::kCPU, at::kFloat);
  for (const Row& row : std::vector<Row>{{"heun", "fixed", 2e-5},
                                         {"dpmpp_2m", "fixed", 2e-5},
                                         {"dopri5", "pi:atol=0.05", 1.0},
                                         {"heun", "pi:atol=0.01", 1.0},
                                         {"dpm_adaptive", "pid", 1.0}}) {
    CAPTURE(row.solver, row.policy);
    SamplerSpec spec;
    spec.solver = row.solver;
    spec.policy = row.policy;
    const Sampler sampler = make_sampler(spec, model.info(), &model.source.card);
    DrawSettings settings;
    settings.seeds.resize(12);
    std::iota(settings.seeds.begin(), settings.seeds.end(), 0);
    const Tensor all = draw(sampler, *model.denoiser, settings).x;
    for (const int64_t batch : {1, 5}) {
      settings.batch = batch;
      const double moved = (draw(sampler, *model.denoiser, settings).x - all).abs().max().item<double>();
      CAPTURE(batch, moved);
      CHECK(moved <= row.bound);
      std::printf("%s %s %d %g\n", row.solver, row.policy, static_cast<int>(batch), moved);
    }
    // `exact` is the same bits.
    settings.exact = true;
    settings.batch = 1;
    const Tensor exact = draw(sampler, *model.denoiser, settings).x;
    settings.batch = 64;
    CHECK(at::equal(draw(sampler, *model.denoiser, settings).x, exact));
  }
}

}  // namespace stride
