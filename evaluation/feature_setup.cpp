#include "evaluation/feature_setup.h"

#include "datasets/files/npz_reader.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "neural/networks/features.h"
#include "pipeline/embedded.h"
#include "pipeline/feature_card.h"
#include "pipeline/sample_source.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <optional>

namespace stride {
namespace {

// Statistics as a file, or embedded beside the network that they are of: models/features-…/NAME.npz.
std::optional<NamedBytes> statistics_bytes(const std::string& reference) {
  std::error_code none;
  if (std::filesystem::exists(reference, none)) {
    if (!reference.ends_with(".npz") || !NpzReader::open(reference).has("mu")) return std::nullopt;
    return NamedBytes{read_file(reference), reference};
  }
  for (const EmbeddedFile& file : embedded_files())
    if (file.name.starts_with("features-") && file.name.ends_with(fmt::format("/{}.npz", reference)))
      return NamedBytes{std::string(file.bytes), fmt::format("embedded:{}", file.name)};
  return std::nullopt;
}

void add_statistics(FeatureSetup& setup, const std::string& path, const NamedBytes& file) {
  if (!setup.features)
    throw UsageError(fmt::format("`ref` {}: statistics of features need `features`, the network they are of", path));
  const ReferenceStatistics found = parse_reference_statistics(file.bytes, file.where);
  if (!found.network_sha256.empty() && found.network_sha256 != setup.sha256) {
    throw UsageError(fmt::format(
        "`ref` {}: statistics of the network '{}' ({:.12}…), but `features` is '{}' ({:.12}…); compute them anew with "
        "`stride stats`",
        path, found.network, found.network_sha256, setup.name, setup.sha256));
  }
  if (!found.quantisation.empty() && found.quantisation != setup.quantisation) {
    throw UsageError(fmt::format("`ref` {}: statistics of images quantised by '{}'; give `quantise` {}", path,
                                 found.quantisation, found.quantisation));
  }
  setup.reference = found.statistics;
  setup.reference_features = found.features;
  const std::string hash = found.data_sha256.empty() ? sha256(file.bytes) : found.data_sha256;
  setup.reference_name = fmt::format("{} (SHA-256 {:.12}…)", found.data.empty() ? path : found.data, hash);
}

}  // namespace

Tensor quantise_uint8(const Tensor& x) {
  return ((x.to(at::kDouble) + 1.0) * 127.5).round().clamp(0, 255) / 127.5 - 1.0;
}

Tensor features_in_pieces(const FeatureSetup& setup, const Tensor& samples, const std::function<void()>& pause) {
  constexpr int64_t kPiece = 1024;  // a multiple of what the networks run together
  std::vector<Tensor> parts;
  for (int64_t at = 0; at == 0 || at < samples.size(0); at += kPiece) {
    pause();
    parts.push_back(setup.features(samples.slice(0, at, at + kPiece)));
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

FeatureChoice choose_features(const FeatureRequest& request) {
  FeatureChoice out;
  out.setup.quantisation = request.quantisation;
  const bool quantise = request.quantisation == "uint8";
  if (!quantise && request.quantisation != "none")
    throw UsageError(fmt::format("`quantise` {}: there are none and uint8", request.quantisation));
  if (request.features.empty()) return out;
  const LoadedFeatures network = load_features(request);
  out.setup.name = network.name;
  out.setup.sha256 = network.sha256;
  out.shape = network.shape;
  out.setup.features = [run = network.run, quantise](const Tensor& samples) {
    return run(quantise ? quantise_uint8(samples) : samples.clamp(-1.0, 1.0));
  };
  return out;
}

void add_reference(FeatureSetup& setup, const std::string& reference, const std::vector<int64_t>& shape) {
  if (const auto statistics = statistics_bytes(reference)) return add_statistics(setup, reference, *statistics);
  const SampleSource images = load_samples("`ref`", reference);
  const std::vector<int64_t> found = images.x.sizes().slice(1).vec();
  if (!shape.empty() && found != shape) {
    throw UsageError(fmt::format("`ref` {}: images of {}, to be compared with samples of {}", reference,
                                 fmt::join(found, "×"), fmt::join(shape, "×")));
  }
  setup.reference_images = images.x;
  setup.reference_name = fmt::format("{} (SHA-256 {:.12}…)", images.name, images.sha256);
  if (!setup.features) return;
  setup.reference_features = setup.features(images.x);
}

FeatureSetup make_feature_setup(const FeatureRequest& request, const std::string& reference, const ModelInfo& model) {
  FeatureChoice choice = choose_features(request);
  if (!choice.shape.empty() && choice.shape != model.shape) {
    throw UsageError(fmt::format("`features` {}: a network for images of {}, but the model '{}' makes {}",
                                 request.features, fmt::join(choice.shape, "×"), model.name,
                                 fmt::join(model.shape, "×")));
  }
  if (!reference.empty()) add_reference(choice.setup, reference, model.shape);
  if (choice.setup.reference_features.defined())
    choice.setup.reference = FeatureStatistics::of(choice.setup.reference_features);
  return choice.setup;
}

}  // namespace stride
