// The noise schedules that people know by name.
#include "framework/grids/flow_time.h"
#include "framework/grids/noise_schedule.h"
#include "framework/grids/number_list.h"
#include "framework/named.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

namespace stride {
namespace {

using Betas = std::vector<double>;
using Interpolation = NoiseSchedule::Interpolation;

// The options of all of them; each declares those that it takes.
struct Read : FlowShiftOptions {
  std::string path;
  enum class Of { betas, alphas_cumprod, sigmas } of = Of::betas;
  int64_t steps = 1000;
  double beta_start = 1e-4, beta_end = 0.02;
  bool rescale_zero_snr = false;
  Interpolation interpolation = Interpolation::log_linear;
};

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
Betas linear(const Read& read) {
  return spaced(read.steps, [&](double u) { return read.beta_start + (read.beta_end - read.beta_start) * u; });
}

Betas scaled_linear(const Read& read) {
  const double start = std::sqrt(read.beta_start);
  const double end = std::sqrt(read.beta_end);
  return spaced(read.steps, [&](double u) { return std::pow(start + (end - start) * u, 2); });
}

// Nichol & Dhariwal 2021 (arXiv:2102.09672) eq. 17.
Betas cosine(const Read& read) {
  return from_alpha_bar(read.steps,
                        [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2.0), 2); });
}

// GeoDiff's (Xu et al. 2022, arXiv:2203.02923): a logistic curve over −6 … 6 between the end points.
Betas sigmoid(const Read& read) {
  return spaced(read.steps, [&](double u) {
    return read.beta_start + (read.beta_end - read.beta_start) / (1.0 + std::exp(6.0 - 12.0 * u));
  });
}

// Hang et al. 2024 (arXiv:2407.03297), table 1: λ(t) = −½·sgn(½ − t)·ln(1 − 2|½ − t|); as diffusers has it, with
// ᾱ = √(e^λ/(1 + e^λ)) and 1e-6 inside the logarithm.
Betas laplace(const Read& read) {
  return from_alpha_bar(read.steps, [](double t) {
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

NoiseSchedule maybe_rescaled(const NoiseSchedule& plain, const Read& read) {
  if (!read.rescale_zero_snr) return plain;
  return NoiseSchedule::from_alphas_cumprod(rescaled(plain.alphas_cumprod()), plain.interpolation());
}

NoiseSchedule flow(const Read& read) {
  const int64_t steps = read.steps;
  const FlowShift shift = read.made("noise schedule 'flow'");
  std::vector<double> sigmas;
  for (int64_t t = 1; t < steps; ++t)
    sigmas.push_back(shift.multiplier * flow_sigma(static_cast<double>(t) / static_cast<double>(steps)));
  const double below = static_cast<double>(steps - 1) / static_cast<double>(steps);
  sigmas.push_back(shift.multiplier * flow_sigma(flow_start(below)));
  return NoiseSchedule::from_sigmas(std::move(sigmas), read.interpolation);
}

NoiseSchedule custom(const Read& read) {
  std::vector<double> numbers = read_numbers(read.path, "noise schedule");
  if (read.of == Read::Of::betas) return maybe_rescaled(NoiseSchedule(numbers, read.interpolation), read);
  const auto make = read.of == Read::Of::sigmas ? NoiseSchedule::from_sigmas : NoiseSchedule::from_alphas_cumprod;
  return maybe_rescaled(make(std::move(numbers), read.interpolation), read);
}

using Row = Named<Card, std::function<NoiseSchedule(const Spec&)>>;

Row row(Card card, const Options<Read>& options, NoiseSchedule (*make)(const Read&)) {
  return entry_of<Row>("noise schedule", std::move(card), options, make);
}

Row of_betas(Card card, const Options<Read>& options, Betas (*betas)(const Read&)) {
  return entry_of<Row>("noise schedule", std::move(card), options, [betas](const Read& read) {
    return maybe_rescaled(NoiseSchedule(betas(read), read.interpolation), read);
  });
}

const std::vector<Row>& rows() {
  const auto steps = integer("steps", &Read::steps, in_range(2, 1'000'000), "timesteps");
  const auto interpolation = choice("interpolation", &Read::interpolation,
                                    {{"log_linear", Interpolation::log_linear}, {"linear", Interpolation::linear}},
                                    "of sigma between timesteps");
  const auto common = options<Read>(
      flag("rescale_zero_snr", &Read::rescale_zero_snr, "move and stretch it so that the last level has no signal"),
      interpolation);
  const auto no_ends = options<Read>(steps, common);
  const auto ends = options<Read>(steps, number("beta_start", &Read::beta_start, any_number(), "the first beta"),
                                  number("beta_end", &Read::beta_end, any_number(), "the last beta"), common);
  Read latent;
  latent.beta_start = 0.00085;
  latent.beta_end = 0.012;
  static const std::vector<Row> table{
      of_betas({.name = "cosine",
                .aliases = {"squaredcos_cap_v2"},
                .summary = "ᾱ is a squared cosine",
                .reference = "Nichol & Dhariwal 2021, arXiv:2102.09672 eq. 17"},
               no_ends, cosine),
      row({.name = "custom", .aliases = {"trained_betas"}, .summary = "one number per timestep, from a file"},
          options<Read>(argument("FILE", &Read::path, "the file with the numbers"),
                        choice("of", &Read::of,
                               {{"betas", Read::Of::betas},
                                {"alphas_cumprod", Read::Of::alphas_cumprod},
                                {"sigmas", Read::Of::sigmas}},
                               "what the numbers are"),
                        common),
          custom),
      row({.name = "flow",
           .aliases = {"flow_match"},
           .summary = "flow times (t + 1)/T in EDM coordinates, shifted",
           .reference = "Esser et al. 2024, arXiv:2403.03206 eq. 23"},
          options<Read>(steps, interpolation, FlowShiftOptions::declared()), flow),
      of_betas({.name = "laplace",
                .summary = "log-SNR is Laplace-distributed",
                .reference = "Hang et al. 2024, arXiv:2407.03297"},
               no_ends, laplace),
      of_betas({.name = "linear", .summary = "β evenly spaced", .reference = "Ho et al. 2020, arXiv:2006.11239 §4"},
               ends, linear),
      of_betas({.name = "scaled_linear",
                .summary = "√β evenly spaced; the latent models'",
                .reference = "Rombach et al. 2022, arXiv:2112.10752"},
               ends.with(latent), scaled_linear),
      of_betas(
          {.name = "sigmoid", .summary = "β follows a logistic curve", .reference = "Xu et al. 2022, arXiv:2203.02923"},
          ends, sigmoid),
  };
  return table;
}

}  // namespace

const std::vector<NoiseScheduleTraits>& noise_schedule_traits() {
  static const std::vector<NoiseScheduleTraits> all = cards_of(rows());
  return all;
}

NoiseSchedule make_noise_schedule(const Spec& spec) { return named("noise schedule", spec.name, rows()).value(spec); }

const std::vector<std::string>& noise_schedule_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = names_of(rows());
    std::erase(all, "custom");
    return all;
  }();
  return names;
}

}  // namespace stride
