// Networks of somebody else's that map images to images: decoders of latents, super-resolution.
#pragma once

#include "neural/foreign/compiled_package.h"

#include <functional>
#include <string>

namespace stride {

/// x `[B, C, H, W]` float32 on any device → `[B, C′, H′, W′]` float32 on the network's. Throws as the network does, and
/// InputError, naming its file, on anything else than B images.
using ImageMap = std::function<Tensor(const Tensor& x)>;

/// The map of a TorchScript file whose weights and inputs are of type `dtype`: see Script.
[[nodiscard]] ImageMap scripted_images(const std::string& bytes, const std::string& where, at::ScalarType dtype,
                                       at::Device device);

/// That of the package in `path`, whose inputs are of type `dtype`: see CompiledPackage.
[[nodiscard]] ImageMap packaged_images(const std::string& path, at::ScalarType dtype, at::Device device,
                                       const CompiledPackage::Constants& constants = {});

}  // namespace stride
