// Grids: every one is well formed at every number of steps, and the ones with formulas of their own follow them.
#include "framework/error.h"
#include "framework/grids/time_grid.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <set>

namespace stride {
namespace {

NoiseSchedule noise(const std::string& text) { return make_noise_schedule(Spec::parse(text)); }

std::vector<double> levels(const std::string& grid, int64_t steps, Final final = Final::zero,
                           const NoiseSchedule* schedule = nullptr) {
  return make_grid(Spec::parse(grid), {steps, 0.03, 15.0, final, schedule}).sigmas();
}

// The grid's name with nothing, and with each of its variants.
std::vector<std::string> specs(const GridTraits& traits) {
  std::vector<std::string> out{traits.name};
  for (const std::string& options : traits.variants) out.push_back(traits.name + ":" + options);
  return out;
}

}  // namespace

TEST_CASE("grid: every grid is finite and strictly decreasing at any number of steps, or says why not", "[grid]") {
  std::vector<NoiseSchedule> schedules;
  for (const std::string& name : noise_schedule_names()) schedules.push_back(noise(name));
  for (const char* text : {"flow:shift=5", "linear:rescale_zero_snr=1", "scaled_linear:rescale_zero_snr=1",
                           "scaled_linear:interpolation=linear"})
    schedules.push_back(noise(text));
  int64_t built = 0;
  for (const GridTraits& traits : grid_traits()) {
    if (traits.name == "custom") continue;
    for (const std::string& spec : specs(traits))
      for (const NoiseSchedule& schedule : schedules)
        for (const Final final : {Final::zero, Final::sigma_min})
          for (const int64_t steps : {1, 2, 3, 5, 18, 100, 500, 999, 1000}) {
            CAPTURE(spec, steps, to_string(final));
            try {
              // TimeGrid's constructor is what checks the levels.
              const TimeGrid grid = make_grid(Spec::parse(spec), {steps, 0.002, 80.0, final, &schedule});
              ++built;
              CHECK(grid.end() > 0.0);
              // These may have another project's end and number.
              if (spec.find("variant") != std::string::npos || traits.name == "diffusers") continue;
              CHECK(grid.steps() == steps);
              CHECK(grid.final_zero() == (final == Final::zero));
            } catch (const UsageError& error) {
              const std::string says = error.what();
              CAPTURE(says);
              CHECK((says.find("use fewer steps") != std::string::npos ||
                     says.find("leads out of") != std::string::npos));
              CHECK(says.find("schedule '" + traits.name) != std::string::npos);
              // A default grid of 500 steps exists always, one of 1,000 steps unless it needs as many timesteps.
              const int64_t least = traits.name == "lcm" ? 50 : 500;
              CHECK((spec != traits.name || (steps >= least && traits.needs_noise_schedule)));
            }
          }
  }
  CHECK(built > 5000);
}

TEST_CASE("grid: names and aliases are unique, and every variant is among the options", "[grid]") {
  std::set<std::string> seen;
  for (const GridTraits& traits : grid_traits()) {
    CAPTURE(traits.name);
    CHECK(seen.insert(traits.name).second);
    for (const std::string& alias : traits.aliases) CHECK(seen.insert(alias).second);
    CHECK_FALSE(traits.summary.empty());
    CHECK((traits.name == "custom" || !traits.reference.empty()));
    CHECK((traits.differs.find("variant=") == std::string::npos) ==
          (options_text(traits.options).find("variant=") == std::string::npos));
  }
  for (const NoiseScheduleTraits& traits : noise_schedule_traits()) {
    CHECK(seen.insert("noise " + traits.name).second);
    for (const std::string& alias : traits.aliases) CHECK(seen.insert("noise " + alias).second);
  }
}

TEST_CASE("grid: every option is read as it is listed, and refused outside of what is listed", "[grid][options]") {
  const NoiseSchedule linear = noise("linear");
  const auto check = [](const std::string& name, const std::vector<OptionInfo>& options, const auto& make) {
    for (const OptionInfo& option : options) {
      if (option.argument) continue;
      const std::string spec = fmt::format("{}:{}=", name, option.name);
      CAPTURE(spec);
      CHECK_THROWS_WITH(make(spec + "nonsense"), contains(option.name + " must be"));
      if (!option.allowed.empty()) CHECK_THROWS_WITH(make(spec + "-1000000000"), contains(option.allowed));
      const bool of_a_model = spec == "flow:image=";  // whose size there is none of here
      for (const std::string& word : option.choices)
        if (!of_a_model || word == "false") CHECK_NOTHROW(make(spec + word));
      const bool number = option.choices.empty() && !option.fallback.empty() && option.fallback != "N/2";
      const bool owned =
          spec.starts_with("logit_normal:logsnr") || spec == "diffusers:shift=" || spec == "diffusers:timesteps=";
      if (number && !owned) CHECK_NOTHROW(make(spec + option.fallback));
    }
  };
  for (const GridTraits& traits : grid_traits())
    if (traits.name != "custom")
      check(traits.name, traits.options,
            [&](const std::string& spec) { return levels(spec, 5, Final::zero, &linear); });
  for (const NoiseScheduleTraits& traits : noise_schedule_traits())
    if (traits.name != "custom")
      check(traits.name, traits.options, [](const std::string& spec) { return noise(spec); });
}

TEST_CASE("grid: what a request must be", "[grid]") {
  const NoiseSchedule linear = noise("linear");
  CHECK_THROWS_WITH(levels("leading", 1001, Final::zero, &linear), contains("use fewer steps"));
  CHECK_THROWS_WITH(levels("leading", 5), contains("`noise_schedule`"));
  CHECK_THROWS_WITH(levels("beta:variant=comfyui", 5), contains("`noise_schedule`"));
  CHECK_THROWS_WITH(levels("karas", 5), contains("did you mean 'karras'"));
  CHECK_THROWS_WITH(levels("scaled_linear", 5), contains("`noise_schedule` scaled_linear"));
  CHECK_THROWS_WITH(levels("karras:roh=5", 5), contains("did you mean 'rho'"));
  CHECK_THROWS_WITH(levels("karras:rho=0", 5), contains("rho must be above 0"));
  CHECK_THROWS_WITH(levels("simple:variant=a1111", 5, Final::zero, &linear), contains("comfyui or sd_cpp"));
  CHECK_THROWS_WITH(levels("ays:model=sd3", 5), contains("sd15, sdxl or svd"));
  CHECK_THROWS_WITH(levels("flow:shift=3,mu=1", 5), contains("one of shift, mu and seq_len"));
  CHECK_THROWS_WITH(levels("flow:shift=0", 5), contains("shift must be above 0"));
  CHECK_THROWS_WITH(levels("flow:image=true", 5), contains("this model does not have"));
  CHECK(levels("flow:image=true,seq_len=1024", 5) == levels("flow:seq_len=1024", 5));
  CHECK_THROWS_WITH(levels("custom:levels.txt,as=tenths", 5), contains("as must be sigma, flow_t or timestep"));
  CHECK_THROWS_WITH(levels("flow:mu=-1,time_shift=linear", 5), contains("must be positive"));
  CHECK_THROWS_WITH(levels("vp:variant=edm,beta_d=10", 5), contains("beta_d belongs to variant=kdiffusion"));
  CHECK_THROWS_WITH(levels("logit_normal:logsnr_max=10", 5), contains("belongs to variant=diffusers"));
  CHECK_THROWS_WITH(levels("linear_quadratic:linear_steps=5", 5), contains("1 … 4"));
  CHECK_THROWS_WITH(levels("linear_quadratic:threshold=0.9", 5), contains("has no 5 steps"));
  CHECK_THROWS_AS(levels("karras", 0), UsageError);
  CHECK_THROWS_AS(make_grid(Spec::parse("karras"), {5, 80.0, 0.002, Final::zero, nullptr}), UsageError);
}

TEST_CASE("grid: karras and exponential are the formulas", "[grid]") {
  const TimeGrid karras = make_grid(Spec::parse("karras:rho=5"), {6, 0.01, 20.0, Final::zero, nullptr});
  for (std::size_t i = 0; i < 6; ++i) {
    const double u = static_cast<double>(i) / 5.0;
    CHECK(karras.sigmas()[i] ==
          Approx(std::pow(std::pow(20.0, 0.2) + u * (std::pow(0.01, 0.2) - std::pow(20.0, 0.2)), 5.0)).epsilon(1e-13));
  }
  const TimeGrid logsnr = make_grid(Spec::parse("logsnr"), {4, 0.01, 20.0, Final::sigma_min, nullptr});
  for (std::size_t i = 0; i + 1 < 5; ++i)
    CHECK(logsnr.sigmas()[i + 1] / logsnr.sigmas()[i] == Approx(std::pow(0.01 / 20.0, 0.25)).epsilon(1e-13));
}

TEST_CASE("grid: the spacings take the timesteps that they are known for", "[grid]") {
  const NoiseSchedule linear = noise("linear");
  const auto check = [&](const std::string& name, const std::vector<double>& want, Final final = Final::zero) {
    CAPTURE(name);
    std::vector<double> got;
    for (const double sigma : levels(name, 10, final, &linear))
      if (sigma > 0.0) got.push_back(linear.timestep(sigma));
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(want[i]).margin(1e-9));
  };
  // Lin et al. 2023, table 2.
  check("leading", {900, 800, 700, 600, 500, 400, 300, 200, 100, 0});
  check("leading:offset=1", {901, 801, 701, 601, 501, 401, 301, 201, 101, 1});
  check("linspace", {999, 888, 777, 666, 555, 444, 333, 222, 111, 0});
  check("normal", {999, 888, 777, 666, 555, 444, 333, 222, 111, 0});
  check("trailing", {999, 899, 799, 699, 599, 499, 399, 299, 199, 99});
  check("linspace:variant=dpm_solver", {999, 899, 799, 699, 599, 500, 400, 300, 200, 100});
  check("linspace:variant=dpm_solver", {999, 899, 799, 699, 599, 500, 400, 300, 200, 100, 0}, Final::sigma_min);
  check("leading:variant=dpm_solver", {900, 810, 720, 630, 540, 450, 360, 270, 180, 90});
  check("sgm_uniform", {999, 899.1, 799.2, 699.3, 599.4, 499.5, 399.6, 299.7, 199.8, 99.9});
  check("simple", {999, 899, 799, 699, 599, 499, 399, 299, 199, 99});
  check("ddim_uniform", {901, 801, 701, 601, 501, 401, 301, 201, 101, 1});
  check("lcm", {999, 899, 799, 699, 599, 499, 399, 299, 199, 99});
  // A configuration of diffusers that ends at the level of timestep 0; where the levels come there, with one step less.
  check("diffusers:spacing=leading,offset=1", {901, 801, 701, 601, 501, 401, 301, 201, 101, 1, 0}, Final::sigma_min);
  check("diffusers:spacing=leading", {900, 800, 700, 600, 500, 400, 300, 200, 100, 0}, Final::sigma_min);
}

TEST_CASE("grid: the level above 0 is left out of one level more where that is asked for", "[grid]") {
  const NoiseSchedule latent = noise("scaled_linear");
  // ComfyUI's `normal` for dpm_2: 11 levels, of which the tenth stands before the 0.
  const std::vector<double> ten = levels("normal:drop_next_to_last=true", 10, Final::zero, &latent);
  const std::vector<double> eleven = levels("normal", 11, Final::zero, &latent);
  REQUIRE(ten.size() == 11);
  CHECK(ten[9] == Approx(0.344).margin(5e-4));
  for (std::size_t i = 0; i < 10; ++i) CHECK(ten[i] == eleven[i]);
  CHECK(ten.back() == 0.0);
  CHECK(levels("karras:rho=5,drop_next_to_last=false", 5) == levels("karras:rho=5", 5));
  CHECK(levels("karras:drop_next_to_last=1", 1).size() == 2);
  CHECK_THROWS_WITH(levels("karras:drop_next_to_last=true", 5, Final::sigma_min), contains("has no such jump"));
  CHECK_THROWS_WITH(levels("karras:drop_next_to_last=maybe", 5), contains("drop_next_to_last must be"));
}

TEST_CASE("grid: the known numbers of steps of other projects' variants", "[grid]") {
  const NoiseSchedule schedule = noise("scaled_linear");
  const auto steps = [&](const std::string& name, int64_t asked) {
    return static_cast<int64_t>(levels(name, asked, Final::zero, &schedule).size()) - 1;
  };
  for (const auto& [asked, given] :
       {std::pair{7, 8}, {30, 31}, {36, 37}, {60, 63}, {80, 84}, {150, 167}, {600, 999}, {10, 10}})
    CHECK(steps("ddim_uniform:variant=comfyui", asked) == given);
  for (const auto& [asked, given] : {std::pair{200, 199}, {400, 387}, {600, 559}, {20, 20}})
    CHECK(steps("beta:variant=comfyui", asked) == given);
  int64_t different = 0;
  for (int64_t n = 1; n <= 1000; ++n) {
    // Where float32 rounds a place up, two places can meet; that is a different grid too.
    try {
      different +=
          levels("simple", n, Final::zero, &schedule) != levels("simple:variant=sd_cpp", n, Final::zero, &schedule);
    } catch (const UsageError&) {
      ++different;
    }
  }
  CHECK(different == 112);
  CHECK(levels("kl_optimal:variant=a1111", 6) == levels("kl_optimal", 6, Final::sigma_min));
}

TEST_CASE("grid: ays is NVIDIA's table, and keeps or drops its smallest level", "[grid]") {
  CHECK(levels("ays", 10) ==
        std::vector<double>{14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.0});
  CHECK(levels("ays:model=svd", 10)[2] == 15.886);
  CHECK(levels("ays", 10, Final::sigma_min).back() == 0.029);
  const auto kept = levels("ays:variant=a1111", 11);
  CHECK(kept.size() == 12);
  CHECK(kept[10] == 0.029);
  CHECK(levels("ays", 1) == std::vector<double>{14.615, 0.0});
  CHECK(levels("ays", 20)[1] == Approx(std::sqrt(14.615 * 6.475)).epsilon(1e-14));
}

TEST_CASE("grid: flow times are shifted by a factor in EDM coordinates", "[grid]") {
  const auto plain = levels("flow", 7), shifted = levels("flow:shift=3,variant=once", 7);
  const auto by_mu = levels(fmt::format("flow:mu={}", std::log(3.0)), 7);
  const auto linear = levels("flow:mu=3,time_shift=linear", 7);
  for (std::size_t i = 0; i + 1 < plain.size(); ++i) {
    CHECK(shifted[i] == Approx(3.0 * plain[i]).epsilon(1e-14));
    CHECK(by_mu[i] == Approx(shifted[i]).epsilon(1e-14));
    CHECK(linear[i] == shifted[i]);
  }
  CHECK(plain.front() == 4095.0);
  CHECK(plain[6] == Approx(1.0 / 999.0).epsilon(1e-14));
  // 4096 image tokens are max_shift, 256 base_shift.
  CHECK(levels("flow:seq_len=4096", 3)[1] == Approx(levels("flow:mu=1.15", 3)[1]).epsilon(1e-14));
  CHECK(levels("flow:seq_len=256", 3)[1] == Approx(levels("flow:mu=0.5", 3)[1]).epsilon(1e-14));
  // The stretch ends at the flow time that was asked for: σ = 0.1/0.9.
  CHECK(levels("flow:shift_terminal=0.1", 5)[4] == 0.1 / (1.0 - 0.1));
}

TEST_CASE("grid: from a function, a list and a file", "[grid]") {
  const auto function = [](double u) { return 8.0 - 7.0 * u; };
  GridRequest request;
  request.steps = 7;
  const auto seven = make_grid(function, request).sigmas();
  CHECK(seven.size() == 8);
  for (std::size_t i = 0; i < 7; ++i) CHECK(seven[i] == Approx(8.0 - 7.0 * static_cast<double>(i) / 6.0));
  CHECK(seven[7] == 0.0);
  request.final = Final::sigma_min;
  CHECK(make_grid(function, request).sigmas() == std::vector<double>{8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0});
  CHECK_THROWS_WITH(make_grid([](double u) { return 1.0 + u; }, request), contains("strictly decrease"));

  const testing::TemporaryFolder folder;
  const std::string path = folder / "grid.txt";
  std::ofstream(path) << "[14.6, 6.3\n1.5, 0]";
  CHECK(levels("custom:" + path, 3) == std::vector<double>{14.6, 6.3, 1.5, 0.0});
  std::ofstream(path) << "14.6 six";
  CHECK_THROWS_WITH(levels("custom:" + path, 3), contains("entry 2"));
  CHECK_THROWS_AS(levels("custom:" + (folder / "none.txt"), 3), InputError);
}

TEST_CASE("grid: what a list of levels refuses, and where it says the fault lies", "[grid]") {
  CHECK_THROWS_WITH(TimeGrid({1.0}), contains("at least two"));
  CHECK_THROWS_WITH(TimeGrid({1.0, 2.0}), contains("level 1"));
  CHECK_THROWS_WITH(TimeGrid({2.0, 1.0, 1.0}), contains("level 2"));
  CHECK_THROWS_WITH(TimeGrid({2.0, -1.0}), contains("at least 0"));
  CHECK_THROWS_WITH(TimeGrid({2.0, std::nan("")}), contains("finite"));
  CHECK_THROWS_WITH(TimeGrid({2.0, 0.0, 0.0}), contains("strictly decrease"));
}

TEST_CASE("grid: docs/schedules.md has a row for every grid and noise schedule", "[grid]") {
  std::ifstream file(std::string(STRIDE_SOURCE_DIR) + "/docs/schedules.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  const auto has_row = [&](std::vector<std::string> cells) {
    std::string row = "|";
    for (std::string& cell : cells) {
      for (std::size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2) cell.insert(at, "\\");
      row += cell.empty() ? " |" : " " + cell + " |";
    }
    INFO("the page lacks this row: " << row);
    CHECK(page.find(row + "\n") != std::string::npos);
  };
  const auto joined = [](const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "`" : ", `") + word + "`";
    return out;
  };
  for (const GridTraits& grid : grid_traits())
    has_row({"`" + grid.name + "`", joined(grid.aliases), grid.summary, options_text(grid.options), grid.differs,
             grid.reference});
  for (const NoiseScheduleTraits& noise : noise_schedule_traits())
    has_row(
        {"`" + noise.name + "`", joined(noise.aliases), noise.summary, options_text(noise.options), noise.reference});
}

}  // namespace stride
