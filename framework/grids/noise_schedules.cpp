// The noise schedules that people know by name.
#include "framework/error.h"
#include "framework/grids/flow_time.h"
#include "framework/grids/noise_schedule.h"
#include "framework/grids/number_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

namespace stride {
namespace {

using Betas = std::vector<double>;

// `count` values of a function of t/(count − 1).
Betas spaced(int64_t count, const std::function<double(double)>& value) {
  Betas out;
  for (int64_t t = 0; t < count; ++t) out.push_back(value(static_cast<double>(t) / static_cast<double>(count - 1)));
  return out;
}

// Betas from ᾱ(t) on [0, 1], each at most 0.999 (Nichol & Dhariwal 2021, arXiv:2102.09672 §3.2).
Betas from_alpha_bar(int64_t count, const std::function<double(double)>& alpha_bar) {
  Betas out;
  const auto at = [&](int64_t t) { return alpha_bar(static_cast<double>(t) / static_cast<double>(count)); };
  for (int64_t t = 0; t < count; ++t) out.push_back(std::min(1.0 - at(t + 1) / at(t), 0.999));
  return out;
}

// Ho et al. 2020 (arXiv:2006.11239) §4; end points as in diffusers.
Betas linear(OptionReader& options, int64_t count) {
  const double start = options.number("beta_start", 1e-4);
  const double end = options.number("beta_end", 0.02);
  return spaced(count, [&](double u) { return start + (end - start) * u; });
}

Betas scaled_linear(OptionReader& options, int64_t count) {
  const double start = std::sqrt(options.number("beta_start", 0.00085));
  const double end = std::sqrt(options.number("beta_end", 0.012));
  return spaced(count, [&](double u) { return std::pow(start + (end - start) * u, 2); });
}

// Nichol & Dhariwal 2021 (arXiv:2102.09672) eq. 17.
Betas cosine(OptionReader& /*options*/, int64_t count) {
  return from_alpha_bar(count,
                        [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2.0), 2); });
}

// GeoDiff's (Xu et al. 2022, arXiv:2203.02923): a logistic curve over −6 … 6 between the end points.
Betas sigmoid(OptionReader& options, int64_t count) {
  const double start = options.number("beta_start", 1e-4);
  const double end = options.number("beta_end", 0.02);
  return spaced(count, [&](double u) { return start + (end - start) / (1.0 + std::exp(6.0 - 12.0 * u)); });
}

// Hang et al. 2024 (arXiv:2407.03297), table 1: λ(t) = −½·sgn(½ − t)·ln(1 − 2|½ − t|); as diffusers has it, with
// ᾱ = √(e^λ/(1 + e^λ)) and 1e-6 inside the logarithm.
Betas laplace(OptionReader& /*options*/, int64_t count) {
  return from_alpha_bar(count, [](double t) {
    const double from_middle = 0.5 - t;
    const double snr =
        std::exp(-0.5 * std::copysign(1.0, from_middle) * std::log(1.0 - 2.0 * std::abs(from_middle) + 1e-6));
    return std::sqrt(snr / (1.0 + snr));
  });
}

// Lin et al. 2023 (arXiv:2305.08891) algorithm 1: √ᾱ is moved and stretched so that its last value is 0. σ = ∞ there
// is not a number to compute with: the last ᾱ is 2⁻²⁴ as in diffusers, σ = 4096, or a quarter of the one before where
// that is not above it, since levels must increase (docs/differences.md).
std::vector<double> rescaled(const std::vector<double>& alphas_cumprod) {
  const double first = std::sqrt(alphas_cumprod.front());
  const double last = std::sqrt(alphas_cumprod.back());
  std::vector<double> out;
  for (const double alpha : alphas_cumprod)
    out.push_back(std::pow((std::sqrt(alpha) - last) * (first / (first - last)), 2));
  const double before = out[out.size() - 2];
  out.back() = before > 0x1p-24 ? 0x1p-24 : 0.25 * before;
  return out;
}

using Interpolation = NoiseSchedule::Interpolation;

NoiseSchedule maybe_rescaled(const NoiseSchedule& plain, bool rescale) {
  if (!rescale) return plain;
  return NoiseSchedule::from_alphas_cumprod(rescaled(plain.alphas_cumprod()), plain.interpolation());
}

int64_t read_steps(OptionReader& options) {
  const int64_t steps = options.integer("steps", 1000);
  if (steps < 2 || steps > 1'000'000)
    throw UsageError(fmt::format("noise schedule: steps must lie in 2 … 1000000, not {}", steps));
  return steps;
}

NoiseSchedule flow(OptionReader& options, Interpolation interpolation) {
  const int64_t steps = read_steps(options);
  const FlowShift shift = read_flow_shift(options, "noise schedule 'flow'");
  std::vector<double> sigmas;
  for (int64_t t = 1; t < steps; ++t)
    sigmas.push_back(shift.multiplier * flow_sigma(static_cast<double>(t) / static_cast<double>(steps)));
  const double below = static_cast<double>(steps - 1) / static_cast<double>(steps);
  sigmas.push_back(shift.multiplier * flow_sigma(flow_start(below)));
  return NoiseSchedule::from_sigmas(std::move(sigmas), interpolation);
}

NoiseSchedule custom(OptionReader& options, Interpolation interpolation) {
  const std::string path = options.argument("give the file with the betas: custom:FILE");
  const std::string what = options.word("of", "betas");
  const bool rescale = options.flag("rescale_zero_snr", false);
  if (what != "betas" && what != "alphas_cumprod" && what != "sigmas")
    throw UsageError(
        fmt::format("noise schedule 'custom': of must be betas, alphas_cumprod or sigmas, not '{}'", what));
  std::vector<double> numbers = read_numbers(path, "noise schedule");
  if (what == "betas") return maybe_rescaled(NoiseSchedule(numbers, interpolation), rescale);
  if (what == "sigmas") return maybe_rescaled(NoiseSchedule::from_sigmas(std::move(numbers), interpolation), rescale);
  return maybe_rescaled(NoiseSchedule::from_alphas_cumprod(std::move(numbers), interpolation), rescale);
}

using Maker = std::function<NoiseSchedule(OptionReader&, Interpolation)>;

Maker of_betas(Betas (*betas)(OptionReader&, int64_t)) {
  return [betas](OptionReader& options, Interpolation interpolation) {
    const NoiseSchedule plain(betas(options, read_steps(options)), interpolation);
    return maybe_rescaled(plain, options.flag("rescale_zero_snr", false));
  };
}

struct Row {
  NoiseScheduleTraits traits;
  Maker make;
};

const std::vector<Row>& rows() {
  static const std::string common = "rescale_zero_snr=0, interpolation=log_linear|linear";
  static const std::string no_ends = "steps=1000, " + common;
  static const std::string ends = "steps=1000, beta_start=1e-4, beta_end=0.02, " + common;
  static const std::vector<Row> table{
      {{"cosine",
        {"squaredcos_cap_v2"},
        "ᾱ is a squared cosine",
        no_ends,
        "Nichol & Dhariwal 2021, arXiv:2102.09672 eq. 17"},
       of_betas(cosine)},
      {{"custom",
        {"trained_betas"},
        "one number a timestep, from a file",
        "FILE, of=betas|alphas_cumprod|sigmas, " + common,
        ""},
       custom},
      {{"flow",
        {"flow_match"},
        "flow times (t + 1)/T in EDM coordinates, shifted",
        std::string("steps=1000, interpolation=log_linear|linear, ") + kFlowShiftOptions,
        "Esser et al. 2024, arXiv:2403.03206 eq. 23"},
       flow},
      {{"laplace", {}, "log-SNR is Laplace-distributed", no_ends, "Hang et al. 2024, arXiv:2407.03297"},
       of_betas(laplace)},
      {{"linear", {}, "β evenly spaced", ends, "Ho et al. 2020, arXiv:2006.11239 §4"}, of_betas(linear)},
      {{"scaled_linear",
        {},
        "√β evenly spaced; the latent models'",
        "steps=1000, beta_start=0.00085, beta_end=0.012, " + common,
        "Rombach et al. 2022, arXiv:2112.10752"},
       of_betas(scaled_linear)},
      {{"sigmoid", {}, "β follows a logistic curve", ends, "Xu et al. 2022, arXiv:2203.02923"}, of_betas(sigmoid)},
  };
  return table;
}

Interpolation read_interpolation(OptionReader& options) {
  const std::string rule = options.word("interpolation", "log_linear");
  if (rule == "log_linear") return Interpolation::log_linear;
  if (rule == "linear") return Interpolation::linear;
  throw UsageError(fmt::format("noise schedule: interpolation must be log_linear or linear, not '{}'", rule));
}

}  // namespace

const std::vector<NoiseScheduleTraits>& noise_schedule_traits() {
  static const std::vector<NoiseScheduleTraits> all = [] {
    std::vector<NoiseScheduleTraits> traits;
    for (const Row& row : rows()) traits.push_back(row.traits);
    return traits;
  }();
  return all;
}

NoiseSchedule make_noise_schedule(const Spec& spec) {
  OptionReader options(spec, "noise schedule");
  std::vector<std::string> names;
  for (const Row& row : rows()) {
    std::vector<std::string> called = row.traits.aliases;
    called.push_back(row.traits.name);
    if (std::find(called.begin(), called.end(), spec.name) != called.end()) {
      NoiseSchedule schedule = row.make(options, read_interpolation(options));
      options.done();
      return schedule;
    }
    names.insert(names.end(), called.begin(), called.end());
  }
  const std::string near = nearest(spec.name, names);
  throw UsageError(fmt::format(
      "unknown noise schedule '{}'; {}", spec.name,
      near.empty() ? fmt::format("there are {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near)));
}

const std::vector<std::string>& noise_schedule_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Row& row : rows())
      if (row.traits.name != "custom") all.push_back(row.traits.name);
    return all;
  }();
  return names;
}

}  // namespace stride
