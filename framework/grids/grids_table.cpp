// Published tables.
#include "framework/grids/grid_builders.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace stride {
namespace {

using Levels = std::array<double, 11>;

// Sabour et al. 2024 (arXiv:2404.14507), from NVIDIA's how-to page; the last level is the models' σ_min.
constexpr Levels kSd15{14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029};
constexpr Levels kSdxl{14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029};
constexpr Levels kSvd{700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002};
// The same with the digits that ComfyUI and stable-diffusion.cpp have: levels at whole timesteps.
constexpr Levels kSd15Long{14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092,
                           0.9642583904,  0.6523686016, 0.3977456272, 0.1515232662, 0.0291671582};
constexpr Levels kSdxlLong{14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141,
                           0.5550693289,  0.3798540708, 0.2332364134, 0.1114188177, 0.0291671582};

enum class AysModel { sd15, sdxl, svd };
enum class AysVariant { nvidia, comfyui, a1111 };

struct AysOptions {
  AysModel model = AysModel::sd15;
  AysVariant variant = AysVariant::nvidia;
};

const Levels& ays_levels(const AysOptions& options) {
  const bool long_digits = options.variant == AysVariant::comfyui;
  if (options.model == AysModel::svd) return kSvd;
  if (options.model == AysModel::sdxl) return long_digits ? kSdxlLong : kSdxl;
  return long_digits ? kSd15Long : kSd15;
}

// Other numbers of levels by interpolation of ln σ over the place in the table.
std::vector<double> resampled(const Levels& levels, int64_t count) {
  std::vector<double> out;
  const auto intervals = static_cast<double>(levels.size() - 1);
  for (const double u : unit_points(count)) {
    const double place = u * intervals;
    const auto low = std::min(static_cast<std::size_t>(place), levels.size() - 2);
    const double share = place - static_cast<double>(low);
    out.push_back(share == 0.0   ? levels[low]
                  : share == 1.0 ? levels[low + 1]
                                 : std::exp((1.0 - share) * std::log(levels[low]) + share * std::log(levels[low + 1])));
  }
  return out;
}

// Align Your Steps. NVIDIA's, diffusers', ComfyUI's and stable-diffusion.cpp's last jump leaves the smallest level out;
// A1111 keeps it.
std::vector<double> ays(const AysOptions& options, const GridRequest& request) {
  const Levels& levels = ays_levels(options);
  if (options.variant == AysVariant::a1111) return with_end(resampled(levels, positive_levels(request)), request);
  return replace_end(resampled(levels, request.steps + 1), request);
}

}  // namespace

std::vector<GridRow> table_grids() {
  return {
      grid_row(
          {.name = "ays",
           .aliases = {"align_your_steps", "Align Your Steps"},
           .summary = "NVIDIA's optimised levels for three models; have a range of their own",
           .differs = "variant=comfyui has more digits; variant=a1111 keeps the smallest level before the jump to 0",
           .reference = "Sabour et al. 2024, arXiv:2404.14507",
           .variants = {"model=sdxl", "model=svd", "variant=comfyui", "variant=a1111"}},
          options<AysOptions>(
              choice("model", &AysOptions::model,
                     {{"sd15", AysModel::sd15}, {"sdxl", AysModel::sdxl}, {"svd", AysModel::svd}},
                     "the model that the levels were found for"),
              choice("variant", &AysOptions::variant,
                     {{"nvidia", AysVariant::nvidia}, {"comfyui", AysVariant::comfyui}, {"a1111", AysVariant::a1111}},
                     "whose numbers under this name")),
          ays),
  };
}

}  // namespace stride
