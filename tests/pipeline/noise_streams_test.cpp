// No documented sequence of runs meets its own noise again: what a run leaves may be the next one's beginning.
#include "framework/error.h"
#include "framework/models/gaussian_mixture.h"
#include "pipeline/draw.h"
#include "pipeline/inverting.h"
#include "solvers/registry.h"
#include "tests/catch_torch.h"

#include <cmath>
#include <numeric>

namespace stride {
namespace {

constexpr int64_t kSamples = 4096;
constexpr int64_t kOthers = 1'000'000;  // seeds that no run here has

// A Gaussian of deviation 0.7 in one dimension.
const GaussianMixture& one() {
  static const GaussianMixture model = [] {
    ModelInfo info;
    info.name = "one";
    info.kind = "gaussian_mixture";
    info.shape = {1};
    return GaussianMixture(info, {{1.0}, {{0.0}}, {0.7}, {}});
  }();
  return model;
}

std::vector<std::string> solvers(bool stochastic) {
  std::vector<std::string> out;
  for (const std::string& solver : solver_names()) {
    if (solver == "plan") continue;  // draws nothing, and brings its own grid
    std::vector<std::string> all{solver};
    for (const std::string& options : solver_traits(solver).variants) all.push_back(solver + ":" + options);
    for (const std::string& name : all) {
      SamplerSpec spec;
      spec.solver = name;
      if (make_sampler(spec, one().info()).solver->traits().stochastic == stochastic) out.push_back(name);
    }
  }
  return out;
}

Sampler sampler_of(const std::string& solver, double strength = 1.0) {
  SamplerSpec spec;
  spec.solver = solver;
  spec.steps = 12;
  spec.strength = strength;
  return make_sampler(spec, one().info());
}

Sampler on_levels(const std::string& solver, std::vector<double> levels) {
  SamplerSpec spec;
  spec.solver = solver;
  spec.sigmas = std::move(levels);
  return make_sampler(spec, one().info());
}

DrawSettings seeds_from(int64_t first) {
  DrawSettings out;
  out.seeds.resize(kSamples);
  std::iota(out.seeds.begin(), out.seeds.end(), first);
  out.batch = kSamples;
  out.dtype = at::kDouble;
  return out;
}

double deviation(const Tensor& x) { return x.square().mean().sqrt().item<double>(); }

double correlation(const Tensor& a, const Tensor& b) {
  return (a * b).mean().item<double>() / (deviation(a) * deviation(b));
}

// The same run from the same beginnings, under the seeds that made them and under others: as independent of what the
// beginnings were made of, and of the same spread. What they differ by is 4 of its own deviations at most.
void check_fresh(const std::string& what, const Tensor& own, const Tensor& other, const Tensor& noise) {
  CAPTURE(what, deviation(own), deviation(other), correlation(own, noise), correlation(other, noise));
  CHECK(std::abs(deviation(own) / deviation(other) - 1.0) < 6.0 / std::sqrt(2.0 * kSamples));
  CHECK(std::abs(correlation(own, noise) - correlation(other, noise)) < 6.0 / std::sqrt(kSamples / 2.0));
}

}  // namespace

TEST_CASE("noise streams: refining, refining again, splitting and coming back draw noise of their own", "[streams]") {
  std::vector<std::string> names = solvers(true);
  CHECK(names.size() > 20);
  names.insert(names.end(), {"ddim", "heun", "dpmpp_2m"});  // they draw where a refined run begins
  const DrawSettings own = seeds_from(0), other = seeds_from(kOthers);
  const Tensor noise = unit_normals(own, one().info(), 0, kSamples);
  const Sampler walk = sampler_of("ddim");
  for (const std::string& name : names) DYNAMIC_SECTION(name) {
      const Sampler whole = sampler_of(name), half = sampler_of(name, 0.5);
      const auto run = [&](const Sampler& sampler, DrawSettings settings, Tensor DrawSettings::*given,
                           const Tensor& x) {
        settings.*given = x;
        return draw(sampler, one(), settings).x;
      };
      const auto both = [&](const char* what, const Sampler& sampler, Tensor DrawSettings::*given, const Tensor& x) {
        Tensor mine = run(sampler, own, given, x);
        check_fresh(what, mine, run(sampler, other, given, x), noise);
        return mine;
      };
      const Tensor made = draw(whole, one(), own).x;
      const Tensor refined = both("refine", half, &DrawSettings::start, made);
      (void)both("refine twice", half, &DrawSettings::start, refined);

      const std::vector<double>& levels = whole.grid.sigmas();
      const auto cut = levels.begin() + static_cast<std::ptrdiff_t>(levels.size() / 2);
      const Sampler first = on_levels(name, {levels.begin(), cut + 1}), second = on_levels(name, {cut, levels.end()});
      (void)both("split", second, &DrawSettings::init, draw(first, one(), own).x / *cut);

      DrawSettings images = own;
      images.start = made;
      (void)both("inversion and back", whole, &DrawSettings::init, invert_images(walk, one(), images, 0).x);
    }
}

TEST_CASE("noise streams: deviations are those of the data where the steps are many", "[streams]") {
  // A refined run from noise that it was made of comes out at s(s + σ)/√(s² + σ²), 0.87 here.
  const DrawSettings own = seeds_from(0);
  for (const char* name : {"heun", "euler_ancestral", "er_sde", "dpmpp_2m_sde"}) {
    CAPTURE(name);
    SamplerSpec spec;
    spec.solver = name;
    spec.steps = 100;
    const Sampler whole = make_sampler(spec, one().info());
    spec.strength = 0.5;
    const Sampler half = make_sampler(spec, one().info());
    DrawSettings settings = own;
    for (int i = 0; i < 3; ++i) {
      CAPTURE(i);
      const Tensor x = draw(i == 0 ? whole : half, one(), settings).x;
      CHECK(deviation(x) == Approx(0.7).epsilon(0.06));
      settings.start = x;
    }
  }
}

TEST_CASE("noise streams: a hybrid's legs count the steps on, and draw no noise twice", "[streams]") {
  const DrawSettings own = seeds_from(0);
  SamplerSpec spec;
  spec.solver = "euler_ancestral@12";
  const Tensor whole = draw(make_sampler(spec, one().info()), one(), own).x;
  spec.solver = "euler_ancestral@5,euler_ancestral@7";
  CHECK(at::equal(draw(make_sampler(spec, one().info()), one(), own).x, whole));
}

TEST_CASE("noise streams: the noise of a refined run is a function of seed and start alone", "[streams]") {
  DrawSettings settings = seeds_from(0);
  settings.seeds.resize(7);
  settings.batch = 7;
  const Tensor start = unit_normals(seeds_from(50), one().info(), 0, 7) * 0.7;
  settings.start = start;
  const Sampler sampler = sampler_of("euler_ancestral", 0.5);
  const Tensor all = draw(sampler, one(), settings).x;
  for (const int64_t batch : {1, 3}) {
    settings.batch = batch;
    CHECK(at::equal(draw(sampler, one(), settings).x, all));
  }
  settings.exact = true;
  CHECK(at::allclose(draw(sampler, one(), settings).x, all, 0.0, 1e-12));
  CHECK(at::equal(draw(sampler, one(), for_seeds(settings, {4, 1})).x,
                  draw(sampler, one(), settings).x.index_select(0, at::tensor({4, 1}, at::kLong))));
  // Another picture, other noise; the same numbers in another dtype are the same picture.
  settings.exact = false;
  const Tensor first = unit_normals(settings, one().info(), 0, 7);
  settings.start = start + 1e-3;
  CHECK((unit_normals(settings, one().info(), 0, 7) - first).abs().min().item<double>() > 1e-6);
  settings.start = start.to(at::kFloat);
  const Tensor rounded = unit_normals(settings, one().info(), 0, 7);
  settings.start = start.to(at::kFloat).to(at::kDouble);
  CHECK(at::equal(unit_normals(settings, one().info(), 0, 7), rounded));
}

}  // namespace stride
