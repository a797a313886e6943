#include "pipeline/models/card_probe.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/out_of_memory.h"
#include "neural/foreign/foreign_call.h"
#include "pipeline/models/model_files.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

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
  const auto rows = [](const std::vector<int64_t>& shape) {
    std::vector<int64_t> out = {kRows};
    out.insert(out.end(), shape.begin(), shape.end());
    return out;
  };
  std::vector<Tensor> slots;
  for (const ConditionSpec& spec : info.conditions)
    slots.push_back(at::zeros(spec.classes > 0 ? rows({}) : rows(spec.shape),
                              spec.classes > 0 ? options.dtype(at::kLong) : options));
  const at::NoGradGuard no_grad;
  (void)network.forward(at::zeros(rows(info.shape), options), at::full({kRows}, 0.5, options.dtype(state_dtype(dtype))),
                        BatchState(std::move(slots)));
}

// What fails here was not made for this card, or the card for it.
template <typename Call>
auto tried(const ModelSource& source, const Call& call) {
  try {
    return call();
  } catch (const c10::Error& error) {
    if (is_out_of_memory(error)) throw;
    throw InputError(
        fmt::format("{}: the network cannot be run as the card says: {}", source.where, foreign_message(error)));
  }
}

}  // namespace

std::optional<Probe> read_probe(const ModelSource& source) {
  const ModelCard& card = source.card;
  if (card.probe.empty()) return std::nullopt;
  const std::string path = model_path(source, card.probe);
  return make_probe(parse_safetensors(model_bytes(source, card.probe, card.probe_sha256), path), path, card.info);
}

void require_answer(const ModelSource& source, const std::optional<Probe>& probe, const NetworkDenoiser& denoiser,
                    const at::Device& device, at::ScalarType dtype) {
  if (!probe) {
    if (source.card.foreign) tried(source, [&] { run_once(denoiser.info(), denoiser.network(), device, dtype); });
    return;
  }
  double bound = probe_bound(dtype);
  if (source.card.foreign) bound = std::max(bound, probe_bound(source.card.foreign->dtype));
  const double error = tried(source, [&] { return probe_error(*probe, denoiser.network(), device, dtype); });
  if (error <= bound) return;
  if (!std::isfinite(error))
    throw InputError(fmt::format("{}: the network answers its probe with numbers that are not finite on {} in {}",
                                 source.where, device.str(), dtype_name(dtype)));
  throw InputError(fmt::format(
      "{}: the network answers its probe with a relative difference of {:.3g} on {} in {}, more than {:g}: the files "
      "do "
      "not belong together, the export is of another kind of machine, or its compiler was wrong; export it again",
      source.where, error, device.str(), dtype_name(dtype), bound));
}

}  // namespace stride
