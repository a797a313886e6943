// After stable-diffusion-webui: modules/infotext_utils.py (how the line is read), processing.py (what is in it),
// sd_samplers_kdiffusion.py and sd_samplers_common.py (levels, steps of img2img), sd_samplers_timesteps.py (DDIM),
// sd_schedulers.py.
#include "pipeline/familiar/infotext.h"

#include "framework/error.h"
#include "framework/files/json_text.h"
#include "framework/files/printable.h"
#include "framework/spec.h"
#include "framework/text_list.h"
#include "pipeline/familiar/foreign_seed.h"
#include "solvers/names.h"
#include "solvers/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

namespace stride {
namespace {

constexpr std::size_t kMostLine = 65'536;
constexpr std::size_t kMostShown = 120;

std::string shown(const std::string& text) {
  return printable(text.size() > kMostShown ? text.substr(0, kMostShown) + "..." : text, Lines::escaped);
}

bool is_steps_line(std::string_view line) {
  constexpr std::string_view kStart = "Steps: ";
  return line.starts_with(kStart) && line.size() > kStart.size() && std::isdigit(line[kStart.size()]) != 0;
}

// The last line of settings; empty: there is none.
std::string settings_line(const std::string& text) {
  std::string found;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (const std::string line = trimmed(text.substr(at, end - at)); is_steps_line(line)) found = line;
    at = end + 1;
  }
  return found;
}

class Infotext final {
 public:
  Infotext(const std::string& line, std::string where) : where_(std::move(where)) {
    if (line.size() > kMostLine) throw UsageError(fmt::format("{}: the line of settings is too long", where_));
    // "Key: value" between commas; a value with a comma, a colon or a line end in it is a JSON string.
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t colon = line.find(':', at);
      if (colon == std::string::npos)
        throw UsageError(fmt::format("{}: '{}' has no value", where_, shown(trimmed(line.substr(at)))));
      const std::string key = trimmed(line.substr(at, colon - at));
      std::size_t start = line.find_first_not_of(' ', colon + 1);
      start = std::min(start, line.size());
      std::string value;
      if (start < line.size() && line[start] == '"') {
        std::size_t quote = start + 1;
        while (quote < line.size() && line[quote] != '"') quote += line[quote] == '\\' ? 2 : 1;
        if (quote >= line.size()) throw UsageError(fmt::format("{}: {}: a quote is not closed", where_, shown(key)));
        value = parse_json_text(line.substr(start, quote + 1 - start), where_).get<std::string>();
        at = line.find(',', quote);
      } else {
        at = line.find(',', start);
        value = trimmed(line.substr(start, at == std::string::npos ? at : at - start));
      }
      at = at == std::string::npos ? line.size() : at + 1;
      if (!values_.emplace(key, value).second)
        throw UsageError(fmt::format("{}: {} is there twice", where_, shown(key)));
    }
  }

  [[nodiscard]] bool has(const std::string& key) const { return values_.contains(key); }
  std::string take(const std::string& key, const std::string& otherwise = "") {
    const auto node = values_.extract(key);
    return node.empty() ? otherwise : node.mapped();
  }
  double take_number(const std::string& key, double low, double high) {
    const std::string value = take(key);
    double out = 0.0;
    try {
      out = parse_number(value, key);
    } catch (const UsageError&) {
      refuse(key, fmt::format("must be a number, not '{}'", shown(value)));
    }
    if (!(out >= low && out <= high))
      refuse(key, fmt::format("must lie in {} ... {}, not {}", low, high, shown(value)));
    return out;
  }
  [[noreturn]] void refuse(const std::string& key, const std::string& why) const {
    throw UsageError(fmt::format("{}: {}: {}", where_, shown(key), why));
  }
  [[nodiscard]] const std::map<std::string, std::string>& rest() const { return values_; }
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  std::string where_;
  std::map<std::string, std::string> values_ = {};
};

// What "Automatic" is, by sampler, since version 1.9; the others have evenly spaced timesteps.
std::string automatic(const std::string& sampler) {
  static const std::map<std::string, std::string> table = {{"DPM++ 2M", "karras"},
                                                           {"DPM++ SDE", "karras"},
                                                           {"DPM++ 2M SDE", "exponential"},
                                                           {"DPM++ 2M SDE Heun", "exponential"},
                                                           {"DPM++ 2S a", "karras"},
                                                           {"DPM++ 3M SDE", "exponential"},
                                                           {"DPM2", "karras"},
                                                           {"DPM2 a", "karras"}};
  const auto found = table.find(sampler);
  return found == table.end() ? "linspace" : found->second;
}

const std::map<std::string, std::string>& schedule_types() {
  static const std::map<std::string, std::string> table = {{"Uniform", "linspace"},
                                                           {"Karras", "karras"},
                                                           {"Exponential", "exponential"},
                                                           {"Polyexponential", "polyexponential"},
                                                           {"SGM Uniform", "sgm_uniform"},
                                                           {"KL Optimal", "kl_optimal:variant=a1111"},
                                                           {"Align Your Steps", "ays:variant=a1111"},
                                                           {"Simple", "simple"},
                                                           {"Normal", "linspace"},
                                                           {"DDIM", "ddim_uniform:variant=comfyui"},
                                                           {"Beta", "beta"}};
  return table;
}

// The grid of the schedule type, or of the sampler where the file does not say: before 1.9 "Sampler" says it all.
Spec grid_of(Infotext& from, const std::string& sampler, const std::string& said_by_name, FamiliarSettings& out) {
  const bool says = from.has("Schedule type");
  const std::string type = from.take("Schedule type", "Automatic");
  Spec grid;
  if (type == "Automatic" || type == "automatic") {
    grid = Spec::parse(!said_by_name.empty() ? said_by_name : says ? automatic(sampler) : "linspace");
  } else {
    const auto found = schedule_types().find(type);
    if (found == schedule_types().end()) {
      std::vector<std::string> known;
      for (const auto& [name, made] : schedule_types()) known.push_back(name);
      from.refuse("Schedule type",
                  fmt::format("'{}' is none of {}; give `schedule` in its place", shown(type), fmt::join(known, ", ")));
    }
    grid = Spec::parse(found->second);
    if (!said_by_name.empty() && grid.name != said_by_name)
      from.refuse("Schedule type", fmt::format("{} contradicts the sampler's name", type));
  }
  if (grid.name == "ays")
    out.notes.push_back(
        fmt::format("{}: the levels of Stable Diffusion 1.5; `schedule` ays:model=sdxl,variant=a1111 has "
                    "those of XL",
                    from.where()));
  const bool range = grid.name == "karras" || grid.name == "exponential" || grid.name == "polyexponential" ||
                     grid.name == "kl_optimal" || grid.name == "beta";
  for (const auto& [key, field] :
       {std::pair{"Schedule min sigma", "sigma_min"}, std::pair{"Schedule max sigma", "sigma_max"}}) {
    if (!from.has(key)) continue;
    const double value = from.take_number(key, 0.0, 1e6);
    if (value == 0.0) continue;  // the model's
    if (!range) from.refuse(key, fmt::format("bounds the levels of a curve, which {} is not", grid.name));
    out.fields[field] = fmt::format("{}", value);
  }
  if (from.has("Schedule rho"))
    if (const double rho = from.take_number("Schedule rho", 0.0, 1000.0); rho > 0.0) {
      if (grid.name != "karras" && grid.name != "polyexponential")
        from.refuse("Schedule rho", fmt::format("is no setting of {}", grid.name));
      grid.options["rho"] = fmt::format("{}", rho);
    }
  for (const auto& [key, option] : {std::pair{"Beta schedule alpha", "alpha"}, std::pair{"Beta schedule beta", "beta"}})
    if (from.has(key)) {
      if (grid.name != "beta") from.refuse(key, fmt::format("is no setting of {}", grid.name));
      if (const double value = from.take_number(key, 0.0, 1000.0); value != 0.6)
        grid.options[option] = fmt::format("{}", value);
    }
  return grid;
}

bool truth(Infotext& from, const std::string& key) {
  if (!from.has(key)) return false;
  const std::string value = from.take(key);
  if (value != "True" && value != "False") from.refuse(key, "must be True or False");
  return value == "True";
}

// Settings of the sampler's own.
void add_options(Infotext& from, Spec& solver) {
  const std::vector<OptionInfo> known = solver_traits(solver.name).options;
  const std::string eta = solver.name == "ddim" ? "Eta DDIM" : "Eta";
  for (const auto& [key, option] :
       {std::pair{eta, "eta"}, std::pair{std::string("Sigma churn"), "s_churn"},
        std::pair{std::string("Sigma tmin"), "s_tmin"}, std::pair{std::string("Sigma tmax"), "s_tmax"},
        std::pair{std::string("Sigma noise"), "s_noise"}}) {
    if (!from.has(key)) continue;
    const double value = from.take_number(key, 0.0, 1e9);
    const char* const name = option;
    if (std::none_of(known.begin(), known.end(), [&](const OptionInfo& info) { return info.name == name; }))
      from.refuse(key, fmt::format("{} has no {} here", solver.name, option));
    solver.options[option] = fmt::format("{}", value);
  }
}

// A1111's DDIM is on timesteps 1, 1 + T/N, … and ends at timestep 0.
void ddim(Infotext& from, int64_t steps, Spec& grid, FamiliarSettings& out) {
  if (1000 % steps != 0)
    from.refuse("Sampler", fmt::format("A1111's DDIM makes other steps than {} where they do not divide 1000; give "
                                       "\"sampler\": \"DDIM\" in a JSON file, which has diffusers' steps",
                                       steps));
  if (from.has("Schedule type"))
    if (const std::string type = from.take("Schedule type"); type != "Automatic" && type != "automatic")
      from.refuse("Schedule type", "DDIM has timesteps of its own");
  grid = {"diffusers", {}, {{"offset", "1"}, {"spacing", "leading"}}};
  out.fields["final"] = "sigma_min";
}

// What the network, its prompts or the picture are, and what cannot matter here.
bool is_about_the_model(const std::string& key) {
  static const std::set<std::string> keys = {"Size",
                                             "Model hash",
                                             "Model",
                                             "VAE hash",
                                             "VAE",
                                             "Clip skip",
                                             "ENSD",
                                             "RNG",
                                             "Version",
                                             "User",
                                             "Lora hashes",
                                             "TI hashes",
                                             "Hypernet",
                                             "Hypernet strength",
                                             "FP8 weight",
                                             "Emphasis",
                                             "Pad conds",
                                             "Pad conds v0",
                                             "VAE Decoder",
                                             "VAE Encoder",
                                             "Batch size",
                                             "Batch pos",
                                             "Hashes",
                                             "TI",
                                             "Cache FP16 weight for LoRA"};
  return keys.contains(key) || key.starts_with("Module ");
}

// What to write instead.
std::string advice(const std::string& key) {
  if (key.starts_with("Hires")) return "a second run on the enlarged picture: run it by itself, with `start`";
  if (key.starts_with("Refiner")) return "a second network for the last steps: give a card with `networks` by range";
  if (key.starts_with("Variation seed") || key.starts_with("Seed resize"))
    return "a mixture of two seeds' noise: give the mixed noise as `init`";
  if (key == "NGMS" || key.starts_with("Skip Early CFG"))
    return "guidance that is left out in some steps: give `guidance` SCALE:interval=A-B";
  if (key.starts_with("Mask") || key.starts_with("Inpaint")) return "give `start` and `mask`, and take the key out";
  if (key == "Face restoration" || key.starts_with("ADetailer"))
    return "works on the finished picture: take the key out, and give `post`";
  if (key == "Downcast alphas_cumprod")
    return "noise levels rounded to half precision: take the key out to run without";
  if (key.starts_with("ControlNet")) return "steers the sampling from a picture, which has no counterpart here";
  return "has no counterpart here; take the key out to run without it";
}

}  // namespace

bool is_infotext(const std::string& text) { return !settings_line(text).empty(); }

FamiliarSettings infotext_settings(const std::string& text, const std::string& where) {
  Infotext from(settings_line(text), where);
  FamiliarSettings out;
  const double wanted = from.take_number("Steps", 1.0, 10'000.0);
  if (wanted != static_cast<double>(static_cast<int64_t>(wanted))) from.refuse("Steps", "must be a whole number");
  const auto steps = static_cast<int64_t>(wanted);
  if (!from.has("Sampler")) from.refuse("Sampler", "is missing; a line of settings names it");
  const std::string sampler = from.take("Sampler");
  if (sampler == "DPM fast" || sampler == "DPM adaptive" || sampler == "PLMS" || sampler == "UniPC" ||
      sampler == "Restart" || sampler == "DDIM CFG++")
    from.refuse("Sampler",
                fmt::format("{} makes levels of its own there, which have no counterpart here; give {}", sampler,
                            sampler == "UniPC" ? "`solver` unipc:variant=bh1,lower_order_final=true and a `schedule`"
                                               : "`solver` and `schedule` by name"));
  const SamplerName name = resolve_sampler_name(sampler);
  Spec solver = Spec::parse(name.solver);
  if (find_solver(solver.name) == nullptr)
    from.refuse("Sampler", fmt::format("'{}' is no sampler that is known here", shown(sampler)));
  Spec grid;
  if (solver.name == "ddim")
    ddim(from, steps, grid, out);
  else
    grid = grid_of(from, sampler, name.schedule, out);
  add_options(from, solver);
  if (truth(from, "Discard penultimate sigma") || name.drops_next_to_last) grid.options["drop_next_to_last"] = "true";
  if (truth(from, "SGM noise multiplier")) out.fields["init_scale"] = "vp";
  if (from.has("Noise Schedule")) {
    const std::string kind = from.take("Noise Schedule");
    if (kind == "Zero Terminal SNR")
      out.fields["noise_schedule"] = "scaled_linear:rescale_zero_snr=true";
    else if (kind != "Default")
      from.refuse("Noise Schedule", fmt::format("'{}' is none of Default, Zero Terminal SNR", shown(kind)));
  }
  if (from.has("CFG scale"))
    if (const double scale = from.take_number("CFG scale", 0.0, 1000.0); scale != 1.0)
      out.fields["guidance"] = fmt::format("{}", scale);
  if (from.has("Seed")) add_foreign_seeds(from.take("Seed"), 1, where, out);
  for (const auto& [key, value] : from.rest())
    if (key.starts_with("Hires")) from.refuse(key, advice(key));
  if (from.has("Denoising strength")) {
    // img2img: int(min(S, 0.999)·N) + 1 of N steps (setup_img2img_steps, sample_img2img); DDIM one fewer.
    const double strength = from.take_number("Denoising strength", 0.0, 1.0);
    const auto run =
        static_cast<int64_t>(std::min(strength, 0.999) * static_cast<double>(steps)) + (solver.name == "ddim" ? 0 : 1);
    if (run < 1) from.refuse("Denoising strength", "leaves no step to run");
    grid.options["last"] = fmt::format("{}", run);
    out.fields["strength"] = "1";  // which asks for an image
    out.notes.push_back(fmt::format("{}: Denoising strength {}: the last {} of {} steps, from the image in `start`",
                                    where, strength, run, steps));
  }
  std::vector<std::string> network;
  for (const auto& [key, value] : from.rest()) {
    if (!is_about_the_model(key)) from.refuse(key, advice(key));
    network.push_back(shown(key));
  }
  if (!network.empty())
    out.notes.push_back(fmt::format("{}: {}: the model's card, `cond` and the seeds say this, not the sampler", where,
                                    fmt::join(network, ", ")));
  out.fields["steps"] = fmt::format("{}", steps);
  out.fields["solver"] = solver.text();
  out.fields["schedule"] = grid.text();
  return out;
}

}  // namespace stride
