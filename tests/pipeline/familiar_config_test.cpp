// Configurations of other projects in Stride's words. What they give is compared with diffusers in tests/parity.
#include "pipeline/familiar/familiar_config.h"
#include "framework/error.h"
#include "pipeline/familiar/diffusers_config.h"
#include "pipeline/sampler.h"
#include "solvers/registry.h"
#include "tests/catch_torch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

using Settings = std::map<std::string, std::string>;

FamiliarSettings read(Settings given) { return familiar_settings(std::move(given), "a.json"); }

// The class's defaults as save_config writes them, with some changed.
Settings saved(const std::string& name, const Settings& changed) {
  Settings out;
  for (const DiffusersClass& one : diffusers_classes())
    if (one.name == name) out = one.defaults;
  REQUIRE_FALSE(out.empty());
  for (const auto& [key, value] : changed) out[key] = value;
  std::erase_if(out, [](const auto& entry) { return entry.second == "null"; });
  out["_class_name"] = name;
  out["_diffusers_version"] = "0.30.0";
  return out;
}

Sampler sampler_of(const FamiliarSettings& settings, int64_t steps) {
  const auto get = [&](const char* field, const std::string& otherwise) {
    const auto found = settings.fields.find(field);
    return found == settings.fields.end() ? otherwise : found->second;
  };
  SamplerSpec spec;
  spec.solver = get("solver", "");
  spec.schedule = get("schedule", "karras");
  spec.noise_schedule = get("noise_schedule", "");
  spec.final = parse_final(get("final", "zero"));
  spec.steps = steps;
  if (settings.fields.contains("sigma_min")) spec.sigma_min = std::stod(get("sigma_min", ""));
  if (settings.fields.contains("sigma_max")) spec.sigma_max = std::stod(get("sigma_max", ""));
  ModelInfo model;
  model.kind = "gaussian_mixture";
  return make_sampler(spec, model);
}

}  // namespace

TEST_CASE("familiar: published configurations of diffusers run as they are", "[familiar]") {
  struct Row {
    const char* what;
    const char* name;
    Settings changed;
    Settings fields;
  };
  const Settings latent = {{"beta_schedule", "scaled_linear"}, {"beta_start", "0.00085"}, {"beta_end", "0.012"}};
  const auto with = [&](Settings more) {
    more.insert(latent.begin(), latent.end());
    return more;
  };
  const Row rows[] = {
      {"Stable Diffusion 1.5",
       "PNDMScheduler",
       with({{"skip_prk_steps", "true"}, {"steps_offset", "1"}, {"clip_sample", "false"}}),
       {{"solver", "plms"},
        {"schedule", "diffusers:offset=1,spacing=leading"},
        {"noise_schedule", "scaled_linear"},
        {"final", "sigma_min"},
        {"init_scale", "vp"}}},
      {"Stable Diffusion XL",
       "EulerDiscreteScheduler",
       with({{"timestep_spacing", "leading"},
             {"steps_offset", "1"},
             {"sample_max_value", "1"},
             {"skip_prk_steps", "true"}}),
       {{"solver", "euler"},
        {"schedule", "leading:offset=1"},
        {"noise_schedule", "scaled_linear"},
        {"init_scale", "vp"}}},
      {"Stable Diffusion 3",
       "FlowMatchEulerDiscreteScheduler",
       {{"shift", "3"}},
       {{"solver", "euler"}, {"schedule", "flow:shift=3"}, {"init_scale", "flow"}}},
      {"LCM",
       "LCMScheduler",
       {},
       {{"solver", "lcm:boundary=true"},
        {"schedule", "lcm"},
        {"noise_schedule", "scaled_linear"},
        {"init_scale", "vp"}}},
      {"DPM++ 2M Karras",
       "DPMSolverMultistepScheduler",
       with({{"use_karras_sigmas", "true"}, {"lambda_min_clipped", "-inf"}}),
       {{"solver", "dpmpp_2m:lower_order_final=true,solver_type=midpoint"},
        {"schedule", "diffusers:curve=karras,family=dpm_solver"},
        {"noise_schedule", "scaled_linear"},
        {"init_scale", "vp"}}},
      {"DPM++ 2M SDE Karras",
       "DPMSolverMultistepScheduler",
       with({{"use_karras_sigmas", "true"}, {"algorithm_type", "sde-dpmsolver++"}}),
       {{"solver", "dpmpp_2m_sde:solver_type=midpoint"},
        {"schedule", "diffusers:curve=karras,family=dpm_solver"},
        {"noise_schedule", "scaled_linear"},
        {"init_scale", "vp"}}},
      {"DDIM with zero terminal SNR",
       "DDIMScheduler",
       with({{"rescale_betas_zero_snr", "true"},
             {"timestep_spacing", "trailing"},
             {"prediction_type", "v_prediction"},
             {"clip_sample", "false"}}),
       {{"solver", "ddim"},
        {"schedule", "trailing"},
        {"noise_schedule", "scaled_linear:rescale_zero_snr=true"},
        {"init_scale", "vp"}}},
      {"DDPM of the paper",
       "DDPMScheduler",
       {},
       {{"solver", "ddpm:variance=fixed_small"},
        {"schedule", "leading"},
        {"noise_schedule", "linear"},
        {"clip", "true"},
        {"init_scale", "vp"}}},
      {"EDM",
       "EDMEulerScheduler",
       {},
       {{"solver", "euler"},
        {"schedule", "karras"},
        {"sigma_min", "0.002"},
        {"sigma_max", "80"},
        {"init_scale", "vp"}}},
      {"UniPC",
       "UniPCMultistepScheduler",
       with({{"solver_order", "3"}, {"disable_corrector", "[]"}}),
       {{"solver", "unipc:lower_order_final=true,order=3"},
        {"schedule", "linspace:variant=dpm_solver"},
        {"noise_schedule", "scaled_linear"},
        {"init_scale", "vp"}}},
      {"DeepFloyd's thresholds",
       "DPMSolverMultistepScheduler",
       {{"beta_schedule", "squaredcos_cap_v2"}, {"thresholding", "true"}, {"sample_max_value", "1.5"}},
       {{"solver", "dpmpp_2m:lower_order_final=true,solver_type=midpoint"},
        {"schedule", "linspace:variant=dpm_solver"},
        {"noise_schedule", "cosine"},
        {"threshold", "0.995:max=1.5"},
        {"init_scale", "vp"}}},
      {"Stable Video Diffusion",
       "EulerDiscreteScheduler",
       with({{"use_karras_sigmas", "true"},
             {"sigma_min", "0.002"},
             {"sigma_max", "700"},
             {"prediction_type", "v_prediction"},
             {"timestep_type", "continuous"}}),
       {{"solver", "euler"},
        {"schedule", "karras"},
        {"noise_schedule", "scaled_linear"},
        {"sigma_min", "0.002"},
        {"sigma_max", "700"}}},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    const FamiliarSettings settings = read(saved(row.name, row.changed));
    CHECK(settings.fields == row.fields);
    CHECK(settings.own.empty());
    CHECK_NOTHROW(sampler_of(settings, 10));
  }
}

TEST_CASE("familiar: every class with its defaults, and by its name as a sampler, is a sampler", "[familiar]") {
  for (const DiffusersClass& one : diffusers_classes()) {
    INFO(one.name);
    const FamiliarSettings settings = read(saved(one.name, {}));
    CHECK_NOTHROW(sampler_of(settings, 10));
    CHECK(read({{"sampler", one.name}}).fields == settings.fields);
    // Upper case does not count.
    std::string folded = folded_name(one.name);
    CHECK(read({{"sampler", folded}}).fields == settings.fields);
  }
  // 14.61, where its distillation began, and not a tenth below it.
  const Sampler lcm = sampler_of(read({{"sampler", "LCMScheduler"}, {"schedule", "scaled_linear"}}), 4);
  CHECK(lcm.grid.start() == Approx(14.6146).epsilon(1e-4));
}

TEST_CASE("familiar: what has no counterpart is named, and what changes nothing is noted", "[familiar]") {
  struct Row {
    const char* name;
    Settings changed;
    std::string says;
  };
  const Row refused[] = {
      {"DPMSolverMultistepScheduler", {{"algorithm_type", "sde-dpmsolver"}}, "algorithm_type sde-dpmsolver"},
      {"DPMSolverMultistepScheduler",
       {{"final_sigmas_type", "sigma_min"}, {"euler_at_final", "true"}},
       "euler_at_final"},
      {"DPMSolverMultistepScheduler", {{"solver_order", "4"}}, "solver_order 4"},
      {"EulerDiscreteScheduler", {{"trained_betas", "[0.1, 0.2]"}}, "custom:FILE"},
      {"EulerDiscreteScheduler", {{"use_karras_sigmas", "true"}, {"use_beta_sigmas", "true"}}, "use_beta_sigmas"},
      {"EulerDiscreteScheduler", {{"timestep_spacing", "logspace"}}, "leading, trailing, linspace"},
      {"HeunDiscreteScheduler", {{"beta_schedule", "exp"}}, "beta_schedule exp"},
      {"DDIMScheduler", {{"clip_sample_range", "2"}}, "clip_sample_range 2"},
      {"UniPCMultistepScheduler", {{"disable_corrector", "[0, 1]"}}, "disable_corrector"},
      {"UniPCMultistepScheduler", {{"predict_x0", "false"}}, "predict_x0"},
      {"FlowMatchEulerDiscreteScheduler", {{"invert_sigmas", "true"}}, "invert_sigmas true"},
      {"FlowMatchEulerDiscreteScheduler", {{"use_karras_sigmas", "true"}}, "no counterpart"},
  };
  for (const Row& row : refused) {
    INFO(row.name << ": " << row.says);
    CHECK_THROWS_WITH(read(saved(row.name, row.changed)), contains(row.says));
    CHECK_THROWS_WITH(read(saved(row.name, row.changed)), contains("a.json"));
  }
  CHECK_THROWS_WITH(read({{"_class_name", "EulerDiscretScheduler"}}),
                    contains("did you mean 'EulerDiscreteScheduler'"));
  CHECK_THROWS_WITH(read({{"_class_name", "KarrasVeScheduler"}}), contains("no counterpart here"));
  const FamiliarSettings settings =
      read(saved("EulerDiscreteScheduler", {{"skip_prk_steps", "true"}, {"prediction_type", "v_prediction"}}));
  const std::string notes = fmt::format("{}", fmt::join(settings.notes, "\n"));
  CHECK(notes.find("skip_prk_steps: no settings of EulerDiscreteScheduler") != std::string::npos);
  CHECK(notes.find("prediction_type") != std::string::npos);
  CHECK(notes.find("_diffusers_version") == std::string::npos);
  CHECK(read(saved("FlowMatchEulerDiscreteScheduler", {{"use_dynamic_shifting", "true"}})).fields.at("schedule") ==
        "flow:image=true");
  // An image's size with the dynamic shift; an option of the solver; a mistyped one.
  CHECK(read(saved("FlowMatchEulerDiscreteScheduler", {{"use_dynamic_shifting", "true"}, {"mu", "0.8"}}))
            .fields.at("schedule") == "flow:mu=0.8");
  CHECK(read({{"sampler", "DDIMScheduler"}, {"eta", "0.5"}}).fields.at("solver") == "ddim:eta=0.5");
  CHECK(read({{"sampler", "DDIMScheduler"}, {"etta", "0.5"}}).fields.at("solver") == "ddim:etta=0.5");  // refused there
}

TEST_CASE("familiar: names are read as they are written", "[familiar]") {
  const auto field = [](Settings given, const char* name) {
    const FamiliarSettings settings = read(std::move(given));
    return settings.fields.contains(name) ? settings.fields.at(name) : std::string();
  };
  CHECK(field({{"sampler", "euler"}, {"schedule", "custom:tmp/Levels.txt"}}, "schedule") == "custom:tmp/Levels.txt");
  CHECK(field({{"sampler", "euler"}, {"schedule", "SGM Uniform"}}, "schedule") == "sgm_uniform");
  CHECK(field({{"sampler", "euler"}, {"schedule", "KARRAS:rho=5"}}, "schedule") == "karras:rho=5");
  CHECK(field({{"sampler", "euler"}, {"schedule", "FlowMatchEulerDiscreteScheduler"}}, "schedule") == "flow");
  CHECK(field({{"sampler", "euler"}, {"schedule", "Squaredcos_Cap_V2"}}, "noise_schedule") == "cosine");
  CHECK(field({{"sampler", "dpm_2"}, {"schedule", "normal"}}, "solver") == "dpm_2");
  CHECK(field({{"sampler", "DPM2 Karras"}}, "solver") == "DPM2");
  CHECK(field({{"sampler", "DPM2 Karras"}}, "schedule") == "karras");
}

TEST_CASE("familiar: a name that is a grid and betas is the grid, unless the file has settings of betas",
          "[familiar]") {
  const FamiliarSettings grid = read({{"sampler", "euler"}, {"steps", "10"}, {"scheduler", "flow:shift=3"}});
  CHECK(grid.fields == Settings{{"solver", "euler"}, {"steps", "10"}, {"schedule", "flow:shift=3"}});
  CHECK(sampler_of(grid, 10).grid.start() == Approx(12285));
  REQUIRE(grid.notes.size() == 1);
  CHECK(grid.notes[0].find("is read as the grid") != std::string::npos);
  const FamiliarSettings betas =
      read({{"sampler", "euler"}, {"scheduler", "flow:shift=3"}, {"timestep_spacing", "trailing"}});
  CHECK(betas.fields == Settings{{"solver", "euler"}, {"schedule", "trailing"}, {"noise_schedule", "flow:shift=3"}});
  CHECK(betas.notes.at(0).find("is read as the noise schedule") != std::string::npos);
  CHECK(read({{"sampler", "euler"}, {"beta_schedule", "flow:shift=3"}}).fields.at("schedule") == "leading");
  CHECK_THROWS_WITH(read({{"sampler", "euler"}, {"schedule", "karras"}, {"spacing", "leading"}}), contains("keep one"));
  CHECK_THROWS_WITH(read({{"sampler", "DPM++ 2M Karras"}, {"schedule", "exponential"}}), contains("'karras'"));
}

}  // namespace stride
