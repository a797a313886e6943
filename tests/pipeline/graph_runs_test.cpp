// Runs as CUDA graphs in draw: the samples of the plain loop to rounding, whatever the batch, the noise and the masks.
#include "framework/error.h"
#include "framework/full_float32.h"
#include "framework/models/gaussian_mixture.h"
#include "pipeline/draw.h"
#include "pipeline/model_card.h"
#include "pipeline/recording.h"
#include "tests/catch_torch.h"
#include "tests/solvers/squaring_solver.h"

#include <c10/cuda/CUDAException.h>
#include <c10/util/Exception.h>

namespace stride {
namespace {

Sampler sampler_of(const LoadedModel& model, const std::string& solver, int64_t steps) {
  SamplerSpec spec;
  spec.solver = solver;
  spec.steps = steps;
  return make_sampler(spec, model.info(), &model.source.card, at::kCUDA);
}

DrawSettings settings_of(int64_t n, int64_t batch) {
  DrawSettings settings;
  settings.device = at::kCUDA;
  settings.batch = batch;
  for (int64_t i = 0; i < n; ++i) settings.seeds.push_back(i);
  return settings;
}

double apart(const Draws& a, const Draws& b) { return (a.x - b.x).abs().max().item<double>(); }

void check_same(const Draws& graphs, const Draws& plain, double bound) {
  CHECK(graphs.stepwise.empty());
  CHECK(graphs.capture_seconds > 0.0);
  CHECK(apart(graphs, plain) <= bound);
  CHECK(at::equal(graphs.seeds, plain.seeds));
  CHECK(at::equal(graphs.status, plain.status));
  CHECK(at::equal(graphs.steps, plain.steps));
  CHECK(at::equal(graphs.nfe, plain.nfe));
  CHECK(at::equal(graphs.model_evals, plain.model_evals));
}

}  // namespace

TEST_CASE("graphs: on the CPU there are none, and nothing is said of it") {
  const LoadedModel model = load_model("digits", at::kCPU, at::kFloat);
  const Sampler sampler = make_sampler({}, model.info(), &model.source.card, at::kCPU);
  DrawSettings settings = settings_of(3, 2);
  settings.device = at::kCPU;
  const Draws plain = draw(sampler, *model.denoiser, settings);
  settings.graphs = true;
  const Draws same = draw(sampler, *model.denoiser, settings);
  CHECK(at::equal(plain.x, same.x));
  CHECK(same.stepwise.empty());
  CHECK(same.capture_seconds == 0.0);
}

TEST_CASE("graphs: samples of the plain loop, chunk by chunk", "[cuda]") {
  const FullFloat32 no_tf32;
  const LoadedModel model = load_model("digits", at::kCUDA, at::kFloat);
  for (const char* solver : {"dpmpp_2m", "dpmpp_3m", "unipc", "heun", "euler_ancestral", "dpmpp_2m_sde", "sa_solver",
                             "ipndm", "implicit_euler", "euler_cfg_pp", "ddim@3,heun@3"}) {
    CAPTURE(solver);
    const Sampler sampler = sampler_of(model, solver, 6);
    DrawSettings settings = settings_of(21, 8);  // the last chunk has 5
    const Draws plain = draw(sampler, *model.denoiser, settings);
    settings.graphs = true;
    check_same(draw(sampler, *model.denoiser, settings), plain, 2e-4);
    settings.exact = true;
    const Draws exact = draw(sampler, *model.denoiser, settings);
    settings.batch = 3;
    CHECK(at::equal(draw(sampler, *model.denoiser, settings).x, exact.x));
  }
}

TEST_CASE("graphs: guidance, starts, masks and noise from files", "[cuda]") {
  const FullFloat32 no_tf32;
  const LoadedModel model = load_model("digits", at::kCUDA, at::kFloat);
  const Sampler sampler = sampler_of(model, "dpmpp_2m_sde", 6);
  const std::vector<int64_t> shape = model.info().shape;
  const auto rows = [&](int64_t n) {
    std::vector<int64_t> out = {n};
    out.insert(out.end(), shape.begin(), shape.end());
    return out;
  };
  const auto both = [&](DrawSettings settings) {
    const Draws plain = draw(sampler, *model.denoiser, settings);
    settings.graphs = true;
    check_same(draw(sampler, *model.denoiser, settings), plain, 5e-4);
  };
  DrawSettings settings = settings_of(12, 8);
  if (!model.info().conditions.empty()) {
    settings.label = 3;
    settings.guidance.scale = 2.5;
    both(settings);
    settings.guidance.rescale = 0.5;
    both(settings);
  }
  settings = settings_of(12, 8);
  settings.start = at::rand(rows(12), at::TensorOptions().dtype(at::kFloat));
  both(settings);
  settings.mask = at::rand(rows(12), at::TensorOptions().dtype(at::kFloat)).round();
  both(settings);
  settings = settings_of(12, 8);
  std::vector<int64_t> draws = rows(12);
  draws.insert(draws.begin(), 8);
  settings.noise = at::randn(draws, at::TensorOptions().dtype(at::kFloat));
  both(settings);
  settings.noise = settings.noise.narrow(0, 0, 2);
  settings.graphs = true;
  CHECK_THROWS_AS(draw(sampler, *model.denoiser, settings), InputError);
}

TEST_CASE("graphs: noise from a file whose draws nobody can count goes step by step, and is counted there", "[cuda]") {
  const LoadedModel model = load_model("digits", at::kCUDA, at::kFloat);
  SamplerSpec spec;
  spec.own_solver = std::make_shared<testing::SquaringSolver>();
  spec.steps = 4;
  const Sampler sampler = make_sampler(spec, model.info(), &model.source.card, at::kCUDA);
  DrawSettings settings = settings_of(5, 3);
  std::vector<int64_t> shape = {1, 5};
  shape.insert(shape.end(), model.info().shape.begin(), model.info().shape.end());
  settings.noise = at::randn(shape, at::TensorOptions().dtype(at::kFloat));
  const Draws plain = draw(sampler, *model.denoiser, settings);
  settings.graphs = true;
  const Draws draws = draw(sampler, *model.denoiser, settings);
  CHECK_THAT(draws.stepwise, contains("cannot be counted"));
  CHECK(at::equal(draws.x, plain.x));
}

TEST_CASE("graphs: kept from call to call, and trajectories", "[cuda]") {
  const FullFloat32 no_tf32;
  const LoadedModel model = load_model("digits", at::kCUDA, at::kFloat);
  const Sampler sampler = sampler_of(model, "ipndm", 6);
  DrawSettings settings = settings_of(8, 8);
  settings.graphs = true;
  GraphRuns graphs(sampler, *model.denoiser, settings.guidance);
  DrawHooks hooks;
  hooks.graphs = &graphs;
  const Draws first = draw(sampler, *model.denoiser, settings, hooks);
  const Draws again = draw(sampler, *model.denoiser, settings, hooks);
  CHECK(first.capture_seconds > 0.0);
  CHECK(again.capture_seconds == 0.0);
  CHECK(at::equal(first.x, again.x));
  CHECK(graphs.rows() == 8);
  // One batch that nobody will ask for again is not captured, and has the same bits.
  const Draws lone = draw(sampler, *model.denoiser, settings);
  CHECK(lone.capture_seconds == 0.0);
  CHECK(lone.stepwise.empty());
  CHECK(at::equal(lone.x, first.x));
  CHECK(at::equal(lone.nfe, first.nfe));

  hooks = {};
  hooks.points = {0, 2, 6};
  std::vector<Tensor> x, denoised;
  hooks.trajectory = [&](const Tensor&, const TrajectoryBatch& batch) {
    x.push_back(batch.x.cpu());
    denoised.push_back(batch.denoised.cpu());
  };
  const auto trajectories = [&](bool as_graphs) {
    x.clear();
    denoised.clear();
    DrawSettings each = settings_of(21, 8);
    each.graphs = as_graphs;
    (void)draw(sampler, *model.denoiser, each, hooks);
    return std::pair(at::cat(x), at::cat(denoised));
  };
  const auto plain = trajectories(false), fast = trajectories(true);
  CHECK(plain.first.sizes() == fast.first.sizes());
  CHECK((plain.first - fast.first).abs().max().item<double>() <= 1e-3);
  CHECK((plain.second - fast.second).abs().max().item<double>() <= 2e-4);
}

TEST_CASE("graphs: a model that looks at its device runs step by step, and says so", "[cuda]") {
  class Peeking final : public Denoiser {
   public:
    explicit Peeking(const Denoiser& inner) : inner_(inner) {}
    [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
    [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
      if (x.sum().item<double>() > 1e30) throw InputError("never");
      return inner_.evaluate(x, sigma, condition);
    }

   private:
    const Denoiser& inner_;
  };
  const LoadedModel model = load_model("digits", at::kCUDA, at::kFloat);
  const Peeking peeking(*model.denoiser);
  const Sampler sampler = sampler_of(model, "dpmpp_2m", 6);
  DrawSettings settings = settings_of(5, 3);
  settings.graphs = true;
  const Draws draws = draw(sampler, peeking, settings);
  CHECK_FALSE(draws.stepwise.empty());
  CHECK(draws.status.eq(0).all().item<bool>());
}

TEST_CASE("graphs: out of memory on the device halves the batch, or fails", "[cuda]") {
  // As much memory for a row as half of what the device has for 1,500 of them.
  class Hungry final : public Denoiser {
   public:
    explicit Hungry(const Denoiser& inner) : inner_(inner) {
      std::size_t free = 0, total = 0;
      C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
      row_bytes_ = static_cast<int64_t>(total / 1500);
    }
    [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
    [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
      const Tensor all = at::empty({x.size(0), row_bytes_}, x.options().dtype(at::kByte));
      return inner_.evaluate(x, sigma, condition);
    }

   private:
    const Denoiser& inner_;
    int64_t row_bytes_;
  };
  const FullFloat32 no_tf32;
  const LoadedModel model = load_model("digits", at::kCUDA, at::kFloat);
  const Hungry hungry(*model.denoiser);
  for (const bool graphs : {true, false}) {
    for (const char* policy : {"fixed", "pi:atol=0.05"}) {
      CAPTURE(graphs, policy);
      SamplerSpec spec;
      spec.solver = "heun";
      spec.policy = policy;
      if (spec.policy == "fixed") spec.steps = 6;
      const Sampler sampler = make_sampler(spec, model.info(), &model.source.card, at::kCUDA);
      DrawSettings settings = settings_of(2000, 2000);
      settings.graphs = graphs;
      CHECK_THROWS_AS(draw(sampler, hungry, settings), c10::OutOfMemoryError);
      settings.oom_backoff = true;
      const Draws less = draw(sampler, hungry, settings);
      // Two thirds of the memory: room for one, but not for what the steps before a capture leave as well.
      CHECK(less.batch == 1000);
      CHECK(less.status.eq(0).all().item<bool>());
      settings.batch = 250;
      const Draws small = draw(sampler, *model.denoiser, settings);
      CHECK(apart(less, small) <= 1e-3);
      CHECK(less.stepwise.empty());
    }
  }
}

TEST_CASE("graphs: tiles are captured with the rest", "[cuda]") {
  const FullFloat32 no_tf32;
  const LoadedModel model = load_model("digits", at::kCUDA, at::kFloat);
  const Sampler sampler = sampler_of(model, "dpmpp_2m", 6);
  DrawSettings settings = settings_of(5, 4);
  settings.tile = parse_tiling("2x2:overlap=2");
  const Draws plain = draw(sampler, *model.denoiser, settings);
  settings.graphs = true;
  check_same(draw(sampler, *model.denoiser, settings), plain, 2e-4);
}

}  // namespace stride
