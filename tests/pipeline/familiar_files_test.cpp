// Files of other projects as they are found: pipelines' folders, ComfyUI's workflows, A1111's texts and pictures. What
// levels they mean is compared with those projects' formulas in tests/parity/workflows.py.
#include "framework/error.h"
#include "framework/files/file.h"
#include "pipeline/familiar/config_document.h"
#include "pipeline/familiar/png_text.h"
#include "pipeline/sampler.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Fields = std::map<std::string, std::string>;
using nlohmann::json;

Fields fields_of(const std::string& text) {
  const ConfigDocument read = parse_config(text, "a.json");
  REQUIRE(read.familiar.has_value());
  return read.familiar->fields;
}

std::string notes_of(const std::string& text) {
  return fmt::format("{}", fmt::join(parse_config(text, "a.json").familiar->notes, "\n"));
}

json node(const std::string& type, const json& inputs) { return {{"class_type", type}, {"inputs", inputs}}; }

json workflow() {
  return {{"3", node("KSampler", {{"model", {"4", 0}},
                                  {"positive", {"6", 0}},
                                  {"negative", {"6", 0}},
                                  {"latent_image", {"5", 0}},
                                  {"sampler_name", "dpmpp_2m"},
                                  {"scheduler", "karras"},
                                  {"steps", 20},
                                  {"cfg", 7.5},
                                  {"seed", 156680208700286},
                                  {"denoise", 1.0}})},
          {"4", node("CheckpointLoaderSimple", {{"ckpt_name", "a.safetensors"}})},
          {"5", node("EmptyLatentImage", {{"width", 512}, {"height", 512}, {"batch_size", 4}})},
          {"6", node("CLIPTextEncode", {{"text", "a cat"}, {"clip", {"4", 1}}})}};
}

std::string big_endian(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 255U);
  return out;
}

std::string chunk(const std::string& kind, const std::string& body) {
  uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : kind + body) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return big_endian(static_cast<uint32_t>(body.size())) + kind + body + big_endian(~crc);
}

std::string png(const std::string& chunks) {
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", std::string(13, '\1')) + chunks + chunk("IEND", "");
}

constexpr const char* kInfotext =
    "a cat (sharp:1.2), photo\nNegative prompt: dog\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: "
    "7, "
    "Seed: 3519, Size: 512x768, Model hash: 6ce0161689, Model: v1-5, Clip skip: 2, ENSD: 31337, Lora hashes: \"a: 1, "
    "b: "
    "2\", Version: v1.9.4";

}  // namespace

TEST_CASE("familiar files: a pipeline's folder leads to its scheduler, and says whose times it runs", "[familiar]") {
  const testing::TemporaryFolder folder;
  const std::string place = folder / "flux";
  make_folders(place + "/scheduler");
  write_file_atomic(place + "/model_index.json",
                    R"({"_class_name": "FluxPipeline", "_diffusers_version": "0.30.0",
                        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "vae": ["diffusers", "AutoencoderKL"]})");
  CHECK_THROWS_WITH(read_config(place), contains("scheduler/scheduler_config.json"));
  write_file_atomic(place + "/scheduler/scheduler_config.json",
                    R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "base_image_seq_len": 256, "base_shift": 0.5,
                        "max_image_seq_len": 4096, "max_shift": 1.15, "num_train_timesteps": 1000, "shift": 3.0,
                        "use_dynamic_shifting": true})");
  for (const std::string& path : {place, place + "/model_index.json"}) {
    const ConfigDocument read = read_config(path);
    REQUIRE(read.familiar.has_value());
    CHECK(read.familiar->fields ==
          Fields{{"solver", "euler"}, {"schedule", "flow:even=true,image=true"}, {"init_scale", "flow"}});
    CHECK(read.where.ends_with("scheduler_config.json"));
  }
  // The shift is that of the model's size: 1024 pixels are 128 of its latents, and 64 · 64 patches.
  SamplerSpec spec;
  spec.solver = "euler";
  spec.schedule = "flow:even=true,image=true";
  spec.steps = 4;
  ModelInfo model;
  model.shape = {16, 128, 128};
  const std::vector<double> sigmas = make_sampler(spec, model).grid.sigmas();
  const double shift = std::exp(1.15);
  REQUIRE(sigmas.size() == 5);
  for (int k = 1; k < 4; ++k) CHECK(sigmas[k] == Approx(shift * (1.0 - k / 4.0) / (k / 4.0)).epsilon(1e-12));
  model.shape = {2};
  CHECK_THROWS_WITH(make_sampler(spec, model), contains("this model does not have"));
  // Others run their scheduler's own times.
  write_file_atomic(place + "/model_index.json",
                    R"({"_class_name": "StableDiffusion3Pipeline", "scheduler": ["a", "b"]})");
  CHECK(read_config(place).familiar->fields.at("schedule") == "flow:image=true");
  CHECK_THROWS_AS(read_config(folder.path()), InputError);
  CHECK_THROWS_WITH(parse_config(R"({"_class_name": "FluxPipeline", "scheduler": ["a", "b"]})", "a.json"),
                    contains("scheduler_config.json"));
}

TEST_CASE("familiar files: a workflow of ComfyUI is a solver, a grid, seeds and a scale", "[familiar]") {
  const Fields wanted = {{"solver", "dpmpp_2m"}, {"schedule", "karras"}, {"steps", "20"},
                         {"guidance", "7.5"},    {"init_scale", "vp"},   {"seeds", "156680208700286-156680208700289"}};
  CHECK(fields_of(workflow().dump()) == wanted);
  CHECK(fields_of(json{{"prompt", workflow()}}.dump()) == wanted);
  CHECK(notes_of(workflow().dump()).find("node 3 (KSampler)") != std::string::npos);
  json refined = workflow();
  refined["3"]["inputs"]["denoise"] = 0.6;
  refined["3"]["inputs"]["sampler_name"] = "uni_pc";
  refined["5"] = node("VAEEncode", {{"pixels", {"8", 0}}});
  refined["8"] = node("LoadImage", {{"image", "a.png"}});
  const Fields fields = fields_of(refined.dump());
  CHECK(fields.at("schedule") == "karras:last=20");
  CHECK(fields.at("steps") == "33");
  CHECK(fields.at("strength") == "1");
  CHECK_FALSE(fields.contains("init_scale"));
  CHECK(fields.at("solver") == "uni_pc:lower_order_final=true,variant=bh1");
  // A scale that the network is told, one of both passes, and the spread that is given back.
  json told = workflow();
  told["9"] = node("FluxGuidance", {{"conditioning", {"6", 0}}, {"guidance", 3.5}});
  told["3"]["inputs"]["positive"] = {"9", 0};
  CHECK_THROWS_WITH(fields_of(told.dump()), contains("cfg"));
  told["3"]["inputs"]["cfg"] = 1.0;
  CHECK(fields_of(told.dump()).at("guidance") == "3.5");
  json rescaled = workflow();
  rescaled["9"] = node("RescaleCFG", {{"model", {"4", 0}}, {"multiplier", 0.7}});
  rescaled["3"]["inputs"]["model"] = {"9", 0};
  CHECK(fields_of(rescaled.dump()).at("guidance") == "7.5:rescale=0.7,rescale_of=v_prediction");
  // A number from a node that holds it.
  json primitive = workflow();
  primitive["9"] = node("PrimitiveInt", {{"value", 12}});
  primitive["3"]["inputs"]["steps"] = {"9", 0};
  CHECK(fields_of(primitive.dump()).at("steps") == "12");
}

TEST_CASE("familiar files: what a workflow holds that has no counterpart is refused by node and key", "[familiar]") {
  const auto changed = [](const std::string& id, const std::string& key, const json& value) {
    json out = workflow();
    out[id]["inputs"][key] = value;
    return out;
  };
  json two = workflow();
  two["30"] = two["3"];
  json none = workflow();
  none["3"]["class_type"] = "UltimateSampler";
  json patched = workflow();
  patched["9"] = node("FreeU_V2", {{"model", {"4", 0}}});
  patched["3"]["inputs"]["model"] = {"9", 0};
  json steered = workflow();
  steered["9"] = node("ControlNetApply", {{"conditioning", {"6", 0}}});
  steered["3"]["inputs"]["positive"] = {"9", 0};
  json circle = workflow();
  circle["3"]["class_type"] = "SamplerCustom";
  circle["3"]["inputs"]["sampler"] = {"10", 0};
  circle["10"] = node("KSamplerSelect", {{"sampler_name", "euler"}});
  circle["3"]["inputs"]["sigmas"] = {"11", 0};
  circle["11"] = node("SplitSigmas", {{"sigmas", {"12", 1}}, {"step", 1}});
  circle["12"] = node("SplitSigmas", {{"sigmas", {"11", 1}}, {"step", 1}});
  json flip = circle;
  flip["11"] = node("FlipSigmas", {{"sigmas", {"12", 0}}});
  const std::pair<json, std::string> rows[] = {
      {changed("3", "sampler_name", "eulr"), "node 3 (KSampler): sampler_name"},
      {changed("3", "sampler_name", "dpm_adaptive"), "takes the ends of the levels alone"},
      {changed("3", "sampler_name", "deis"), "deis:type=tab"},
      {changed("3", "scheduler", "karas"), "node 3 (KSampler): scheduler: 'karas' is none of"},
      {changed("3", "steps", 0), "steps: must lie in 1"},
      {changed("3", "steps", 2.5), "must be a whole number"},
      {changed("3", "steps", "many"), "must be a number"},
      {changed("3", "steps", {"4", 0}), "is computed by node 4 (CheckpointLoaderSimple)"},
      {changed("3", "steps", {"99", 0}), "comes from node 99, which is not in the file"},
      {changed("3", "denoise", 0.0), "nothing to do"},
      {changed("3", "denoise", 1.5), "must lie in 0 ... 1"},
      {changed("3", "seed", -1), "is no number from 0"},
      {changed("3", "model", "a"), "has no node behind it"},
      {two, "are both samplers"},
      {none, "node 3 (UltimateSampler) is not read"},
      {patched, "node 9 (FreeU_V2)"},
      {steered, "node 9 (ControlNetApply)"},
      {circle, "circle"},
      {flip, "node 11 (FlipSigmas)"},
      {json{{"nodes", json::array()}, {"links", json::array()}}, "Export (API)"},
      {json{{"3", {{"class_type", "KSampler"}, {"inputs", 4}}}}, "is no node"},
  };
  for (const auto& [text, says] : rows) {
    INFO(says);
    CHECK_THROWS_AS(fields_of(text.dump()), UsageError);
    CHECK_THROWS_WITH(fields_of(text.dump()), contains(says));
    CHECK_THROWS_WITH(fields_of(text.dump()), contains("a.json"));
  }
  // Names from files do not forge lines.
  json forged = workflow();
  forged["3"]["inputs"]["sampler_name"] = "a\nwarning: b\x1b[2J";
  try {
    fields_of(forged.dump());
    FAIL("was read");
  } catch (const UsageError& error) {
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    CHECK(std::string(error.what()).find('\x1b') == std::string::npos);
  }
  json many = json::object();
  for (int i = 0; i < 10'001; ++i) many[std::to_string(i)] = node("A", json::object());
  CHECK_THROWS_WITH(fields_of(many.dump()), contains("more than the 10000"));
}

TEST_CASE("familiar files: A1111's settings are read from the last line, whatever the prompts say", "[familiar]") {
  const Fields wanted = {
      {"solver", "dpmpp_2m"}, {"schedule", "karras"}, {"steps", "20"}, {"guidance", "7"}, {"seeds", "3519"}};
  CHECK(fields_of(kInfotext) == wanted);
  const std::string notes = notes_of(kInfotext);
  CHECK(notes.find("Clip skip, ENSD, Lora hashes, Model, Model hash, Size, Version") != std::string::npos);
  const auto line = [](const std::string& rest) { return "Steps: 20, Sampler: Euler a, " + rest; };
  const std::pair<std::string, std::string> rows[] = {
      {"Hires upscale: 2, Denoising strength: 0.5", "Hires upscale: a second run"},
      {"Variation seed: 3, Variation seed strength: 0.1", "`init`"},
      {"Refiner: xl, Refiner switch at: 0.8", "`networks`"},
      {"ControlNet 0: \"Module: canny, Model: a\"", "ControlNet 0"},
      {"Mask blur: 4", "`mask`"},
      {"NGMS: 2", "interval"},
      {"Token merging ratio: 0.5", "Token merging ratio: has no counterpart"},
      {"Schedule type: Karas", "Schedule type: 'Karas' is none of"},
      {"Schedule type: Normal, Schedule rho: 5", "Schedule rho: is no setting of linspace"},
      {"Schedule type: SGM Uniform, Schedule max sigma: 10", "Schedule max sigma: bounds"},
      {"Sigma churn: 2", "euler_ancestral has no s_churn"},
      {"CFG scale: seven", "CFG scale: must be a number"},
      {"Seed: -1", "seed '-1'"},
      {"Denoising strength: 1.5", "Denoising strength: must lie in 0 ... 1"},
      {"CFG scale: 7, CFG scale: 8", "CFG scale is there twice"},
      {"Extra", "'Extra' has no value"},
      {"A: \"b", "a quote is not closed"},
  };
  for (const auto& [rest, says] : rows) {
    INFO(rest);
    CHECK_THROWS_WITH(fields_of(line(rest)), contains(says));
  }
  CHECK_THROWS_WITH(fields_of("Steps: 20, CFG scale: 7"), contains("Sampler: is missing"));
  CHECK_THROWS_WITH(fields_of("Steps: 30, Sampler: DDIM"), contains("do not divide 1000"));
  CHECK_THROWS_WITH(fields_of("Steps: 30, Sampler: UniPC"), contains("unipc:variant=bh1"));
  CHECK_THROWS_WITH(fields_of("Steps: 30, Sampler: Unheard of"), contains("no sampler that is known"));
  CHECK_THROWS_WITH(fields_of("Steps: 20, Sampler: DPM++ 2M Karras, Schedule type: Exponential"),
                    contains("contradicts"));
  CHECK(fields_of("Steps: 20, Sampler: Euler, Noise Schedule: Zero Terminal SNR").at("noise_schedule") ==
        "scaled_linear:rescale_zero_snr=true");
  CHECK(fields_of("Steps: 20, Sampler: Euler, SGM noise multiplier: True").at("init_scale") == "vp");
  const Fields refined = fields_of("Steps: 20, Sampler: Euler, Schedule type: Karras, Denoising strength: 0.5");
  CHECK(refined.at("schedule") == "karras:last=11");  // int(0.5·20) + 1
  CHECK(refined.at("strength") == "1");
}

TEST_CASE("familiar files: settings are found in the text of a PNG, and its damage is", "[familiar]") {
  const testing::TemporaryFolder folder;
  const auto written = [&](const std::string& bytes) {
    write_file_atomic(folder / "a.png", bytes);
    return read_config(folder / "a.png");
  };
  const std::string text = chunk("tEXt", std::string("parameters\0", 11) + kInfotext);
  CHECK(written(png(text)).familiar->fields.at("seeds") == "3519");
  const std::string utf8 = chunk("iTXt", std::string("parameters\0\0\0\0\0", 15) + "für\n" + kInfotext);
  CHECK(written(png(utf8)).familiar->fields.at("seeds") == "3519");
  const std::string comfy = chunk("tEXt", std::string("prompt\0", 7) + workflow().dump());
  CHECK(written(png(comfy)).familiar->fields.at("solver") == "dpmpp_2m");
  CHECK_THROWS_AS(written(png("")), InputError);
  CHECK_THROWS_WITH(written(png("")), contains("holds no settings"));
  CHECK_THROWS_WITH(written(png(chunk("zTXt", std::string("parameters\0\0x", 13)))), contains("packed"));
  const std::string whole = png(text);
  for (std::size_t end = 8; end < whole.size(); end += 7) CHECK_THROWS_AS(written(whole.substr(0, end)), InputError);
  std::string bad = whole;
  bad[70] ^= 1;
  CHECK_THROWS_WITH(written(bad), contains("checksum"));
  std::string long_chunk = whole;
  long_chunk[33] = '\x7f';
  CHECK_THROWS_AS(written(long_chunk), InputError);
}

TEST_CASE("familiar files: Stride's own configurations are none of these", "[familiar]") {
  for (const char* text :
       {"[sampling]\nsteps = 20\n", R"({"sampling": {"steps": 20}})", "# Steps: 20\n[sampling]\nsteps = 3"}) {
    const ConfigDocument read = parse_config(text, "a.toml");
    CHECK_FALSE(read.familiar.has_value());
    REQUIRE(read.entries.size() == 1);
    CHECK(read.entries[0].key == "sampling.steps");
  }
}

}  // namespace stride
