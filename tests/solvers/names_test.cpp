// Samplers as other projects name them.
#include "solvers/names.h"
#include "framework/grids/noise_schedule.h"
#include "solvers/named_variants.h"
#include "solvers/registry.h"

#include "tests/catch_torch.h"

namespace stride {

TEST_CASE("names: what diffusers, ComfyUI, A1111, InvokeAI and k-diffusion call a sampler is found", "[names]") {
  struct Row {
    const char* theirs;
    const char* solver;
    const char* schedule;
  };
  const Row rows[] = {
      // diffusers' classes
      {"DDIMScheduler", "ddim", ""},
      {"DDIMParallelScheduler", "ddim", ""},
      {"DDPMScheduler", "ddpm", ""},
      {"EulerDiscreteScheduler", "euler", ""},
      {"EulerAncestralDiscreteScheduler", "euler_ancestral", ""},
      {"HeunDiscreteScheduler", "heun", ""},
      {"LMSDiscreteScheduler", "lms", ""},
      {"PNDMScheduler", "pndm", ""},
      {"KDPM2DiscreteScheduler", "dpm2", ""},
      {"KDPM2AncestralDiscreteScheduler", "dpm2_ancestral", ""},
      {"DPMSolverMultistepScheduler", "dpmpp_2m:lower_order_final=true", ""},
      {"DPMSolverSDEScheduler", "dpmpp_sde", ""},
      {"DEISMultistepScheduler", "deis:lower_order_final=true,order=2", ""},
      {"UniPCMultistepScheduler", "unipc:lower_order_final=true,order=2", ""},
      {"SASolverScheduler", "sa_solver:corrector=2,predictor=2,simple_order_2=true", ""},
      {"LCMScheduler", "lcm:boundary=true", ""},
      {"TCDScheduler", "tcd", ""},
      // A1111
      {"Euler a", "euler_ancestral", ""},
      {"Euler", "euler", ""},
      {"Heun", "heun", ""},
      {"LMS", "lms", ""},
      {"LMS Karras", "lms", "karras"},
      {"DDIM", "ddim", ""},
      {"PLMS", "plms", ""},
      {"LCM", "lcm", ""},
      {"UniPC", "unipc", ""},
      {"Restart", "restart", ""},
      {"DPM2", "dpm2", ""},
      {"DPM2 a", "dpm2_ancestral", ""},
      {"DPM2 Karras", "dpm2", "karras"},
      {"DPM2 a Karras", "dpm2_ancestral", "karras"},
      {"DPM fast", "dpm_fast", ""},
      {"DPM adaptive", "dpm_adaptive", ""},
      {"DPM++ 2M", "dpmpp_2m", ""},
      {"DPM++ 2M Karras", "dpmpp_2m", "karras"},
      {"DPM++ 2M Exponential", "dpmpp_2m", "exponential"},
      {"DPM++ 2M SGM Uniform", "dpmpp_2m", "sgm_uniform"},
      {"DPM++ 2M Beta", "dpmpp_2m", "beta"},
      {"DPM++ 2M Align Your Steps", "dpmpp_2m", "ays"},
      {"DPM++ 2S a", "dpmpp_2s_ancestral", ""},
      {"DPM++ 2S a Karras", "dpmpp_2s_ancestral", "karras"},
      {"DPM++ SDE", "dpmpp_sde", ""},
      {"DPM++ SDE Karras", "dpmpp_sde", "karras"},
      {"DPM++ 2M SDE", "dpmpp_2m_sde", ""},
      {"DPM++ 2M SDE Karras", "dpmpp_2m_sde", "karras"},
      {"DPM++ 2M SDE Heun", "dpmpp_2m_sde:solver_type=heun", ""},
      {"DPM++ 2M SDE Heun Karras", "dpmpp_2m_sde:solver_type=heun", "karras"},
      {"DPM++ 2M SDE Heun Exponential", "dpmpp_2m_sde:solver_type=heun", "exponential"},
      {"DPM++ 3M SDE", "dpmpp_3m_sde", ""},
      {"DPM++ 3M SDE Exponential", "dpmpp_3m_sde", "exponential"},
      {"k_euler_a", "euler_ancestral", ""},
      {"k_dpmpp_2m_ka", "dpmpp_2m", "karras"},
      {"k_lms", "lms", ""},
      {"k_dpmpp_2m_sde_heun_ka", "dpmpp_2m_sde:solver_type=heun", "karras"},
      {"k_dpmpp_2m_sde_heun_exp", "dpmpp_2m_sde:solver_type=heun", "exponential"},
      // k-diffusion's functions
      {"sample_euler", "euler", ""},
      {"sample_dpm_2", "dpm2", ""},
      {"sample_dpm_2_ancestral", "dpm2_ancestral", ""},
      {"sample_dpmpp_2m", "dpmpp_2m", ""},
      {"sample_dpmpp_3m_sde", "dpmpp_3m_sde", ""},
      // ComfyUI
      {"euler_cfg_pp", "euler_cfg_pp", ""},
      {"euler_ancestral_cfg_pp", "euler_ancestral_cfg_pp", ""},
      {"heunpp2", "heunpp2", ""},
      {"exp_heun_2_x0", "exp_heun_2_x0", ""},
      {"dpm_2", "dpm2", ""},
      {"dpm_2_ancestral", "dpm2_ancestral", ""},
      {"dpmpp_sde_gpu", "dpmpp_sde", ""},
      {"dpmpp_2m_sde_gpu", "dpmpp_2m_sde", ""},
      {"dpmpp_2m_sde_heun", "dpmpp_2m_sde:solver_type=heun", ""},
      {"dpmpp_2m_sde_heun_gpu", "dpmpp_2m_sde:solver_type=heun", ""},
      {"dpmpp_3m_sde_gpu", "dpmpp_3m_sde", ""},
      {"ipndm", "ipndm", ""},
      {"ipndm_v", "ipndm_v", ""},
      {"deis", "deis", ""},
      {"res_multistep", "res_multistep", ""},
      {"gradient_estimation", "gradient_estimation", ""},
      {"er_sde", "er_sde", ""},
      {"seeds_2", "seeds_2", ""},
      {"seeds_3", "seeds_3", ""},
      {"uni_pc", "unipc:lower_order_final=true,variant=bh1", ""},
      {"uni_pc_bh2", "unipc:lower_order_final=true", ""},
      // InvokeAI
      {"euler_k", "euler", "karras"},
      {"dpmpp_2m_k", "dpmpp_2m", "karras"},
      {"kdpm_2", "dpm2", ""},
      {"euler_a", "euler_ancestral", ""},
      // stable-diffusion.cpp
      {"dpm++2m", "dpmpp_2m", ""},
      {"dpm++2s_a", "dpmpp_2s_ancestral", ""},
      {"euler_ge", "gradient_estimation", ""},
  };
  for (const Row& row : rows) {
    REQUIRE(find_solver(Spec::parse(row.solver).name) != nullptr);
    CAPTURE(row.theirs);
    const SamplerName name = resolve_sampler_name(row.theirs);
    CHECK(name.solver == row.solver);
    CHECK(name.schedule == row.schedule);
  }
}

TEST_CASE("names: a name that says an option makes that solver, and a written option wins over it", "[names]") {
  CHECK(resolve_sampler_name("DPM++ 2M SDE Heun:eta=0").solver == "dpmpp_2m_sde:eta=0,solver_type=heun");
  CHECK(resolve_sampler_name("DPM++ 2M SDE Heun:solver_type=midpoint").solver == "dpmpp_2m_sde:solver_type=midpoint");
  CHECK(make_solver("DPM++ 2M SDE Heun")->traits().name == "dpmpp_2m_sde");
  CHECK(without_variant(Spec::parse("dpm++ 2m-sde heun:eta=0.5")).text() == "dpmpp_2m_sde:eta=0.5,solver_type=heun");
  CHECK(without_variant(Spec::parse("plan:a.json")).text() == "plan:a.json");
  CHECK_THROWS_WITH(make_solver("DPM++ 2M SDE Huen"), contains("did you mean 'dpmpp_2m_sde_heun'"));
  for (const std::string& name : named_variant_names()) {
    CAPTURE(name);
    const NoiseSchedule schedule = make_noise_schedule(Spec::parse("linear"));  // for those that live on timesteps
    CHECK(make_solver(Spec::parse(name), {&schedule}) != nullptr);
    for (const std::string& other : solver_names()) {
      CHECK(other != name);
      for (const std::string& alias : solver_traits(other).aliases) CHECK(folded_name(alias) != folded_name(name));
    }
  }
}

TEST_CASE("names: options stay, and what is unknown stays as it was", "[names]") {
  CHECK(resolve_sampler_name("DDIM:eta=0.5").solver == "ddim:eta=0.5");
  CHECK(resolve_sampler_name("LMS Karras:order=2").solver == "lms:order=2");
  CHECK(resolve_sampler_name("LMS Karras:order=2").schedule == "karras");
  CHECK(resolve_sampler_name("plan:Some Karras.json").solver == "plan:Some Karras.json");
  CHECK(resolve_sampler_name("Huen Karras").solver == "Huen Karras");
  CHECK(resolve_sampler_name("ddim@10,heun@5").solver == "ddim@10,heun@5");
  for (const std::string& name : solver_names()) CHECK(resolve_sampler_name(name).solver == name);
}

TEST_CASE("names: a name whose project leaves out the last level above 0 says so, as it is written", "[names]") {
  const auto drops = [](const std::string& name) { return resolve_sampler_name(name).drops_next_to_last; };
  for (const char* name :
       {"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2", "UNI_PC", "DPM2", "DPM2 Karras", "DPM2 a", "dpm2_a",
        "DPM2 a Karras", "DPM++ 3M SDE", "DPM++ 3M SDE Exponential", "k_dpm_2"}) {
    INFO(name);
    CHECK(drops(name));
  }
  // Stride's own names, k-diffusion's functions, diffusers' classes and stable-diffusion.cpp's dpm2 keep all levels.
  for (const char* name : {"dpm2", "dpm2 Karras", "dpm2_ancestral", "unipc", "UniPC", "dpmpp_3m_sde", "sample_dpm_2",
                           "sample_dpm_2_ancestral", "KDPM2DiscreteScheduler", "UniPCMultistepScheduler", "kdpm_2"}) {
    INFO(name);
    CHECK_FALSE(drops(name));
  }
  const SamplerName comfy = resolve_sampler_name("dpm_2");
  CHECK(levels_of_name(comfy, "karras:rho=5") == "karras:drop_next_to_last=true,rho=5");
  CHECK(levels_of_name(comfy, "custom:Levels.txt") == "custom:Levels.txt");
  CHECK(levels_of_name(comfy, "karras:drop_next_to_last=false") == "karras:drop_next_to_last=false");
  CHECK(levels_of_name(resolve_sampler_name("dpm2"), "karras") == "karras");
}

}  // namespace stride
