// The captured path against the plain one, on a GPU.
#include "framework/captured.h"

#include "framework/error.h"
#include "tests/solvers/fixtures.h"

namespace stride {
namespace {

using namespace fixtures;

}  // namespace

TEST_CASE("captured: replaying one graph gives every solver's eager result bit for bit", "[captured][cuda]") {
  const auto model = three_components(64);
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    for (const Final final : {Final::zero, Final::sigma_min}) {
      const int64_t steps = name == "plan" ? 5 : 9;
      const TimeGrid grid = make_grid(Spec::parse("karras"), {steps, 0.05, 10.0, final, nullptr});
      const RunState begin = start({*model, solver, noise, grid}, ids(33), at::kFloat);
      const RunResult captured = sample_captured({*model, flow, noise}, solver, FixedGrid(grid), begin);
      const RunResult eager = sample({*model, flow, noise}, solver, FixedGrid(grid), begin);
      CAPTURE(to_string(final));
      CHECK(same_bits(captured.x, eager.x));
      CHECK(same_bits(captured.nfe, eager.nfe));
      CHECK(same_bits(captured.status, eager.status));
    }
  });
}

TEST_CASE("captured: one graph serves other samples, and forbids a look at the device", "[captured][cuda]") {
  const auto model = three_components(8);
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const auto solver = make_solver("lms");
  const TimeGrid grid = make_grid(Spec::parse("karras"), {6, 0.05, 10.0, Final::sigma_min, nullptr});
  const FixedGrid controller(grid);
  CapturedStep step({*model, flow, noise}, *solver, controller, start({*model, *solver, noise, grid}, ids(16)));
  for (const int64_t first : {0, 100}) {
    step.load(start({*model, *solver, noise, grid}, ids(16, first)));
    for (int64_t i = 0; i < *controller.planned_steps(); ++i) step.replay();
    CHECK(same_bits(step.state().x, run({*model, *solver, noise, grid}, ids(16, first)).x));
  }
  class Peeking final : public Denoiser {
   public:
    explicit Peeking(const Denoiser& inner) : inner_(inner) {}
    [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
    [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
      Evaluation out = inner_.evaluate(x, sigma, condition);
      if (out.denoised.sum().item<double>() > 1e30) out.denoised = x;
      return out;
    }

   private:
    const Denoiser& inner_;
  };
  const Peeking peeking(*model);
  CHECK_THROWS(
      CapturedStep({peeking, flow, noise}, *solver, controller, start({*model, *solver, noise, grid}, ids(16))));
}

TEST_CASE("captured: the CPU is refused", "[captured]") {
  if (device().is_cuda()) return;
  const auto model = three_components(2);
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const auto solver = make_solver("euler");
  const TimeGrid grid({2.0, 1.0});
  CHECK_THROWS_WITH(
      CapturedStep({*model, flow, noise}, *solver, FixedGrid(grid), start({*model, *solver, noise, grid}, ids(1))),
      contains("CUDA device"));
}

}  // namespace stride
