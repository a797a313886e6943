#include "pipeline/models/card_probe.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/shapes.h"
#include "pipeline/models/model_files.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace stride {
namespace {

// Where nothing is known to compare with: the shape of an answer.
void run_once(const ModelInfo& info, const Network& network, const at::Device& device, at::ScalarType dtype) {
  constexpr int64_t kRows = 2;
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  const auto rows = [](const std::vector<int64_t>& shape) { return prepend({kRows}, shape); };
  std::vector<Tensor> slots;
  for (const ConditionSpec& spec : info.conditions)
    slots.push_back(at::zeros(spec.classes > 0 ? rows({}) : rows(spec.shape),
                              spec.classes > 0 ? options.dtype(at::kLong) : options));
  const at::NoGradGuard no_grad;
  (void)network.forward(at::zeros(rows(info.shape), options), at::full({kRows}, 0.5, options.dtype(state_dtype(dtype))),
                        BatchState(std::move(slots)));
}

}  // namespace

std::optional<Probe> read_probe(const ModelSource& source) {
  const ModelCard& card = source.card;
  if (card.probe.empty()) return std::nullopt;
  const std::string path = model_path(source.where, card.probe);
  const Safetensors file = parse_safetensors(model_bytes(source.where, card.probe, card.probe_sha256), path);
  if (card.info.kind == "aoti") require_torch(file, source.where);
  return make_probe(file, path, card.info);
}

void require_torch(const Safetensors& probe, const std::string& card) {
  const auto made = probe.metadata.find("torch");
  if (made == probe.metadata.end()) return;
  const std::string here = fmt::format("{}.{}.", TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR);
  if (!(made->second + ".").starts_with(here))
    throw InputError(fmt::format("{}: was compiled with torch {}, and this program has {}: export it with torch {}*",
                                 card, made->second, TORCH_VERSION, here));
}

void require_small(double error, double bound, const std::string& card, const at::Device& device,
                   at::ScalarType dtype) {
  if (error <= bound) return;
  if (!std::isfinite(error))
    throw InputError(fmt::format("{}: the network answers its probe with numbers that are not finite on {} in {}", card,
                                 device.str(), dtype_name(dtype)));
  throw InputError(fmt::format(
      "{}: the network answers its probe with a relative difference of {:.3g} on {} in {}, more than {:g}: the files "
      "do "
      "not belong together, the export is of another kind of machine, or its compiler was wrong; export it again",
      card, error, device.str(), dtype_name(dtype), bound));
}

void require_answer(const ModelSource& source, const std::optional<Probe>& probe, const NetworkDenoiser& denoiser,
                    const at::Device& device, at::ScalarType dtype) {
  const std::string& card = source.where;
  if (!probe) {
    if (source.card.foreign) run_for_card(card, [&] { run_once(denoiser.info(), denoiser.network(), device, dtype); });
    return;
  }
  double bound = probe_bound(dtype);
  if (source.card.foreign) bound = std::max(bound, probe_bound(source.card.foreign->dtype));
  const double error = run_for_card(card, [&] { return probe_error(*probe, denoiser.network(), device, dtype); });
  require_small(error, bound, card, device, dtype);
}

}  // namespace stride
