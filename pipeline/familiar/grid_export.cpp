#include "pipeline/familiar/grid_export.h"

#include "framework/error.h"
#include "framework/files/printable.h"
#include "pipeline/familiar/python_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

// The shortest text that reads back to the same bits.
std::string list_of(const std::vector<double>& values, const char* between) {
  std::vector<std::string> out;
  for (const double value : values) out.push_back(fmt::format("{}", value));
  return fmt::format("{}", fmt::join(out, between));
}

// Digits with a point and no power of ten, which is all that ManualSigmas reads (its pattern in
// nodes_custom_sampler.py); 17 of them that count.
std::string plain(double value) {
  if (value == 0.0) return "0.0";
  const int before = static_cast<int>(std::floor(std::log10(value)));
  return fmt::format("{:.{}f}", value, std::max(1, 16 - before));
}

std::string python_list(const std::vector<double>& values) {
  return fmt::format("[\n    {},\n]", list_of(values, ",\n    "));
}

std::string comfyui(const std::vector<double>& sigmas, const std::string& name) {
  std::vector<std::string> levels;
  for (const double sigma : sigmas) levels.push_back(plain(sigma));
  const nlohmann::json node = {{"class_type", "ManualSigmas"},
                               {"inputs", {{"sigmas", fmt::format("{}", fmt::join(levels, ", "))}}},
                               {"_meta", {{"title", name}}}};
  return nlohmann::json{{"1", node}}.dump(2) + "\n";
}

}  // namespace

const std::vector<std::string>& grid_forms() {
  static const std::vector<std::string> forms = {"table", "numpy", "k-diffusion", "diffusers", "comfyui"};
  return forms;
}

std::string export_grid(const std::string& form, const std::vector<double>& sigmas,
                        const std::vector<double>& timesteps, const std::string& name) {
  const std::string shown = printable(name, Lines::escaped);
  if (form == "table") return fmt::format("# {}: {} steps\n{}\n", shown, sigmas.size() - 1, list_of(sigmas, "\n"));
  if (form == "comfyui") return comfyui(sigmas, shown);
  if (form == "diffusers" && sigmas.back() != 0.0)
    throw UsageError("`to` diffusers: its classes end in a jump to 0; give `final` zero, or another form");
  if (form == "numpy" || form == "k-diffusion" || form == "diffusers") {
    std::string module = "grid_for_" + form;
    std::replace(module.begin(), module.end(), '-', '_');
    return python_file(module, {{"SIGMAS", python_list(sigmas)}, {"TIMESTEPS", python_list(timesteps)}},
                       fmt::format("{}: {} steps, written by stride export", shown, sigmas.size() - 1));
  }
  throw UsageError(
      fmt::format("`to` {}: there are {}", printable(form, Lines::escaped), fmt::join(grid_forms(), ", ")));
}

}  // namespace stride
