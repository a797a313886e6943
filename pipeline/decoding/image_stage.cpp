#include "pipeline/decoding/image_stage.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/safetensors.h"
#include "framework/out_of_memory.h"
#include "neural/foreign/packaged_images.h"
#include "neural/foreign/probe.h"
#include "pipeline/toml_reader.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace stride {
namespace {

constexpr int64_t kMostValues = int64_t{1} << 30;
constexpr int64_t kPassBytes = int64_t{64} << 20;

struct StageCard {
  ImageStage stage = {};
  std::string file, probe, probe_sha256;
  bool packaged = false;
  at::ScalarType dtype = at::kFloat;
};

std::vector<int64_t> image_shape(TomlReader& reader, const std::string& key) {
  const auto shape = reader.integers(key);
  if (!shape || shape->size() != 3) reader.fail(key, "must be [channels, height, width]");
  int64_t values = 1;
  for (const int64_t extent : *shape) {
    if (extent < 1 || extent > kMostValues / values) reader.fail(key, "must hold positive sizes, at most 2^30 values");
    values *= extent;
  }
  return *shape;
}

std::vector<int64_t> batch_sizes(TomlReader& reader) {
  const toml::node* node = reader.node("batches");
  if (node == nullptr || (node->is_string() && node->as_string()->get() == "dynamic")) return {};
  if (!node->is_array()) reader.fail("batches", "must be \"dynamic\" or a list of sizes");
  std::vector<int64_t> out = reader.integers("batches").value_or(std::vector<int64_t>{});
  if (out.empty() || std::any_of(out.begin(), out.end(), [](int64_t size) { return size < 1; }))
    reader.fail("batches", "must be \"dynamic\" or a list of sizes");
  std::sort(out.begin(), out.end());
  return out;
}

int64_t pixels(TomlReader& reader, const std::string& key, int64_t otherwise) {
  const int64_t value = reader.integer(key).value_or(otherwise);
  if (value < 0 || value > kMostValues) reader.fail(key, "must be a number of pixels, 0 or more");
  return value;
}

StageCard parse_card(const std::string& text, const std::string& name, const std::string& where) {
  const toml::table root = parse_toml_text(text, where);
  TomlReader top(root, where, "");
  const toml::table* table = top.table(name);
  if (table == nullptr) throw InputError(fmt::format("{}: the card has no table [{}]", where, name));
  (void)top.table("provenance");
  top.done();
  TomlReader reader(*table, where, name);
  StageCard card;
  const std::string kind = reader.text("kind").value_or("torchscript");
  if (kind != "torchscript" && kind != "aoti")
    reader.fail("kind", fmt::format("is '{}', but must be torchscript or aoti", kind));
  card.packaged = kind == "aoti";
  if (const auto compiled = reader.text("device"); card.packaged && compiled != "cpu" && compiled != "cuda")
    reader.fail("device", "must be \"cpu\" or \"cuda\": what the package was compiled for");
  ImageStage& stage = card.stage;
  stage.where = where;
  stage.name = reader.text("name").value_or(std::filesystem::path(where).stem());
  card.file = reader.text("file").value_or("");
  if (card.file.empty()) reader.fail("file", "is missing: the network, relative to the card");
  stage.sha256 = reader.text("sha256").value_or("");
  if (stage.sha256.empty()) reader.fail("sha256", "is missing: code is not opened without it");
  const std::string dtype = reader.text("dtype").value_or("float32");
  if (dtype != "float32" && dtype != "float16" && dtype != "bfloat16")
    reader.fail("dtype", fmt::format("is '{}', but must be float32, float16 or bfloat16", dtype));
  card.dtype = dtype == "float32" ? at::kFloat : dtype == "float16" ? at::kHalf : at::kBFloat16;
  card.probe = reader.text("probe").value_or("");
  card.probe_sha256 = reader.text("probe_sha256").value_or("");
  stage.in_shape = image_shape(reader, "in_shape");
  stage.out_shape = image_shape(reader, "out_shape");
  if (name == "decoder") {
    stage.scale = reader.number("scale").value_or(1.0);
    stage.shift = reader.number("shift").value_or(0.0);
    if (!std::isfinite(stage.scale) || stage.scale == 0.0) reader.fail("scale", "must be a number other than 0");
    if (!std::isfinite(stage.shift)) reader.fail("shift", "must be a number");
  }
  stage.batches = batch_sizes(reader);
  stage.tiles.window = pixels(reader, "tile", 0);
  stage.tiles.context = pixels(reader, "context", stage.tiles.window / 8);
  stage.tiles.overlap = pixels(reader, "overlap", stage.tiles.window / 8);
  reader.done();
  return card;
}

std::string shape_text(at::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

// The content of a file beside the card `by`, which says its hash; none: any content.
std::string promised(const std::string& file, const std::string& hash, const std::string& by) {
  std::string bytes = read_file(file);
  if (hash.empty()) return bytes;
  if (const std::string found = sha256(bytes); found != hash)
    throw InputError(fmt::format("{}: has SHA-256 {}, but the card {} promises {}: another file, or a damaged one",
                                 file, found, by, hash));
  return bytes;
}

// What the exporter saw, in the file `path` of these bytes, must be what this network says.
void check_probe(const ImageStage& stage, const std::string& bytes, const std::string& path, at::ScalarType dtype) {
  const std::map<std::string, Tensor> probe = parse_safetensors(bytes, path).tensors;
  for (const char* key : {"input", "output"})
    if (!probe.contains(key)) throw InputError(fmt::format("{}: a probe has the tensors input and output", path));
  const Tensor said = stage.map(probe.at("input").to(at::kFloat)).to(at::kCPU, at::kDouble);
  const Tensor wanted = probe.at("output").to(at::kDouble);
  if (said.sizes() != wanted.sizes())
    throw InputError(fmt::format("{}: the network makes {} of the probe's input, its exporter saw {}", stage.where,
                                 shape_text(said.sizes()), shape_text(wanted.sizes())));
  const double error = (said - wanted).norm().item<double>() / std::max(wanted.norm().item<double>(), 1e-300);
  if (!(error <= probe_bound(dtype)))
    throw InputError(
        fmt::format("{}: the network's answer to its probe is {:.2g} away from what its exporter saw (at most {:g}): "
                    "another file, or another machine's code",
                    stage.where, error, probe_bound(dtype)));
}

// `rows` of x, padded to the card's batch sizes.
Tensor in_batches(const ImageStage& stage, const Tensor& x) {
  if (stage.batches.empty()) return stage.map(x);
  std::vector<Tensor> parts;
  for (int64_t at = 0; at < x.size(0);) {
    const int64_t left = x.size(0) - at;
    const auto fits = std::lower_bound(stage.batches.begin(), stage.batches.end(), left);
    const int64_t size = fits == stage.batches.end() ? stage.batches.back() : *fits;
    const int64_t rows = std::min(left, size);
    Tensor piece = x.narrow(0, at, rows);
    if (rows < size) piece = at::cat({piece, piece.narrow(0, rows - 1, 1).expand({size - rows, -1, -1, -1})});
    parts.push_back(stage.map(piece).narrow(0, 0, rows));
    at += rows;
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

int64_t values_of(const std::vector<int64_t>& shape) { return shape[0] * shape[1] * shape[2]; }

Tensor run(const ImageStage& stage, const Tensor& samples) {
  if (samples.sizes().slice(1) != at::IntArrayRef(stage.in_shape))
    throw UsageError(fmt::format("{} takes {}, not {}", stage.where, shape_text(stage.in_shape),
                                 shape_text(samples.sizes().slice(1))));
  const auto map = [&](const Tensor& x) { return in_batches(stage, x); };
  int64_t rows =
      std::max<int64_t>(1, kPassBytes / (4 * std::max(values_of(stage.in_shape), values_of(stage.out_shape))));
  std::vector<Tensor> parts;
  for (int64_t at = 0; at < samples.size(0);) {
    const int64_t now = std::min(rows, samples.size(0) - at);
    const Tensor x = (samples.narrow(0, at, now).to(at::kDouble) / stage.scale + stage.shift).to(at::kFloat);
    Tensor out;
    try {
      out = tiled_map(map, x, stage.tiles).to(at::kCPU);
    } catch (const std::exception& error) {
      if (!is_out_of_memory(error) || now == 1) throw;
      rows = std::max<int64_t>(1, now / 2);
      continue;
    }
    if (out.sizes().slice(1) != at::IntArrayRef(stage.out_shape))
      throw InputError(fmt::format("{}: the network makes {}, its card promises {}", stage.where,
                                   shape_text(out.sizes().slice(1)), shape_text(stage.out_shape)));
    parts.push_back(std::move(out));
    at += now;
  }
  if (parts.empty()) {
    std::vector<int64_t> none = stage.out_shape;
    none.insert(none.begin(), 0);
    return at::empty(none, at::kFloat);
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

}  // namespace

ImageStage load_image_stage(const std::string& option, const std::string& table, const std::string& given, bool trust,
                            at::Device device) {
  std::error_code none;
  const std::string path =
      std::filesystem::is_directory(given, none) ? (std::filesystem::path(given) / "card.toml").string() : given;
  StageCard card = parse_card(read_file(path), table, path);
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const std::string file = (folder / card.file).string();
  if (!trust)
    throw UsageError(
        fmt::format("{} {}: {} is a program, which this one would run; give `trust_model` if you know where it is from",
                    option, given, file));
  const std::string bytes = promised(file, card.stage.sha256, path);
  card.stage.map =
      card.packaged ? packaged_images(file, card.dtype, device) : scripted_images(bytes, file, card.dtype, device);
  if (!card.probe.empty()) {
    const std::string probe = (folder / card.probe).string();
    check_probe(card.stage, promised(probe, card.probe_sha256, path), probe, card.dtype);
  }
  return card.stage;
}

ImageStages::ImageStages(const std::string& decoder, const std::string& post, bool trust, at::Device device) {
  if (!decoder.empty()) stages_.push_back(load_image_stage("`decoder`", "decoder", decoder, trust, device));
  if (!post.empty()) stages_.push_back(load_image_stage("`post`", "post", post, trust, device));
  if (stages_.size() == 2 && stages_[0].out_shape != stages_[1].in_shape)
    throw UsageError(fmt::format("`post` {} takes images of {}, and `decoder` {} makes {}", post,
                                 shape_text(stages_[1].in_shape), decoder, shape_text(stages_[0].out_shape)));
}

std::vector<int64_t> ImageStages::out_shape(const std::vector<int64_t>& shape) const {
  if (stages_.empty()) return shape;
  if (shape != stages_.front().in_shape)
    throw UsageError(fmt::format("{} takes samples of {}, and these are of {}", stages_.front().where,
                                 shape_text(stages_.front().in_shape), shape_text(shape)));
  return stages_.back().out_shape;
}

Tensor ImageStages::operator()(const Tensor& samples) const {
  Tensor out = samples;
  for (const ImageStage& stage : stages_) out = run(stage, out);
  return out;
}

std::vector<std::pair<std::string, std::string>> ImageStages::made_with() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const ImageStage& stage : stages_) out.emplace_back(stage.where, stage.sha256);
  return out;
}

}  // namespace stride
