#include "apps/commands/training_look.h"

#include "datasets/images/png.h"
#include "datasets/images/png_data.h"
#include "framework/fixed_grid.h"
#include "framework/models/network_denoiser.h"
#include "framework/sample.h"
#include "neural/networks/unet.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr int64_t kImages = 1024;  // that residuals are measured on
constexpr int64_t kSamples = 64, kColumns = 8, kSteps = 18;

struct Range {
  const char* name;
  double low, high;
};
constexpr std::array<Range, 4> kRanges = {{{"below_0.1", 0.0, 0.1},
                                           {"0.1_to_0.5", 0.1, 0.5},
                                           {"0.5_to_2", 0.5, 2.0},
                                           {"above_2", 2.0, std::numeric_limits<double>::infinity()}}};

}  // namespace

TrainingLook::TrainingLook(Context& context, const UNetConfig& config, const ImageData& data,
                           const DenoiserTraining& training, double sigma_min, double sigma_max)
    : context_(context), config_(config), training_(training), sigma_min_(sigma_min), sigma_max_(sigma_max) {
  // Every k-th image: a set may be in the order of its classes.
  const int64_t stride = std::max<int64_t>(1, data.size() / kImages);
  const Tensor chosen = data.stored().slice(0, 0, data.size(), stride).narrow(0, 0, std::min(kImages, data.size()));
  part_.images = data.scaled(chosen).contiguous();
  part_.classes = data.classes;
  if (data.labels.defined())
    part_.labels = data.labels.slice(0, 0, data.size(), stride).narrow(0, 0, part_.size()).contiguous();
}

void TrainingLook::operator()(int64_t step, const Weights& average) const {
  residuals(step, average);
  if (is_image_shape(part_.shape())) samples(step, average);
}

void TrainingLook::residuals(int64_t step, const Weights& average) const {
  const DenoiserResiduals found = denoiser_residuals(config_, average, part_, training_, 0);
  nlohmann::json line = {{"step", step}};
  for (const Range& range : kRanges) {
    const Tensor inside = found.loss.masked_select((found.sigma >= range.low).logical_and(found.sigma < range.high));
    if (inside.numel() == 0) continue;
    const std::string tag = fmt::format("residual/sigma_{}", range.name);
    context_.events().histogram(tag, step, inside);
    line[tag] = inside.mean().item<double>();
  }
  context_.metric(line.dump());
}

void TrainingLook::samples(int64_t step, const Weights& average) const {
  ModelInfo info;
  info.name = "training";
  info.kind = "unet";
  info.shape = part_.shape();
  info.sigma_min = sigma_min_;
  info.sigma_max = sigma_max_;
  info.sigma_data = config_.sigma_data;
  if (config_.classes > 0) info.conditions = {{"class", config_.classes, {}}};
  const NetworkDenoiser denoiser(info, std::make_shared<UNet>(config_, average),
                                 make_parameterisation("edm", config_.sigma_data), TimeInput::c_noise);
  const TimeGrid grid = make_grid(Spec::parse("karras"), {kSteps, sigma_min_, sigma_max_, Final::zero, nullptr});
  const FixedGrid controller(grid);
  const auto solver = make_solver("heun");
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const at::Device device = average.begin()->second.device();
  const Tensor ids = at::arange(kSamples, at::TensorOptions().dtype(at::kLong).device(device));
  BatchState condition;
  if (config_.classes > 0) condition = BatchState({ids.remainder(config_.classes)});
  const Tensor x = (noise.initial(ids, info.shape, at::kDouble) * grid.start()).to(at::kFloat);
  const RunState start =
      start_run(*solver, controller, {ids, condition, grid.rows(kSamples, device), {}}, x,
                at::full({kSamples}, grid.start(), at::TensorOptions().dtype(at::kDouble).device(device)));
  SampleOptions options;
  options.stop = [this] { return context_.stop(); };
  const RunResult result = sample({denoiser, flow, noise}, *solver, controller, start, options);
  if (result.stopped) return;
  const Tensor picture = tile_images(to_pixels(result.x), kColumns);
  context_.events().image("samples", step, encode_png(picture), picture.size(0), picture.size(1), picture.size(2));
}

}  // namespace stride
