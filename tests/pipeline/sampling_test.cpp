// From a sampler's words to samples.
#include "framework/error.h"
#include "framework/models/gaussian_mixture.h"
#include "pipeline/draw.h"
#include "pipeline/file_noise.h"
#include "solvers/plan.h"
#include "solvers/registry.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <fstream>
#include <functional>
#include <new>
#include <set>

namespace stride {
namespace {

ModelInfo mixture_info() {
  ModelInfo info;
  info.name = "mixture";
  info.kind = "gaussian_mixture";
  info.shape = {3};
  info.sha256 = std::string(64, 'e');
  return info;
}

GaussianMixture mixture() {
  return {mixture_info(), {.weights = {1, 2}, .means = {{-1, 0, 0.5}, {1, 0.5, 0}}, .std = {0.3, 0.2}, .classes = {}}};
}

DrawSettings settings_for(int64_t n, int64_t batch) {
  DrawSettings settings;
  for (int64_t i = 0; i < n; ++i) settings.seeds.push_back(10 + i);
  settings.batch = batch;
  return settings;
}

Sampler sampler_for(const std::string& solver, int64_t steps = 6, const std::string& policy = "fixed") {
  SamplerSpec spec;
  spec.solver = solver;
  spec.steps = steps;
  spec.policy = policy;
  return make_sampler(spec, mixture_info());
}

// Stands for a device that runs out of memory beyond `most` rows.
class SmallMemory final : public Denoiser {
 public:
  explicit SmallMemory(int64_t most) : inner_(mixture()), most_(most) {}
  [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
    if (x.size(0) > most_) throw std::bad_alloc();
    return inner_.evaluate(x, sigma, condition);
  }

 private:
  GaussianMixture inner_;
  int64_t most_;
};

}  // namespace

TEST_CASE("sampling: the words of a sampler are checked") {
  const ModelInfo info = mixture_info();
  struct Row {
    std::function<void(SamplerSpec&)> change;
    std::string says;
  };
  const std::vector<Row> rows = {
      {[](SamplerSpec& spec) { spec.solver = "hune"; }, "heun"},
      {[](SamplerSpec& spec) { spec.solver = "euler:steps=3"; }, "steps"},
      {[](SamplerSpec& spec) { spec.schedule = "karas"; }, "karras"},
      {[](SamplerSpec& spec) { spec.schedule = "karras:rho=x"; }, "rho"},
      {[](SamplerSpec& spec) { spec.policy = "pdi"; }, "did you mean 'pi'"},
      {[](SamplerSpec& spec) { spec.policy = "pid:pcoef=1"; }, "did you mean 'pcoeff'"},
      {[](SamplerSpec& spec) { spec.policy = "pid:icoeff=0"; }, "must be positive"},
      {[](SamplerSpec& spec) {
         spec.policy = "pid";
         spec.solver = "dpm_fast";
       },
       "error estimate"},
      {[](SamplerSpec& spec) { spec.policy = "fixed:rtol=1"; }, "rtol"},
      {[](SamplerSpec& spec) { spec.policy = "predictor"; }, "give the file that train-predictor made"},
      {[](SamplerSpec& spec) {
         spec.policy = "pi";
         spec.solver = "ddim";
       },
       "error estimate"},
      {[](SamplerSpec& spec) { spec.policy = "pi:rtol=-1"; }, "rtol"},
      {[](SamplerSpec& spec) { spec.term = "pde"; }, "ode"},
      {[](SamplerSpec& spec) {
         spec.term = "sde";
         spec.solver = "dpmpp_2m";
       },
       "ODEs only"},
      {[](SamplerSpec& spec) { spec.steps = 0; }, "step"},
      {[](SamplerSpec& spec) { spec.nfe = 0; }, "`nfe`"},
      {[](SamplerSpec& spec) { spec.nfe = 4; }, "3 and 5"},
      {[](SamplerSpec& spec) {
         spec.nfe = 5;
         spec.final = Final::sigma_min;
       },
       "4 and 6"},
      {[](SamplerSpec& spec) {
         spec.sigmas = {1, 2};
       },
       ""},
      {[](SamplerSpec& spec) { spec.sigma_min = 100.0; }, "`sigma_min`"},
      {[](SamplerSpec& spec) { spec.noise_schedule = "square"; }, "square"}};
  for (const Row& row : rows) {
    SamplerSpec spec;
    row.change(spec);
    INFO(spec.solver << " " << spec.schedule << " " << spec.policy << " " << row.says);
    try {
      (void)make_sampler(spec, info);
      FAIL_CHECK("nothing was thrown");
    } catch (const UsageError& error) {
      INFO(error.what());
      CHECK(std::string(error.what()).find(row.says) != std::string::npos);
    }
  }
}

TEST_CASE("sampling: nfe finds the steps that cost so much, for every solver and both ends") {
  const NoiseSchedule linear = make_noise_schedule(Spec::parse("linear"));
  for (const std::string& name : solver_names()) {
    if (name == "plan") continue;
    for (const Final final : {Final::zero, Final::sigma_min}) {
      for (const int64_t nfe : {1, 3, 4, 7, 10}) {
        INFO(name << " nfe " << nfe << " final " << to_string(final));
        const auto solver = make_solver(name, {&linear});
        int64_t steps = 0;
        try {
          steps = steps_for_nfe(*solver, nfe, final == Final::zero);
        } catch (const UsageError&) {
          for (int64_t n = 1; n <= nfe; ++n) CHECK(solver->traits().nfe(n, final == Final::zero) != nfe);
          continue;
        }
        CHECK(solver->traits().nfe(steps, final == Final::zero) == nfe);
      }
    }
  }
}

TEST_CASE("sampling: a sample does not depend on the batch, its order or its company") {
  const GaussianMixture denoiser = mixture();
  for (const char* solver : {"heun", "euler_ancestral", "dpmpp_2m"}) {
    INFO(solver);
    const Sampler sampler = sampler_for(solver);
    const Draws all = draw(sampler, denoiser, settings_for(10, 64));
    CHECK(all.x.size(0) == 10);
    CHECK(all.nfe.eq(sampler.claimed_nfe().value()).all().item<bool>());
    for (const int64_t batch : {1, 3, 7}) CHECK(at::equal(draw(sampler, denoiser, settings_for(10, batch)).x, all.x));
    DrawSettings one = settings_for(10, 64);
    one.seeds = {15};
    CHECK(at::equal(draw(sampler, denoiser, one).x[0], all.x[5]));
  }
  DrawSettings exact = settings_for(10, 4);
  exact.exact = true;
  const Sampler pi = sampler_for("heun", 6, "pi:rtol=0.1");
  CHECK(at::equal(draw(pi, denoiser, exact).x, draw(pi, denoiser, settings_for(10, 3)).x));
}

TEST_CASE("sampling: when memory runs out the batch is halved, if asked for") {
  const SmallMemory small(3);
  const GaussianMixture roomy = mixture();
  const Sampler sampler = sampler_for("euler");
  DrawSettings settings = settings_for(10, 8);
  CHECK_THROWS_AS(draw(sampler, small, settings), std::bad_alloc);
  settings.oom_backoff = true;
  const Draws draws = draw(sampler, small, settings);
  CHECK(draws.batch == 2);
  CHECK(at::equal(draws.x, draw(sampler, roomy, settings).x));
  const SmallMemory none(0);
  CHECK_THROWS_AS(draw(sampler, none, settings), std::bad_alloc);
}

TEST_CASE("sampling: stopping keeps the finished chunks") {
  const GaussianMixture denoiser = mixture();
  const Sampler sampler = sampler_for("euler");
  const Draws all = draw(sampler, denoiser, settings_for(10, 2));
  DrawHooks hooks;
  int64_t chunks = 0;
  hooks.chunk = [&](const Tensor&, const RunResult&) { ++chunks; };
  hooks.progress = [&](int64_t done, int64_t, const std::string&) { return done < 6; };
  const Draws draws = draw(sampler, denoiser, settings_for(10, 2), hooks);
  CHECK(draws.stopped);
  CHECK(chunks == 3);
  CHECK(draws.x.size(0) == 6);
  CHECK(at::equal(draws.x, all.x.narrow(0, 0, 6)));

  // Within a chunk, each step of a fixed grid is a part of it.
  std::vector<int64_t> seen;
  hooks.progress = [&](int64_t done, int64_t, const std::string&) { return seen.push_back(done), true; };
  (void)draw(sampler, denoiser, settings_for(10, 10), hooks);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.front() == 0);
  CHECK(seen.back() == 10);
  CHECK(std::set<int64_t>(seen.begin(), seen.end()).size() > 3);

  hooks.progress = [](int64_t, int64_t, const std::string&) { return false; };
  const Draws nothing = draw(sampler, denoiser, settings_for(10, 2), hooks);
  CHECK(nothing.stopped);
  CHECK(nothing.x.sizes() == at::IntArrayRef({0, 3}));
}

TEST_CASE("sampling: given starts and given noise take the place of the seeds' own") {
  const GaussianMixture denoiser = mixture();
  const Sampler sampler = sampler_for("euler_ancestral", 5);
  DrawSettings settings = settings_for(4, 3);
  const Tensor ids = at::tensor(settings.seeds, at::kLong);
  const PhiloxNoise philox;
  const Tensor like = at::empty({4, 3}, at::kFloat);
  std::vector<Tensor> eps;
  for (int64_t step = 0; step < 4; ++step) {
    const Tensor at_step = at::full({4}, step, at::kLong);
    const Times sigma = at::ones({4}, at::kDouble);
    eps.push_back(philox.normal({ids, at_step, at_step, 0, sigma, sigma}, like));
  }
  const Draws own = draw(sampler, denoiser, settings);
  settings.init = philox.initial(ids, {3}, at::kFloat);
  settings.noise = at::stack(eps);
  CHECK(at::equal(draw(sampler, denoiser, settings).x, own.x));

  settings.init_scale = InitScale::vp;
  CHECK(at::allclose(start_points(settings, denoiser.info(), 2.0, 0, 4), settings.init * std::sqrt(5.0)));
  settings.init_scale = InitScale::flow;
  CHECK(at::allclose(start_points(settings, denoiser.info(), 2.0, 0, 4), settings.init * 3.0));
  settings.start = at::ones({4, 3});  // to images σ times the noise is added, whatever the scale
  CHECK(at::allclose(start_points(settings, denoiser.info(), 2.0, 0, 4), settings.init * 2.0 + 1.0));
  settings.start = Tensor();

  const DrawSettings some = for_seeds(settings, {13, 10});
  CHECK(at::equal(some.init[0], settings.init[3]));
  CHECK(at::equal(some.noise.select(1, 1), settings.noise.select(1, 0)));
  CHECK_THROWS_AS(for_seeds(settings, {99}), UsageError);
  const DrawSettings middle = slice_of(settings, 1, 2), same = for_seeds(settings, {11, 12});
  CHECK(middle.seeds == same.seeds);
  CHECK(at::equal(middle.init, same.init));
  CHECK(at::equal(middle.noise, same.noise));

  settings.init_scale = InitScale::sigma;
  for (const int64_t draws : {3, 0}) {
    settings.noise = at::stack(eps).narrow(0, 0, draws);
    CHECK_THROWS_WITH(draw(sampler, denoiser, settings),
                      contains("consumes 4 draws per sample, but /eps has " + std::to_string(draws)));
    CHECK_THROWS_AS(draw(sampler, denoiser, settings), InputError);
  }
}

TEST_CASE("sampling: a plan brings its grid, and only to its own model") {
  const testing::TemporaryFolder folder;
  Plan plan;
  plan.sigmas = {80, 5, 0.5, 0};
  plan.weights = {{1.0}, {1.5, -0.5}, {1.0}};
  plan.scale_time = {1, 1, 1};
  plan.model_sha256 = mixture_info().sha256;
  std::ofstream(folder / "plan.json") << plan.to_json();
  SamplerSpec spec;
  spec.solver = "plan:" + (folder / "plan.json");
  const Sampler sampler = make_sampler(spec, mixture_info());
  CHECK(sampler.grid.sigmas() == plan.sigmas);
  CHECK(sampler.claimed_nfe() == 3);
  CHECK(sampler.spec.schedule == "plan");
  SamplerSpec other = spec;
  other.nfe = 4;
  CHECK_THROWS_AS(make_sampler(other, mixture_info()), UsageError);
  other = spec;
  other.policy = "pi";
  CHECK_THROWS_AS(make_sampler(other, mixture_info()), UsageError);
  ModelInfo stranger = mixture_info();
  stranger.sha256 = std::string(64, '0');
  CHECK_THROWS_AS(make_sampler(spec, stranger), UsageError);
  spec.allow_model_mismatch = true;
  CHECK_NOTHROW(make_sampler(spec, stranger));
}

TEST_CASE("sampling: conditions are labels of the model") {
  ModelInfo info = mixture_info();
  const auto of = [&](const LabelChoice& label) {
    DrawSettings settings;
    settings.seeds = {0, 1};
    settings.label = label;
    return make_condition(info, settings, 0, 2);
  };
  CHECK(of({}).empty());
  CHECK_THROWS_AS(of(1), UsageError);
  info.conditions = {{.name = "class", .classes = 3, .shape = {}}};
  CHECK(at::equal(of(2)[0], at::full({2}, 2, at::kLong)));
  CHECK(at::equal(of({})[0], at::full({2}, -1, at::kLong)));
  CHECK_THROWS_AS(of(3), UsageError);
}

}  // namespace stride
