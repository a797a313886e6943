// Guidance, bounds, inpainting and prediction types under every solver of the registry.
#include "tests/solvers/fixtures.h"

#include "framework/error.h"
#include "framework/models/masked_denoiser.h"
#include "framework/models/network_denoiser.h"
#include "framework/models/refine.h"

namespace stride {
namespace {

using namespace fixtures;

TimeGrid grid_of(int64_t steps, Final final) {
  return make_grid(Spec::parse("karras"), {steps, 0.05, 10.0, final, nullptr});
}

int64_t natural_steps(const std::string& name) { return name == "plan" ? 5 : 6; }

// A mixture as a network of any prediction type and time: it undoes what NetworkDenoiser does.
class MixtureNetwork final : public Network {
 public:
  MixtureNetwork(std::shared_ptr<const Denoiser> mixture, std::shared_ptr<const Parameterisation> parameterisation,
                 TimeInput time, std::shared_ptr<const NoiseSchedule> schedule)
      : mixture_(std::move(mixture)),
        parameterisation_(std::move(parameterisation)),
        time_(time),
        schedule_(std::move(schedule)) {}

  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override {
    const Times sigma = level(time);
    const Scalings s = parameterisation_->at(sigma);
    const Tensor x = input / per_sample(s.in, input);
    const Tensor denoised = mixture_->evaluate(x, sigma, condition).denoised;
    return (denoised - per_sample(s.skip, x) * x) / per_sample(s.out, x);
  }

  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override {
    return mixture_->null_condition(condition);
  }

 private:
  [[nodiscard]] Times level(const Tensor& time) const {
    if (time_ == TimeInput::c_noise) return (4.0 * time).exp();
    if (time_ == TimeInput::flow_t) return time / (1.0 - time);
    if (time_ == TimeInput::sigma) return time;
    const Tensor host = time.cpu().contiguous();
    std::vector<double> sigmas;
    for (int64_t i = 0; i < host.numel(); ++i) sigmas.push_back(schedule_->sigma(host[i].item<double>()));
    return at::tensor(sigmas, at::kDouble).to(time.device());
  }

  std::shared_ptr<const Denoiser> mixture_;
  std::shared_ptr<const Parameterisation> parameterisation_;
  TimeInput time_;
  std::shared_ptr<const NoiseSchedule> schedule_;
};

double error_of(const Tensor& a, const Tensor& b) { return ((a - b).abs().max() / b.abs().max()).item<double>(); }

struct Inpainting {
  Tensor image, mask, noise;
};

// Row by row another image; the first coordinate is made anew, the others stay.
Inpainting inpainting(const Tensor& samples) {
  const Tensor shift = samples.to(at::kDouble).unsqueeze(1);
  const Tensor image = at::tensor({0.4, -0.9, 1.3}, at::kDouble).to(device()) + 0.1 * shift;
  const Tensor mask = at::tensor({1.0, 0.0, 0.0}, at::kDouble).to(device()).expand_as(image).contiguous();
  return {image, mask, PhiloxNoise().initial(samples, {3}, at::kDouble)};
}

RunState masked_start(const Setup& setup, const Tensor& samples) {
  const Inpainting known = inpainting(samples);
  RunState state = start(setup, samples);
  state.x = noised(known.image, known.noise, state.sigma);
  state.constant.condition = MaskedDenoiser::condition(state.constant.condition, known.image, known.mask, known.noise);
  return state;
}

// Runs with `guidance` in every variety; rows that take part in none keep their bits.
std::vector<std::pair<std::string, Guidance>> varieties() {
  Guidance rescaled{.scale = 2.5, .rescale = 0.6};
  Guidance of_noise = rescaled;
  of_noise.rescale_of = make_parameterisation("epsilon", 0.5);
  Guidance projected{.scale = 3.0};
  projected.projected = ProjectedGuidance{.eta = 0.2, .norm = 1.0};
  Guidance interval{.scale = 2.0, .rescale = 0.0, .interval_low = 0.2, .interval_high = 4.0};
  Guidance threshold;
  threshold.threshold = DynamicThreshold{.ratio = 0.8};
  Guidance clip;
  clip.clip = 0.7;
  return {{"rescaled", rescaled}, {"of noise", of_noise},   {"projected", projected},
          {"interval", interval}, {"threshold", threshold}, {"clip", clip}};
}

// Well, or with an implicit step unsolved: guidance makes some of them stiff.
bool ended(const RunResult& result) {
  return result.status.eq(static_cast<int8_t>(Status::ok))
      .logical_or(result.status.eq(static_cast<int8_t>(Status::not_converged)))
      .all()
      .item<bool>();
}

}  // namespace

TEST_CASE("guidance: every variety leaves a sample independent of its batch, under every solver", "[guidance]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    const Tensor plain = run({*model, solver, noise, grid}, ids(5)).x;
    for (const auto& [variety, guidance] : varieties()) {
      const auto go = [&, &how = guidance](const Tensor& samples) {
        return sample({*model, flow, noise, how}, solver, FixedGrid(grid),
                      start({*model, solver, noise, grid}, samples));
      };
      CAPTURE(variety);
      const RunResult all = go(ids(5));
      CHECK(ended(all));
      CHECK_FALSE(at::allclose(all.x, plain));
      const int64_t passes = guidance.active() ? 2 : 1;
      CHECK((solver.traits().masked ? all.model_evals.ge(all.nfe * passes).all().item<bool>()
                                    : same_bits(all.model_evals, all.nfe * passes)));
      CHECK(same_bits(all.x.narrow(0, 3, 1), go(ids(1, 3)).x));
    }
  });
}

TEST_CASE("guidance: a run refuses guidance that cannot be", "[guidance]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const auto solver = make_solver("euler");
  const TimeGrid grid = grid_of(3, Final::zero);
  const RunState begin = start({*model, *solver, noise, grid}, ids(1));
  CHECK_THROWS_WITH(sample({*model, flow, noise, {.scale = 2.0, .rescale = 3.0}}, *solver, FixedGrid(grid), begin),
                    contains("rescale"));
}

TEST_CASE("guidance: CFG++ without guidance is the method that it is made of", "[guidance]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const Guidance outside{.scale = 0.6, .rescale = 0.0, .interval_low = 100.0, .interval_high = 200.0};
  for (const auto& [plus, plain] : std::vector<std::pair<std::string, std::string>>{
           {"euler_cfg_pp", "euler"}, {"euler_ancestral_cfg_pp", "euler_ancestral"}}) {
    for (const Final final : {Final::zero, Final::sigma_min}) {
      const TimeGrid grid = grid_of(7, final);
      const auto with = make_solver(plus);
      const auto without = make_solver(plain);
      const Tensor want = run({*model, *without, noise, grid}, ids(4)).x;
      CAPTURE(plus, to_string(final));
      CHECK(error_of(run({*model, *with, noise, grid}, ids(4)).x, want) < 1e-13);
      const RunState begin = start({*model, *with, noise, grid}, ids(4));
      CHECK(error_of(sample({*model, flow, noise, outside}, *with, FixedGrid(grid), begin).x, want) < 1e-13);
      const auto guided_run = [&](const Solver& solver) {
        return sample({*model, flow, noise, {.scale = 0.6}}, solver, FixedGrid(grid), begin).x;
      };
      CHECK_FALSE(at::allclose(guided_run(*with), guided_run(*without)));
    }
  }
}

TEST_CASE("parameterisation: one mixture gives the same samples as a network of every type and time", "[guidance]") {
  const std::shared_ptr<const Denoiser> mixture = three_components();
  const auto schedule = std::make_shared<const NoiseSchedule>(make_noise_schedule(Spec::parse("linear")));
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const std::vector<std::pair<std::string, Guidance>> all_varieties{{"none", {}}, {"guided", {.scale = 2.0}}};
  for (const std::string name : {"euler", "heun", "dpmpp_2m", "euler_ancestral", "lms"}) {
    const auto solver = make_solver(name);
    const TimeGrid grid = grid_of(8, Final::zero);
    const auto go = [&](const Denoiser& model, const Guidance& guidance) {
      return sample({model, flow, noise, guidance}, *solver, FixedGrid(grid),
                    start({model, *solver, noise, grid}, ids(4)))
          .x;
    };
    for (const std::string& prediction : parameterisation_names())
      for (const TimeInput time : {TimeInput::sigma, TimeInput::timestep, TimeInput::c_noise, TimeInput::flow_t}) {
        const std::shared_ptr<const Parameterisation> parameterisation = make_parameterisation(prediction, 0.5);
        const NetworkDenoiser model(mixture->info(),
                                    std::make_shared<MixtureNetwork>(mixture, parameterisation, time, schedule),
                                    parameterisation, time, TimestepTable(*schedule, device()));
        CAPTURE(name, prediction, static_cast<int>(time));
        for (const auto& [variety, guidance] : all_varieties) {
          CAPTURE(variety);
          CHECK(error_of(go(model, guidance), go(*mixture, guidance)) < 1e-10);
        }
      }
  }
}

TEST_CASE("refine: every solver keeps the known part and makes the rest anew", "[refine]") {
  const auto model = three_components();
  const MaskedDenoiser masked(*model);
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    const int64_t steps = natural_steps(name);
    const TimeGrid grid = grid_of(steps, name == "plan" ? Final::sigma_min : Final::zero);
    const Setup setup{*model, solver, noise, grid};
    const auto go = [&](const Tensor& samples) {
      return sample({masked, flow, noise}, solver, FixedGrid(grid), masked_start(setup, samples));
    };
    const RunResult all = go(ids(5));
    const Inpainting known = inpainting(ids(5));
    REQUIRE(ended(all));
    CHECK(all.nfe.eq(solver.traits().nfe(steps, grid.final_zero())).all().item<bool>());
    CHECK((solver.traits().masked || same_bits(all.nfe, all.model_evals)));
    // The last jump is to the denoised image, but for LCM's boundary condition, which keeps a trace of x.
    const double trace = name == "lcm:boundary=true" ? 1e-4 : 1e-9;
    if (grid.final_zero()) CHECK((all.x - known.image).slice(1, 1).abs().max().item<double>() < trace);
    CHECK((all.x - known.image).slice(1, 0, 1).abs().min().item<double>() > 1e-6);
    CHECK(same_bits(all.x.narrow(0, 2, 1), go(ids(1, 2)).x));
    // Rows taken out of a running batch keep their own image.
    RunState state = masked_start(setup, ids(5));
    const FixedGrid controller(grid);
    const Problem problem{masked, flow, noise};
    const int64_t planned = *controller.planned_steps();
    for (int64_t i = 0; i < planned; ++i) {
      if (i == planned / 2) state = state.select(index({4, 1}));
      state = advance(problem, solver, controller, state);
    }
    const Tensor end = grid.final_zero() ? finish(problem, solver, state).x : state.x;
    CHECK(same_bits(end, all.x.index_select(0, index({4, 1}))));
  });
}

TEST_CASE("refine: a deterministic run stays on image + sigma * noise in the known part", "[refine]") {
  const auto model = three_components();
  const MaskedDenoiser masked(*model);
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    if (solver.traits().stochastic || solver.traits().family == "learned") return;
    const TimeGrid grid = grid_of(6, Final::sigma_min);
    const RunState begin = masked_start({*model, solver, noise, grid}, ids(3));
    const Tensor got = sample({masked, flow, noise}, solver, FixedGrid(grid), begin).x;
    const Inpainting known = inpainting(ids(3));
    // A line in σ is not one in σ², the clock of these two: they follow it up to their error.
    if (name.starts_with("sra")) {
      CHECK((got - known.image - grid.end() * known.noise).slice(1, 1).abs().max().item<double>() < 0.1);
      return;
    }
    CHECK((got - known.image - grid.end() * known.noise).slice(1, 1).abs().max().item<double>() < 1e-9);
  });
}

}  // namespace stride
