#include "neural/networks/model_loader.h"

#include "framework/error.h"
#include "neural/networks/unet.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace stride {

void write_unet(const std::string& path, const UNetConfig& config, const Weights& weights, at::ScalarType dtype,
                const std::map<std::string, std::string>& facts) {
  const std::string reason = config.invalid_reason();
  if (!reason.empty()) throw UsageError("the network: " + reason);
  check_weights(unet_layout(config), weights, path);
  std::map<std::string, std::string> metadata = facts;
  metadata["network"] = config.to_json();
  write_safetensors(path, convert(weights, at::kCPU, dtype), metadata);
}

UNetConfig unet_description(const Safetensors& file, const std::string& where) {
  const auto found = file.metadata.find("network");
  if (found == file.metadata.end())
    throw InputError(
        fmt::format("{}: has no description of a network in its metadata: it is not a UNet of this program", where));
  return UNetConfig::from_json(found->second, where);
}

std::shared_ptr<const Denoiser> make_unet(const ModelInfo& info, const Safetensors& file, const std::string& where,
                                          const at::Device& device, at::ScalarType dtype) {
  const UNetConfig config = unet_description(file, where);
  check_weights(unet_layout(config), file.tensors, where);
  if (info.shape.size() != 3 || info.shape[0] != config.image_channels || info.shape[1] % config.stride() != 0 ||
      info.shape[2] % config.stride() != 0)
    throw InputError(fmt::format("{}: takes images [{}, H, W] with H and W divisible by {}, the card says [{}]", where,
                                 config.image_channels, config.stride(), fmt::join(info.shape, ", ")));
  if (std::abs(info.sigma_data - config.sigma_data) > 1e-12 * config.sigma_data)
    throw InputError(fmt::format("{}: was trained with sigma_data = {}, the card says {}", where, config.sigma_data,
                                 info.sigma_data));
  const int64_t classes = info.conditions.size() == 1 ? info.conditions[0].classes : 0;
  if (info.conditions.size() > 1 || classes != config.classes)
    throw InputError(fmt::format("{}: has {} classes, the card's conditions say otherwise", where, config.classes));
  std::optional<at::ScalarType> narrow;
  if (at::elementSize(dtype) < at::elementSize(at::kFloat)) narrow = dtype;
  auto network = std::make_shared<UNet>(config, convert(file.tensors, device, dtype));
  return std::make_shared<NetworkDenoiser>(info, std::move(network), make_parameterisation("edm", config.sigma_data),
                                           TimeInput::c_noise, std::nullopt, narrow);
}

std::shared_ptr<const Denoiser> load_unet(const ModelInfo& info, const std::string& path, const at::Device& device,
                                          at::ScalarType dtype) {
  return make_unet(info, read_safetensors_file(path, info.sha256), path, device, dtype);
}

}  // namespace stride
