#include "apps/feature_setup.h"

#include "apps/embedded.h"
#include "framework/error.h"
#include "framework/file.h"
#include "framework/hash.h"
#include "neural/features.h"
#include "neural/image_data.h"

#include <ATen/ATen.h>

#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

struct Named {
  std::string bytes;
  std::string where;
};

// A file, or the one safetensors file in the embedded folder of that name.
Named find(const std::string& option, const std::string& name) {
  if (file_exists(name)) return {read_file(name), name};
  std::vector<std::string> folders;
  for (const EmbeddedFile& file : embedded_files()) {
    const std::string path(file.name);
    const std::string folder = path.substr(0, path.find('/'));
    const bool fits =
        option == "features" ? folder.rfind("features-", 0) == 0 : path == folder + "/" + folder + ".safetensors";
    if (!fits || path.size() < 12 || path.compare(path.size() - 12, 12, ".safetensors") != 0) continue;
    if (folder == name) return {std::string(file.bytes), "embedded:" + path};
    folders.push_back(folder);
  }
  throw UsageError(fmt::format("--{} {}: no such file, and not embedded; embedded are: {}", option, name,
                               folders.empty() ? "none" : fmt::format("{}", fmt::join(folders, ", "))));
}

}  // namespace

FeatureSetup make_feature_setup(const std::string& features, const std::string& reference, const ModelInfo& model) {
  FeatureSetup out;
  if (features.empty()) {
    if (!reference.empty()) throw UsageError("--ref needs --features, the network that sees both");
    return out;
  }
  const Named file = find("features", features);
  out.sha256 = sha256(file.bytes);
  const auto network =
      std::make_shared<const FeatureNetwork>(parse_safetensors(file.bytes, file.where), file.where, out.sha256);
  if (network->config().shape != model.shape) {
    throw UsageError(fmt::format("--features {}: a network for images of {}, but the model '{}' makes {}", features,
                                 fmt::join(network->config().shape, "×"), model.name, fmt::join(model.shape, "×")));
  }
  out.name = network->name();
  out.features = [network](const Tensor& samples) { return network->features(samples.clamp(-1.0, 1.0)); };
  if (reference.empty()) return out;
  const Named images = find("ref", reference);
  const ImageData data = parse_images(images.bytes, images.where);
  if (data.shape() != model.shape) {
    throw UsageError(fmt::format("--ref {}: images of {}, but the model '{}' makes {}", reference,
                                 fmt::join(data.shape(), "×"), model.name, fmt::join(model.shape, "×")));
  }
  out.reference_features = out.features(data.images);
  out.reference = FeatureStatistics::of(out.reference_features);
  out.reference_name = fmt::format("{} (SHA-256 {:.12}…)", data.name, data.sha256);
  return out;
}

}  // namespace stride
