// Native networks as files.
#pragma once

#include "framework/denoiser.h"
#include "framework/files/safetensors.h"
#include "neural/networks/unet_config.h"

#include <memory>
#include <string>

namespace stride {

/// Writes a UNet: its tensors in `dtype` (float16 halves the file) and its description as metadata, with `facts` (any
/// text by name: how it was trained) beside it.
void write_unet(const std::string& path, const UNetConfig& config, const Weights& weights, at::ScalarType dtype,
                const std::map<std::string, std::string>& facts = {});

/// The denoiser that a UNet file holds, for `device` and `dtype` (of the weights; the input decides that of the
/// result). `info` is what the card says: its shape, σ_data and classes must agree with the file. Throws InputError,
/// naming `where` and the tensor, on anything that does not fit.
[[nodiscard]] std::shared_ptr<const Denoiser> make_unet(const ModelInfo& info, const Safetensors& file,
                                                        const std::string& where, const at::Device& device,
                                                        at::ScalarType dtype);

/// make_unet of a file; a non-empty `info.sha256` must be the file's.
[[nodiscard]] std::shared_ptr<const Denoiser> load_unet(const ModelInfo& info, const std::string& path,
                                                        const at::Device& device, at::ScalarType dtype);

/// The description inside a UNet file. Throws InputError.
[[nodiscard]] UNetConfig unet_description(const Safetensors& file, const std::string& where);

}  // namespace stride
