#include "pipeline/decoding/image_stage.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/safetensors.h"
#include "framework/full_float32.h"
#include "framework/out_of_memory.h"
#include "framework/shapes.h"
#include "neural/foreign/batch_sizes.h"
#include "pipeline/models/card_probe.h"
#include "pipeline/models/foreign_code.h"
#include "pipeline/models/model_files.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>

namespace stride {
namespace {

constexpr int64_t kPassBytes = int64_t{64} << 20;

std::string shape_text(at::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::optional<Safetensors> read_stage_probe(const StageCard& card) {
  if (card.probe.empty()) return std::nullopt;
  const std::string path = model_path(card.where, card.probe);
  Safetensors probe = parse_safetensors(model_bytes(card.where, card.probe, card.probe_sha256), path);
  for (const char* key : {"input", "output"})
    if (!probe.tensors.contains(key))
      throw InputError(fmt::format("{}: a probe has the tensors input and output", path));
  if (card.kind == "aoti") require_torch(probe, card.where);
  return probe;
}

ImageMap load_map(const StageCard& card, const at::Device& device, const ForeignWeights& weights) {
  std::map<int64_t, ImageMap> maps;  // by batch size; 0: of any
  for (const CodeFile& code : card.code.code) {
    const std::string path = model_path(card.where, code.file);
    maps[code.batch] = card.kind == "aoti" ? packaged_images(path, card.code.dtype, device, weights.tensors)
                                           : scripted_images(model_bytes(card.where, code.file, code.sha256), path,
                                                             card.code.dtype, device);
  }
  if (maps.begin()->first == 0 && card.batches.empty()) return maps.begin()->second;
  for (const int64_t size : card.batches) maps[size] = maps.at(0);
  maps.erase(0);
  std::vector<int64_t> sizes;
  for (const auto& [size, map] : maps) sizes.push_back(size);
  return [maps, sizes](const Tensor& x) {
    return in_batch_sizes({x}, sizes,
                          [&](int64_t size, const std::vector<Tensor>& rows) { return maps.at(size)(rows[0]); });
  };
}

// What the exporter saw must be what this network says; where nothing is known, it says something of the right shape.
void require_map(const ImageStage& stage, const std::optional<Safetensors>& probe, const at::Device& device) {
  const StageCard& card = stage.card;
  if (probe) {
    const FullFloat32 full;
    const double error = run_for_card(card.where, [&] {
      return relative_error(stage.map(probe->tensors.at("input").to(at::kFloat)), probe->tensors.at("output"));
    });
    require_small(error, probe_bound(card.code.dtype), card.where, device, card.code.dtype);
    return;
  }
  std::vector<int64_t> seen = card.in_shape;
  if (card.tiles.window > 0)
    for (const std::size_t side : {1, 2}) seen[side] = std::min(seen[side], card.tiles.window);
  const Tensor out = run_for_card(card.where, [&] { return stage.map(at::zeros(prepend({1}, seen), at::kFloat)); });
  const bool whole = seen == card.in_shape;
  if (out.size(1) != card.out_shape[0] || (whole && out.sizes().slice(1) != at::IntArrayRef(card.out_shape)))
    throw InputError(fmt::format("{}: the network makes {} of {}, its card promises {} of {}", card.where,
                                 shape_text(out.sizes().slice(1)), shape_text(seen), shape_text(card.out_shape),
                                 shape_text(card.in_shape)));
}

int64_t values_of(const std::vector<int64_t>& shape) { return shape[0] * shape[1] * shape[2]; }

Tensor run(const ImageStage& stage, const Tensor& samples) {
  const StageCard& card = stage.card;
  if (samples.sizes().slice(1) != at::IntArrayRef(card.in_shape))
    throw UsageError(fmt::format("{} takes {}, not {}", card.where, shape_text(card.in_shape),
                                 shape_text(samples.sizes().slice(1))));
  int64_t rows = std::max<int64_t>(1, kPassBytes / (4 * std::max(values_of(card.in_shape), values_of(card.out_shape))));
  std::vector<Tensor> parts;
  for (int64_t at = 0; at < samples.size(0);) {
    const int64_t now = std::min(rows, samples.size(0) - at);
    const Tensor x = (samples.narrow(0, at, now).to(at::kDouble) / card.scale + card.shift).to(at::kFloat);
    Tensor out;
    try {
      out = tiled_map(stage.map, x, card.tiles).to(at::kCPU);
    } catch (const std::exception& error) {
      if (!is_out_of_memory(error) || now == 1) throw;
      rows = std::max<int64_t>(1, now / 2);
      continue;
    }
    if (out.sizes().slice(1) != at::IntArrayRef(card.out_shape))
      throw InputError(fmt::format("{}: the network makes {}, its card promises {}", card.where,
                                   shape_text(out.sizes().slice(1)), shape_text(card.out_shape)));
    parts.push_back(std::move(out));
    at += now;
  }
  if (parts.empty()) return at::empty(prepend({0}, card.out_shape), at::kFloat);
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

}  // namespace

ImageStage load_image_stage(const std::string& option, const std::string& table, const std::string& given, bool trust,
                            at::Device device) {
  const std::string path = card_path(option, given);
  ImageStage stage{.card = parse_stage_card(read_file(path), table, path), .sha256 = {}};
  const StageCard& card = stage.card;
  require_trust(trust, fmt::format("{} {}", option, given), model_path(path, card.code.code.front().file));
  const std::optional<Safetensors> probe = read_stage_probe(card);
  require_code(path, card.code, device);
  const ForeignWeights weights = read_weights(path, card.code, device);
  stage.sha256 = foreign_identity(card.code, weights.sha256);
  stage.map = load_map(card, device, weights);
  require_map(stage, probe, device);
  return stage;
}

ImageStages::ImageStages(const std::string& decoder, const std::string& post, bool trust, at::Device device) {
  if (!decoder.empty()) stages_.push_back(load_image_stage("`decoder`", "decoder", decoder, trust, device));
  if (!post.empty()) stages_.push_back(load_image_stage("`post`", "post", post, trust, device));
  if (stages_.size() == 2 && stages_[0].card.out_shape != stages_[1].card.in_shape)
    throw UsageError(fmt::format("`post` {} takes images of {}, and `decoder` {} makes {}", post,
                                 shape_text(stages_[1].card.in_shape), decoder, shape_text(stages_[0].card.out_shape)));
}

std::vector<int64_t> ImageStages::out_shape(const std::vector<int64_t>& shape) const {
  if (stages_.empty()) return shape;
  if (shape != stages_.front().card.in_shape)
    throw UsageError(fmt::format("{} takes samples of {}, and these are of {}", stages_.front().card.where,
                                 shape_text(stages_.front().card.in_shape), shape_text(shape)));
  return stages_.back().card.out_shape;
}

Tensor ImageStages::operator()(const Tensor& samples) const {
  Tensor out = samples;
  for (const ImageStage& stage : stages_) out = run(stage, out);
  return out;
}

std::vector<std::pair<std::string, std::string>> ImageStages::made_with() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const ImageStage& stage : stages_) out.emplace_back(stage.card.where, stage.sha256);
  return out;
}

}  // namespace stride
