// Whole runs tile by tile: what `tile` changes of a run, and what it must not.
#include "framework/error.h"
#include "framework/models/lambda_denoiser.h"
#include "pipeline/inverting.h"
#include "pipeline/sample.h"
#include "tests/catch_torch.h"
#include "tests/framework/local_network.h"

#include <fmt/format.h>

namespace stride {
namespace {

using test::image_info;
using test::local_denoiser;

constexpr const char* kExact = "2x3:overlap=1,context=3";  // the network sees 3 pixels far

double apart(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

SampleSettings settings_for(const std::string& tile) {
  SampleSettings out;
  out.steps = 6;
  out.tile = tile;
  out.dtype = at::kDouble;
  return out;
}

const NetworkDenoiser& plain() {
  static const NetworkDenoiser made = local_denoiser(image_info(10, 12));
  return made;
}

const NetworkDenoiser& labelled() {
  static const NetworkDenoiser made = local_denoiser(image_info(10, 12, true));
  return made;
}

Tensor picture(double phase) {
  return (at::arange(3 * 2 * 10 * 12, at::kDouble) * 0.3 + phase).sin().view({3, 2, 10, 12});
}

}  // namespace

TEST_CASE("tiles: a whole run is that of the untiled network, to rounding", "[tiles]") {
  for (const char* solver : {"heun", "dpmpp_2m", "euler_ancestral", "dpmpp_2m_sde"}) {
    INFO(solver);
    const Tensor whole = sample(plain(), solver, settings_for(""), "0-2").x;
    CHECK(apart(sample(plain(), solver, settings_for(kExact), "0-2").x, whole) < 1e-10);
    CHECK(apart(sample(plain(), solver, settings_for("3x4:context=3,at_once=5"), "0-2").x, whole) < 1e-10);
    CHECK(sample(plain(), solver, settings_for("1x1"), "0-2").x.equal(whole));
    CHECK(apart(sample(plain(), solver, settings_for("2x3:context=2"), "0-2").x, whole) > 1e-7);
  }
  SampleSettings adaptive = settings_for("");
  adaptive.steps.reset();
  adaptive.policy = "pi:atol=0.5";
  const SampleResult whole = sample(plain(), "heun", adaptive, "0-2");
  adaptive.tile = kExact;
  const SampleResult tiled = sample(plain(), "heun", adaptive, "0-2");
  CHECK(tiled.nfe.equal(whole.nfe));
  CHECK(apart(tiled.x, whole.x) < 1e-8);
}

TEST_CASE("tiles: with guidance, masks, starts and exact numerics", "[tiles]") {
  const auto check = [](const char* what, SampleSettings settings) {
    INFO(what);
    const SampleResult whole = sample(labelled(), "dpmpp_2m", settings, "0-2");
    settings.tile = kExact;
    const SampleResult tiled = sample(labelled(), "dpmpp_2m", settings, "0-2");
    CHECK(apart(tiled.x, whole.x) < 1e-10);
    CHECK(tiled.model_evals.equal(whole.model_evals));
    settings.tile = "2x3";
    CHECK(apart(sample(labelled(), "dpmpp_2m", settings, "0-2").x, whole.x) > 1e-7);
  };
  SampleSettings guided = settings_for("");
  guided.label = 1;
  guided.guidance = "2:rescale=0.5";
  check("guidance", guided);
  SampleSettings bounded = guided;
  bounded.threshold = "0.9";
  check("a threshold, of the whole sample", bounded);
  SampleSettings started = settings_for("");
  started.start = picture(0.0);
  started.strength = 0.5;
  check("start", started);
  started.mask = picture(1.0).gt(0.0).to(at::kDouble);
  check("mask", started);
  SampleSettings exact = guided;
  exact.exact = true;
  check("exact", exact);
  exact.tile = kExact;
  const Tensor three = sample(labelled(), "dpmpp_2m", exact, "0-2").x;
  exact.batch = 1;
  CHECK(sample(labelled(), "dpmpp_2m", exact, "2").x[0].equal(three[2]));
}

TEST_CASE("tiles: the mask is of the whole image", "[tiles]") {
  SampleSettings settings = settings_for("2x2:overlap=2");
  settings.start = picture(0.0);
  settings.mask = picture(1.0).gt(0.0).to(at::kDouble);
  const Tensor kept = settings.mask.eq(0.0);
  const Tensor x = sample(plain(), "euler", settings, "0-2").x;
  CHECK(apart(x.masked_select(kept), settings.start.masked_select(kept)) < 1e-12);
}

TEST_CASE("tiles: inversion sees them, there and back", "[tiles]") {
  const auto inverted = [](const std::string& tile) {
    SampleSettings settings = settings_for(tile);
    settings.start = picture(0.0);
    const Sampler sampler = make_sampler(plain(), "ddim", settings);
    const DrawSettings drawing = draw_settings(plain(), settings, "0-2");
    const Draws draws = invert_images(sampler, plain(), drawing, 0);
    return std::pair{draws.x, round_trip_error(sampler, plain(), drawing, draws)};
  };
  const auto [whole, back] = inverted("");
  const auto [exact, exactly_back] = inverted(kExact);
  CHECK(apart(exact, whole) < 1e-9);
  CHECK(exactly_back == Approx(back).epsilon(1e-9));
  const auto [rough, roughly_back] = inverted("2x3");
  CHECK(apart(rough, whole) > 1e-7);
  CHECK(std::abs(roughly_back - back) > 1e-9);
}

TEST_CASE("tiles: what cannot be cut is refused by name", "[tiles]") {
  const auto refusal = [](const Denoiser& denoiser, const std::string& tile) -> std::string {
    try {
      (void)sample(denoiser, "euler", settings_for(tile), "0");
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing was refused";
  };
  CHECK_THAT(refusal(plain(), "two"), contains("`tile` two: rows by columns"));
  CHECK_THAT(refusal(plain(), "11x1"), contains("`tile`: the image's height 10"));
  CHECK_THAT(refusal(plain(), "2x2:overlap=7"), contains("overlap of 7"));
  ModelInfo info;
  info.name = "line";
  info.shape = {6};
  const LambdaDenoiser line(info, [](const Tensor& x, const Times&) { return x * 0.5; });
  CHECK_THAT(refusal(line, "2x1"), contains("`tile`: the samples of 'line'"));
}

}  // namespace stride
