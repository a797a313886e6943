// What a training reads and leaves: image data by name, model cards with their provenance.
#pragma once

#include "neural/networks/features.h"
#include "neural/networks/unet_config.h"
#include "neural/training/image_data.h"

#include <string>

namespace stride {

/// Images from an image set (docs/images.md), or from an embedded data set of that name. Throws InputError, naming
/// `setting`, when it is neither.
[[nodiscard]] ImageData training_images(const std::string& name_or_path, const ImageDataOptions& options = {},
                                        const ProgressFn& progress = {}, const std::string& setting = "`data`");

struct UNetCard {
  std::string name, file, sha256;
  double sigma_min, sigma_max;
  int64_t parameters, images_seen;
  double loss;
  std::string command;
};
/// The text of a denoiser's card.toml.
[[nodiscard]] std::string unet_card(const UNetCard& card, const UNetConfig& config, const ImageData& data);
/// The text of a feature network's card.toml.
[[nodiscard]] std::string feature_card(const std::string& name, const std::string& file, const std::string& sha256,
                                       const TrainedFeatures& trained, const ImageData& data,
                                       const std::string& command);

}  // namespace stride
