#include "apps/feature_setup.h"

#include "apps/feature_card.h"
#include "apps/sample_source.h"
#include "datasets/npz_reader.h"
#include "framework/error.h"
#include "framework/file.h"
#include "framework/hash.h"
#include "neural/features.h"

#include <ATen/ATen.h>

#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

bool is_statistics(const std::string& path) {
  return path.ends_with(".npz") && file_exists(path) && NpzReader::open(path).has("mu");
}

void add_statistics(FeatureSetup& setup, const std::string& path) {
  if (!setup.features)
    throw UsageError(fmt::format("--ref {}: statistics of features need --features, the network they are of", path));
  const ReferenceStatistics found = read_reference_statistics(path);
  if (!found.network_sha256.empty() && found.network_sha256 != setup.sha256) {
    throw UsageError(fmt::format(
        "--ref {}: statistics of the network '{}' ({:.12}…), but --features is '{}' ({:.12}…); compute them anew with "
        "`stride stats`",
        path, found.network, found.network_sha256, setup.name, setup.sha256));
  }
  if (!found.quantisation.empty() && found.quantisation != setup.quantisation) {
    throw UsageError(fmt::format("--ref {}: statistics of images quantised by '{}'; give --quantise {}", path,
                                 found.quantisation, found.quantisation));
  }
  setup.reference = found.statistics;
  setup.reference_features = found.features;
  const std::string hash = found.data_sha256.empty() ? sha256_file(path) : found.data_sha256;
  setup.reference_name = fmt::format("{} (SHA-256 {:.12}…)", found.data.empty() ? path : found.data, hash);
}

}  // namespace

Tensor quantise_uint8(const Tensor& x) {
  return ((x.to(at::kDouble) + 1.0) * 127.5).round().clamp(0, 255) / 127.5 - 1.0;
}

FeatureChoice choose_features(const FeatureRequest& request) {
  FeatureChoice out;
  out.setup.quantisation = request.quantisation;
  const bool quantise = request.quantisation == "uint8";
  if (!quantise && request.quantisation != "none")
    throw UsageError(fmt::format("--quantise {}: there are none and uint8", request.quantisation));
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
  if (is_statistics(reference)) return add_statistics(setup, reference);
  const SampleSource images = load_samples("--ref", reference);
  const std::vector<int64_t> found = images.x.sizes().slice(1).vec();
  if (!shape.empty() && found != shape) {
    throw UsageError(fmt::format("--ref {}: images of {}, to be compared with samples of {}", reference,
                                 fmt::join(found, "×"), fmt::join(shape, "×")));
  }
  setup.reference_images = images.x;
  setup.reference_name = fmt::format("{} (SHA-256 {:.12}…)", images.name, images.sha256);
  if (!setup.features) return;
  setup.reference_features = setup.features(images.x);
  setup.reference = FeatureStatistics::of(setup.reference_features);
}

FeatureSetup make_feature_setup(const FeatureRequest& request, const std::string& reference, const ModelInfo& model) {
  FeatureChoice choice = choose_features(request);
  if (!choice.shape.empty() && choice.shape != model.shape) {
    throw UsageError(fmt::format("--features {}: a network for images of {}, but the model '{}' makes {}",
                                 request.features, fmt::join(choice.shape, "×"), model.name,
                                 fmt::join(model.shape, "×")));
  }
  if (!reference.empty()) add_reference(choice.setup, reference, model.shape);
  return choice.setup;
}

}  // namespace stride
