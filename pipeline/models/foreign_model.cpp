#include "pipeline/models/foreign_model.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/models/network_denoiser.h"
#include "neural/foreign/batched_network.h"
#include "neural/foreign/conditioned_network.h"
#include "neural/foreign/packaged_network.h"
#include "neural/foreign/scripted_network.h"
#include "pipeline/models/card_probe.h"
#include "pipeline/models/foreign_code.h"
#include "pipeline/models/model_files.h"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace stride {
namespace {

using Networks = std::map<int64_t, std::shared_ptr<const Network>>;

bool narrow(at::ScalarType dtype) { return at::elementSize(dtype) < at::elementSize(at::kFloat); }

// What the network runs in: float32, the default of runs, leaves the card's.
at::ScalarType network_dtype(const ModelSource& source, at::ScalarType dtype) {
  const ForeignCard& foreign = *source.card.foreign;
  if (dtype == at::kFloat || dtype == foreign.dtype) return foreign.dtype;
  if (source.card.info.kind == "torchscript") return dtype;
  if (!narrow(dtype)) return foreign.dtype;
  throw UsageError(
      fmt::format("`dtype` {}: {} was compiled in {}, which cannot be changed any more: export the network in {}, or "
                  "leave `dtype` out",
                  dtype_name(dtype), model_path(source.where, foreign.code.front().file), dtype_name(foreign.dtype),
                  dtype_name(dtype)));
}

// By batch size; 0: of any.
Networks load_code(const ModelSource& source, const at::Device& device, at::ScalarType dtype,
                   const ForeignWeights& weights) {
  const ModelCard& card = source.card;
  const ForeignCard& foreign = *card.foreign;
  Networks networks;
  for (const CodeFile& code : foreign.code) {
    const std::string path = model_path(source.where, code.file);
    const std::string where = fmt::format("model '{}', {}", card.info.name, path);
    if (card.info.kind == "aoti") {
      networks[code.batch] =
          std::make_shared<PackagedNetwork>(path, where, device, card.info.conditions.size(), weights.tensors);
      continue;
    }
    networks[code.batch] =
        std::make_shared<ScriptedNetwork>(model_bytes(source.where, code.file, code.sha256), where, device,
                                          dtype == foreign.dtype ? std::nullopt : std::optional(dtype));
  }
  return networks;
}

std::shared_ptr<const Network> in_batches(const ModelCard& card, Networks networks) {
  const auto any = networks.find(0);
  if (any == networks.end()) return std::make_shared<BatchedNetwork>(std::move(networks));
  if (card.batches.empty()) return any->second;
  Networks sizes;
  for (const int64_t size : card.batches) sizes[size] = any->second;
  return std::make_shared<BatchedNetwork>(std::move(sizes));
}

}  // namespace

std::shared_ptr<const Denoiser> load_foreign(const ModelSource& source, const at::Device& device, at::ScalarType dtype,
                                             bool trust) {
  const ModelCard& card = source.card;
  const ForeignCard& foreign = *card.foreign;
  require_trust(trust, fmt::format("`model` {}", source.where), model_path(source.where, foreign.code.front().file));
  const at::ScalarType own = network_dtype(source, dtype);
  const std::optional<Probe> probe = read_probe(source);
  require_code(source.where, foreign, device);
  const ForeignWeights weights = read_weights(source.where, foreign, device);
  ModelInfo info = card.info;
  std::shared_ptr<const Network> network = in_batches(card, load_code(source, device, own, weights));
  info.sha256 = foreign_identity(foreign, weights.sha256);
  network = std::make_shared<ConditionedNetwork>(std::move(network), info.conditions, own,
                                                 fmt::format("model '{}'", info.name));
  std::optional<TimestepTable> timesteps;
  if (card.noise_schedule) timesteps.emplace(make_noise_schedule(*card.noise_schedule), device);
  auto denoiser = std::make_shared<const NetworkDenoiser>(info, std::move(network),
                                                          make_parameterisation(card.prediction, info.sigma_data),
                                                          parse_time_input(card.time), std::move(timesteps), own);
  require_answer(source, probe, *denoiser, device, own);
  return denoiser;
}

}  // namespace stride
