// A network of somebody else's that maps images to images, as TorchScript: decoders of latents, super-resolution.
#pragma once

#include "framework/tensor.h"

#include <functional>
#include <string>

namespace stride {

/// x `[B, C, H, W]` float32 on any device → `[B, C′, H′, W′]` float32 on the network's.
using ImageMap = std::function<Tensor(const Tensor& x)>;

/// The map of a TorchScript file whose weights and inputs are of type `dtype`. Such a file is a program: load only
/// files that the user has vouched for. Of a tuple or list that it returns the first tensor is taken. Throws
/// InputError, naming `where`, when the bytes are no TorchScript module; the map throws it where the network fails or
/// returns something else than B images.
[[nodiscard]] ImageMap scripted_images(const std::string& bytes, const std::string& where, at::ScalarType dtype,
                                       at::Device device);

}  // namespace stride
