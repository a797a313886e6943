// What a UNet looks like: the description that travels with its weights.
#pragma once

#include "neural/networks/parameters.h"

#include <string>
#include <vector>

namespace stride {

/// Each level halves the resolution of the one before it.
struct UNetConfig {
  int64_t image_channels = 1;
  std::vector<int64_t> channels = {32, 56};  ///< a level
  int64_t blocks = 1;                        ///< residual blocks per level, on the way down and on the way up
  int64_t embedding = 64;                    ///< width of the noise-level (and class) embedding
  int64_t groups = 8;                        ///< of the group normalisation; divides every width
  int64_t classes = 0;                       ///< 0: unconditional
  bool attention = false;                    ///< one head of self-attention between the two middle blocks
  double sigma_data = 0.5;                   ///< of the EDM preconditioning around the network

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
  /// The factor by which height and width must be divisible.
  [[nodiscard]] int64_t stride() const noexcept { return int64_t{1} << (channels.size() - 1); }

  [[nodiscard]] std::string to_json() const;
  /// Throws InputError, naming `where`, on anything malformed, unknown or invalid.
  [[nodiscard]] static UNetConfig from_json(const std::string& text, const std::string& where);
  bool operator==(const UNetConfig&) const = default;
};

/// The tensors of such a network.
[[nodiscard]] Layout unet_layout(const UNetConfig& config);

}  // namespace stride
