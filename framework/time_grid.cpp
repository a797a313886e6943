#include "framework/time_grid.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>

namespace stride {
namespace {

// Evenly spaced points of [0, 1], both ends included; one point is 0.
std::vector<double> unit_points(int64_t count) {
  std::vector<double> points(static_cast<std::size_t>(count), 0.0);
  for (int64_t i = 1; i < count; ++i)
    points[static_cast<std::size_t>(i)] = static_cast<double>(i) / static_cast<double>(count - 1);
  return points;
}

// Positive levels of a grid: the last jump to 0, where there is one, is added by make_grid.
int64_t positive_levels(const GridRequest& request) { return request.steps + (request.final == Final::zero ? 0 : 1); }

std::vector<double> map_points(const GridRequest& request, const std::function<double(double)>& level) {
  std::vector<double> sigmas = unit_points(positive_levels(request));
  std::transform(sigmas.begin(), sigmas.end(), sigmas.begin(), level);
  sigmas.front() = request.sigma_max;
  if (sigmas.size() > 1) sigmas.back() = request.sigma_min;
  return sigmas;
}

// Karras et al. 2022 (arXiv:2206.00364) eq. 5.
std::vector<double> karras(OptionReader& options, const GridRequest& request) {
  const double rho = options.number("rho", 7.0);
  if (!(rho > 0.0)) throw UsageError(fmt::format("schedule 'karras': rho must be positive, not {}", rho));
  const double high = std::pow(request.sigma_max, 1.0 / rho);
  const double low = std::pow(request.sigma_min, 1.0 / rho);
  return map_points(request, [&](double u) { return std::pow(high + u * (low - high), rho); });
}

// Evenly spaced in ln σ, which is evenly spaced in log-SNR.
std::vector<double> exponential(OptionReader& /*options*/, const GridRequest& request) {
  const double ratio = std::log(request.sigma_min / request.sigma_max);
  return map_points(request, [&](double u) { return request.sigma_max * std::exp(u * ratio); });
}

const NoiseSchedule& required_schedule(const GridRequest& request, const char* name) {
  if (request.noise_schedule == nullptr)
    throw UsageError(
        fmt::format("schedule '{}' lives on timesteps: give --noise-schedule linear, scaled_linear or cosine", name));
  return *request.noise_schedule;
}

std::vector<double> at_timesteps(const NoiseSchedule& schedule, const std::vector<double>& timesteps) {
  std::vector<double> sigmas;
  for (const double t : timesteps) sigmas.push_back(schedule.sigma(t));
  return sigmas;
}

void require_levels(int64_t count, const NoiseSchedule& schedule, const char* name) {
  if (count > schedule.size())
    throw UsageError(
        fmt::format("schedule '{}': {} levels do not fit {} timesteps; use fewer steps", name, count, schedule.size()));
}

// diffusers' three spacings; Lin et al. 2023 (arXiv:2305.08891) table 2.
std::vector<double> linspace(OptionReader& /*options*/, const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "linspace");
  const int64_t count = positive_levels(request);
  require_levels(count, schedule, "linspace");
  std::vector<double> timesteps;
  for (const double u : unit_points(count)) timesteps.push_back((1.0 - u) * static_cast<double>(schedule.size() - 1));
  return at_timesteps(schedule, timesteps);
}

std::vector<double> leading(OptionReader& options, const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "leading");
  const int64_t offset = options.integer("offset", 0);
  const int64_t count = positive_levels(request);
  require_levels(count, schedule, "leading");
  const int64_t ratio = schedule.size() / count;
  std::vector<double> timesteps;
  for (int64_t i = count - 1; i >= 0; --i) timesteps.push_back(static_cast<double>(i * ratio + offset));
  if (offset < 0 || timesteps.front() > static_cast<double>(schedule.size() - 1))
    throw UsageError(
        fmt::format("schedule 'leading': offset {} leads out of the {} timesteps", offset, schedule.size()));
  return at_timesteps(schedule, timesteps);
}

std::vector<double> trailing(OptionReader& /*options*/, const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "trailing");
  const int64_t count = positive_levels(request);
  require_levels(count, schedule, "trailing");
  const double ratio = static_cast<double>(schedule.size()) / static_cast<double>(count);
  std::vector<double> timesteps;
  for (int64_t i = 0; i < count; ++i)
    timesteps.push_back(std::nearbyint(static_cast<double>(schedule.size()) - static_cast<double>(i) * ratio) - 1.0);
  return at_timesteps(schedule, timesteps);
}

std::vector<double> read_numbers(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw InputError(fmt::format("schedule file '{}' cannot be read", path));
  std::stringstream content;
  content << file.rdbuf();
  std::string text = content.str();
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == ',' || c == '[' || c == ']' || c == ';'; }, ' ');
  std::istringstream words(text);
  std::vector<double> numbers;
  for (std::string word; words >> word;) {
    try {
      numbers.push_back(parse_number(word, "a level"));
    } catch (const UsageError& error) {
      throw InputError(fmt::format("schedule file '{}', entry {}: {}", path, numbers.size() + 1, error.what()));
    }
  }
  return numbers;
}

using Builder = std::vector<double> (*)(OptionReader&, const GridRequest&);

struct Row {
  GridTraits traits;
  Builder build;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table{
      {{"exponential", {"logsnr"}, "evenly spaced in ln σ (log-SNR)", "", "Lu et al. 2022, arXiv:2206.00927 §3", false},
       exponential},
      {{"karras", {}, "evenly spaced in σ^(1/ρ)", "rho=7", "Karras et al. 2022, arXiv:2206.00364 eq. 5", false},
       karras},
      {{"leading",
        {},
        "every (T/N)-th timestep, from offset",
        "offset=0",
        "Lin et al. 2023, arXiv:2305.08891 table 2",
        true},
       leading},
      {{"linspace",
        {},
        "evenly spaced timesteps, both ends included",
        "",
        "Lin et al. 2023, arXiv:2305.08891 table 2",
        true},
       linspace},
      {{"trailing",
        {},
        "every (T/N)-th timestep, counted from the last",
        "",
        "Lin et al. 2023, arXiv:2305.08891 table 2",
        true},
       trailing},
  };
  return table;
}

}  // namespace

Final parse_final(const std::string& text) {
  if (text == "zero") return Final::zero;
  if (text == "sigma_min") return Final::sigma_min;
  throw UsageError(fmt::format("--final must be zero or sigma_min, not '{}'", text));
}

const char* to_string(Final final) noexcept { return final == Final::zero ? "zero" : "sigma_min"; }

TimeGrid::TimeGrid(std::vector<double> sigmas) : sigmas_(std::move(sigmas)) {
  if (sigmas_.size() < 2)
    throw UsageError(fmt::format("a grid needs at least two noise levels, not {}", sigmas_.size()));
  for (std::size_t i = 0; i < sigmas_.size(); ++i) {
    if (!std::isfinite(sigmas_[i]) || sigmas_[i] < 0.0)
      throw UsageError(fmt::format("grid: level {} is {}; levels must be finite and at least 0", i, sigmas_[i]));
    if (i > 0 && sigmas_[i] >= sigmas_[i - 1])
      throw UsageError(fmt::format("grid: level {} ({}) is not below level {} ({}); levels must strictly decrease", i,
                                   sigmas_[i], i - 1, sigmas_[i - 1]));
  }
}

Tensor TimeGrid::rows(int64_t batch, const at::Device& device) const {
  return at::tensor(sigmas_, at::TensorOptions().dtype(at::kDouble))
      .to(device)
      .unsqueeze(0)
      .expand({batch, -1})
      .contiguous();
}

const std::vector<GridTraits>& grid_traits() {
  static const std::vector<GridTraits> all = [] {
    std::vector<GridTraits> traits;
    for (const Row& row : stride::rows()) traits.push_back(row.traits);
    traits.push_back({"custom", {}, "levels from a file, used as they stand", "FILE", "", false});
    return traits;
  }();
  return all;
}

TimeGrid make_grid(const Spec& spec, const GridRequest& request) {
  if (request.steps < 1) throw UsageError(fmt::format("a grid needs at least 1 step, not {}", request.steps));
  OptionReader options(spec, "schedule");
  if (spec.name == "custom") {
    const std::string path = options.argument("give the file with the levels: custom:FILE");
    options.done();
    return TimeGrid(read_numbers(path));
  }
  if (!(request.sigma_min > 0.0 && request.sigma_min < request.sigma_max && std::isfinite(request.sigma_max)))
    throw UsageError(
        fmt::format("grid: needs 0 < sigma_min < sigma_max, not {} and {}", request.sigma_min, request.sigma_max));
  std::vector<std::string> names{"custom"};
  for (const Row& row : stride::rows()) {
    names.push_back(row.traits.name);
    names.insert(names.end(), row.traits.aliases.begin(), row.traits.aliases.end());
    if (std::find(names.end() - 1 - static_cast<std::ptrdiff_t>(row.traits.aliases.size()), names.end(), spec.name) ==
        names.end())
      continue;
    std::vector<double> sigmas = row.build(options, request);
    options.done();
    if (request.final == Final::zero) sigmas.push_back(0.0);
    return TimeGrid(std::move(sigmas));
  }
  const std::string near = nearest(spec.name, names);
  throw UsageError(fmt::format(
      "unknown schedule '{}'; {}", spec.name,
      near.empty() ? fmt::format("there are {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near)));
}

}  // namespace stride
