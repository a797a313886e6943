// A network of somebody else's that maps images to images, compiled by AOTInductor.
#pragma once

#include "neural/networks/scripted_images.h"

namespace stride {

/// The map of the package in `path`, whose inputs are of type `dtype`: as scripted_images, and see CompiledPackage.
[[nodiscard]] ImageMap packaged_images(const std::string& path, at::ScalarType dtype, at::Device device);

}  // namespace stride
