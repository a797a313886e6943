// What plans and predictors were made with, and what a sampler's grid is warned of.
#include "pipeline/provenance.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "pipeline/guidance_text.h"
#include "pipeline/recording.h"
#include "pipeline/teacher.h"
#include "solvers/plan.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <functional>

namespace stride {
namespace {

ModelInfo digits_like() {
  ModelInfo info;
  info.name = "digits";
  info.kind = "unet";
  info.shape = {3};
  info.sha256 = std::string(64, 'e');
  info.sigma_min = 0.01;
  info.sigma_max = 20.0;
  info.conditions = {{"class", 10, {}}};
  return info;
}

DrawSettings conditioned() {
  DrawSettings settings;
  settings.seeds = {0, 1, 2};
  settings.label = 3;
  settings.guidance = parse_guidance("2.0:interval=0.3-5", 0.5);
  settings.guidance.threshold = parse_threshold("0.9");
  return settings;
}

SamplerSpec spec_of(const std::string& solver) {
  SamplerSpec spec;
  spec.solver = solver;
  spec.steps = 4;
  return spec;
}

// A plan in a file, made with `made`.
class PlanFile final {
 public:
  explicit PlanFile(const MadeWith& made) {
    Plan plan;
    plan.sigmas = {20.0, 1.0, 0.01};
    plan.weights = {{1.0}, {1.5, -0.5}};
    plan.scale_time = {1.0, 1.0};
    plan.model_sha256 = digits_like().sha256;
    plan.made_with = made;
    write_file_atomic(path(), plan.to_json());
  }
  [[nodiscard]] std::string path() const { return folder_ / "plan.json"; }
  [[nodiscard]] Sampler sampler(const std::function<void(SamplerSpec&)>& change = {}) const {
    SamplerSpec spec;
    spec.solver = "plan:" + path();
    if (change) change(spec);
    return make_sampler(spec, digits_like());
  }

 private:
  testing::TemporaryFolder folder_;
};

MadeWith made_of(const DrawSettings& settings) {
  return record_of(make_sampler(spec_of("heun"), digits_like()), digits_like(), settings, {0, 1, 2, 7}, {100, 101});
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

bool says(const std::vector<std::string>& warnings, const std::string& what) {
  return std::any_of(warnings.begin(), warnings.end(),
                     [&](const std::string& warning) { return warning.find(what) != std::string::npos; });
}

}  // namespace

TEST_CASE("provenance: a record says all that a result depends on") {
  const MadeWith made = made_of(conditioned());
  CHECK(made.recorded);
  CHECK(made.model_sha256 == digits_like().sha256);
  CHECK(made.label == "3");
  CHECK(made.guidance == "2:interval=0.3-5");
  CHECK(made.threshold == "0.9");
  CHECK_FALSE(made.clip);
  CHECK(made.dtype == "float32");
  CHECK(made.teacher == "heun:steps=4,schedule=karras,final=zero");
  CHECK(made.teacher_sigmas.size() == 5);
  CHECK(made.seeds == "0-2,7");
  CHECK(made.validation_seeds == "100-101");
  CHECK(made_with_from_json(to_json(made), "here") == made);
  const SamplerSpec again = parse_teacher(made.teacher);
  CHECK(again.solver == "heun");
  CHECK(again.steps == 4);
  CHECK(teacher_text(parse_teacher("lms:order=3,steps=8,final=sigma_min")) ==
        "lms:order=3,steps=8,schedule=karras,final=sigma_min");
}

TEST_CASE("provenance: guidance and threshold are written so that they read back") {
  for (const char* text :
       {"2", "0.5:rescale=0.7", "3:rescale=0.7,rescale_of=epsilon,interval=0.3-5,apg=0.1,apg_norm=2"})
    CHECK(guidance_text(parse_guidance(text, 0.5)) == text);
  CHECK(guidance_text(parse_guidance("1", 0.5)).empty());
  for (const char* text : {"0.9", "0.995:max=2"}) {
    Guidance guidance;
    guidance.threshold = parse_threshold(text);
    CHECK(threshold_text(guidance) == text);
  }
}

TEST_CASE("provenance: a plan runs under what it was made with, and nowhere else unless that is allowed") {
  const PlanFile file(made_of(conditioned()));
  const Sampler sampler = file.sampler();
  CHECK(refusal([&] { require_made_for(sampler, digits_like(), conditioned()); }).empty());
  struct Row {
    std::function<void(DrawSettings&)> change;
    std::string says;
  };
  const std::vector<Row> rows = {
      {[](DrawSettings& s) { s.label = 7; }, "was made with class 3, and this run has class 7"},
      {[](DrawSettings& s) { s.guidance.scale = 5.0; }, "guidance 2:interval=0.3-5, and this run has guidance 5"},
      {[](DrawSettings& s) { s.guidance.threshold = std::nullopt; }, "threshold 0.9, and this run has no threshold"},
      {[](DrawSettings& s) { s.guidance.clip = 1.0; }, "no clip, and this run has clip 1"},
      {[](DrawSettings& s) { s = DrawSettings{}; }, "class 3, guidance 2:interval=0.3-5, threshold 0.9"}};
  for (const Row& row : rows) {
    DrawSettings settings = conditioned();
    row.change(settings);
    const std::string said = refusal([&] { require_made_for(sampler, digits_like(), settings); });
    INFO(said);
    CHECK(said.find(row.says) != std::string::npos);
    CHECK(said.find(file.path()) != std::string::npos);
    CHECK(said.find("`allow_model_mismatch`") != std::string::npos);
    const Sampler allowed = file.sampler([](SamplerSpec& spec) { spec.allow_model_mismatch = true; });
    CHECK(refusal([&] { require_made_for(allowed, digits_like(), settings); }).empty());
  }
  // A guidance scale of 1 is none, however it is written.
  DrawSettings plain;
  plain.guidance = parse_guidance("1", 0.5);
  CHECK(conditions_of(plain).empty());
}

TEST_CASE("provenance: files from before the record run, with a warning; a lower precision is one too") {
  const PlanFile old({});
  CHECK(refusal([&] { require_made_for(old.sampler(), digits_like(), conditioned()); }).empty());
  CHECK(says(run_warnings(old.sampler(), conditioned()), "does not say which class"));
  const PlanFile known(made_of(conditioned()));
  DrawSettings settings = conditioned();
  CHECK(run_warnings(known.sampler(), settings).empty());
  settings.dtype = at::kBFloat16;
  CHECK(says(run_warnings(known.sampler(), settings), "made in float32 and runs in bfloat16"));
  settings.dtype = at::kDouble;
  CHECK(run_warnings(known.sampler(), settings).empty());
}

TEST_CASE("provenance: seeds that were fitted to or chosen on are known, in files of earlier versions too") {
  const PlanFile file(made_of(conditioned()));
  CHECK(seeds_seen(file.sampler(), {1, 2, 3, 7, 8, 101}) == "1-2,7,101");
  CHECK(seeds_seen(file.sampler(), {3, 4, 5}).empty());
  CHECK(seeds_seen(make_sampler(spec_of("heun"), digits_like()), {0, 1}).empty());
  const Plan old = Plan::from_json(
      R"({"format": "stride-plan", "version": 1, "nfe": 1, "final": "zero", "sigmas": [20, 0], "weights": [[1]],
          "scale_time": [1], "fit": {"seeds": "0-3", "validation_seeds": "9", "teacher": "heun"}})",
      "old.json");
  CHECK_FALSE(old.made_with.recorded);
  CHECK(old.made_with.seeds == "0-3");
  CHECK(old.made_with.validation_seeds == "9");
}

TEST_CASE("provenance: a store says class, guidance and bounds, where there are any") {
  DrawSettings settings = conditioned();
  settings.guidance.threshold = std::nullopt;
  settings.guidance.clip = 1.0;
  CHECK(store_settings(settings) ==
        std::map<std::string, std::string>{
            {"class", "3"}, {"clip", "true"}, {"dtype", "Float"}, {"guidance", "2:interval=0.3-5"}});
  CHECK(store_settings(DrawSettings{}) == std::map<std::string, std::string>{{"dtype", "Float"}});
}

TEST_CASE("provenance: a teacher has one answer for each seed") {
  const auto refused = [](const SamplerSpec& spec) {
    return !refusal([&] { require_one_answer(make_sampler(spec, digits_like())); }).empty();
  };
  CHECK(refused(spec_of("euler_ancestral")));
  CHECK_FALSE(refused(spec_of("heun")));
  SamplerSpec sde = spec_of("euler");
  sde.term = "sde:eta=1";
  CHECK(refused(sde));
}

TEST_CASE("sampler warnings: a grid that leaves the trained range, but not one that rounding moves") {
  const auto warnings = [](const std::function<void(SamplerSpec&)>& change, const ModelInfo& model = digits_like()) {
    SamplerSpec spec = spec_of("heun");
    change(spec);
    return make_sampler(spec, model).warnings;
  };
  CHECK(warnings([](SamplerSpec&) {}).empty());
  CHECK(says(warnings([](SamplerSpec& spec) { spec.sigma_max = 5000.0; }), "trained up to 20 only"));
  CHECK(says(warnings([](SamplerSpec& spec) { spec.sigmas = {97.0, 1.0, 0.0}; }), "starts at the noise level 97"));
  CHECK(says(warnings([](SamplerSpec& spec) { spec.sigma_min = 0.001; }), "trained down to 0.01 only"));
  CHECK(warnings([](SamplerSpec& spec) { spec.sigma_max = 20.1; }).empty());
  CHECK(warnings([](SamplerSpec& spec) { spec.sigma_min = 0.00995; }).empty());
  ModelInfo closed = digits_like();
  closed.kind = "gaussian_mixture";
  CHECK(warnings([](SamplerSpec& spec) { spec.sigma_max = 5000.0; }, closed).empty());
}

TEST_CASE("sampler warnings: what is asked for and changes nothing") {
  const auto warnings = [](const std::function<void(SamplerSpec&)>& change) {
    SamplerSpec spec = spec_of("heun");
    change(spec);
    return make_sampler(spec, digits_like()).warnings;
  };
  CHECK(says(warnings([](SamplerSpec& spec) { spec.noise_schedule = "cosine"; }), "`noise_schedule` cosine"));
  CHECK_FALSE(says(warnings([](SamplerSpec& spec) {
                     spec.noise_schedule = "cosine";
                     spec.schedule = "leading";
                   }),
                   "no effect"));
  CHECK_FALSE(says(warnings([](SamplerSpec& spec) {
                     spec.noise_schedule = "cosine";
                     spec.solver = "tcd";
                   }),
                   "no effect"));
  CHECK(says(warnings([](SamplerSpec& spec) {
               spec.schedule = "leading";
               spec.sigma_max = 10.0;
             }),
             "`sigma_max` 10 has no effect"));
  CHECK(says(warnings([](SamplerSpec& spec) {
               spec.solver = "ddim@2:20-1,heun@2:1-0.01";
               spec.steps = std::nullopt;
               spec.sigma_max = 10.0;
             }),
             "`sigma_max` 10 has no effect"));
  CHECK(says(warnings([](SamplerSpec& spec) {
               spec.steps = 1;
               spec.sigma_min = 0.05;
             }),
             "`sigma_min` 0.05 has no effect"));
  // Under a policy only the ends of the grid count.
  CHECK_FALSE(says(warnings([](SamplerSpec& spec) {
                     spec.policy = "pi:atol=0.05";
                     spec.sigma_max = 10.0;
                   }),
                   "no effect"));
}

}  // namespace stride
