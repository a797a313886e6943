#include "neural/predictor/step_features.h"

#include "framework/history.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr double kTiny = 1e-12;  // keeps logarithms finite where two directions agree exactly

Tensor flat(const Tensor& x) { return x.to(at::kDouble).reshape({x.size(0), -1}); }

Tensor rms(const Tensor& x) { return flat(x).square().mean(1).sqrt(); }

// Means of the four quadrants of an image, or of four quarters of anything else: `[B, 4]`.
Tensor quarter_means(const Tensor& x) {
  std::vector<Tensor> means;
  if (x.dim() >= 4 && x.size(-1) >= 2 && x.size(-2) >= 2) {
    const int64_t rows = x.size(-2) / 2, columns = x.size(-1) / 2;
    for (const auto& half : {x.narrow(-2, 0, rows), x.narrow(-2, rows, x.size(-2) - rows)})
      for (const auto& part : {half.narrow(-1, 0, columns), half.narrow(-1, columns, x.size(-1) - columns)})
        means.push_back(flat(part).mean(1));
  } else {
    const Tensor all = flat(x);
    const int64_t n = all.size(1);
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t from = i * n / 4;
      const int64_t size = std::max<int64_t>(1, (i + 1) * n / 4 - from);
      means.push_back(all.narrow(1, std::min(from, n - 1), size).mean(1));
    }
  }
  return at::stack(means, 1);
}

// Root mean square of the differences between neighbours.
Tensor gradient_energy(const Tensor& x) {
  const auto difference = [](const Tensor& t, int64_t dim) {
    return t.size(dim) < 2
               ? at::zeros({t.size(0)}, t.options().dtype(at::kDouble))
               : flat(t.narrow(dim, 1, t.size(dim) - 1) - t.narrow(dim, 0, t.size(dim) - 1)).square().mean(1);
  };
  if (x.dim() >= 4) return (difference(x, -1) + difference(x, -2)).sqrt();
  return difference(flat(x), 1).sqrt();
}

Tensor mean_std(const Tensor& x) {
  const Tensor all = flat(x);
  const Tensor mean = all.mean(1);
  return at::stack({mean, (all - mean.unsqueeze(1)).square().mean(1).sqrt()}, 1);
}

}  // namespace

const std::vector<std::string>& step_feature_names() {
  static const std::vector<std::string> names = {
      "ln sigma",          "ln last ratio",  "ln ratio before", "one evaluation known",
      "two known",         "ln |direction|", "ln |change|",     "cosine of directions",
      "ln |change of D|",  "ln |x| scaled",  "mean of D",       "std of D",
      "D quarter 1",       "D quarter 2",    "D quarter 3",     "D quarter 4",
      "D gradient energy", "x_T mean",       "x_T std",         "x_T quarter 1",
      "x_T quarter 2",     "x_T quarter 3",  "x_T quarter 4"};
  return names;
}

Tensor start_statistics(const Tensor& x, const Times& sigma) {
  const Tensor scaled = x.to(at::kDouble) / per_sample(sigma, x).to(at::kDouble);
  return at::cat({mean_std(scaled), quarter_means(scaled)}, 1);
}

Tensor pooled_statistics(const Tensor& denoised) {
  return at::cat({mean_std(denoised), quarter_means(denoised), gradient_energy(denoised).unsqueeze(1)}, 1);
}

StepStatistics step_statistics(const StepKnowledge& k) {
  return {k.sigma,
          k.last_sigma,
          k.previous_sigma,
          k.known,
          rms(k.x),
          rms(k.slope),
          rms(k.previous_slope),
          (flat(k.slope) * flat(k.previous_slope)).mean(1),
          rms(k.slope - k.previous_slope),
          rms(k.denoised - k.previous_denoised),
          pooled_statistics(k.denoised),
          k.start};
}

Tensor step_features(const StepStatistics& s) {
  const Tensor one = s.known >= 1;
  const Tensor two = s.known >= 2;
  const auto only = [](const Tensor& mask, const Tensor& value) {
    return at::where(value.dim() == 2 ? mask.unsqueeze(1) : mask, value, at::zeros_like(value));
  };
  const auto log_of = [](const Tensor& value) { return (value + kTiny).log(); };
  const std::vector<Tensor> scalars = {
      s.sigma.log(),
      only(one, (s.last_sigma / s.sigma).log()),
      only(two, (s.previous_sigma / s.last_sigma).log()),
      one.to(at::kDouble),
      two.to(at::kDouble),
      only(one, log_of(s.slope)),
      only(two, log_of(s.slope_change)),
      only(two, s.slope_product / (s.slope * s.previous_slope + kTiny)),
      only(two, log_of(s.denoised_change)),
      log_of(s.x / (s.sigma * s.sigma + 1.0).sqrt()),
  };
  return at::cat({at::stack(scalars, 1), only(one, s.pooled), s.start}, 1);
}

Tensor step_features(const StepKnowledge& knowledge) { return step_features(step_statistics(knowledge)); }

}  // namespace stride
