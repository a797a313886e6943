// Networks of other projects, compiled by AOTInductor.
#pragma once

#include "framework/models/network_denoiser.h"
#include "neural/foreign/compiled_package.h"

#include <string>

namespace stride {

/// A package that is called as network(input, time, *conditions).
class PackagedNetwork final : public Network {
 public:
  using Constants = CompiledPackage::Constants;

  /// See CompiledPackage. `conditions` is how many the network takes.
  PackagedNetwork(const std::string& path, const std::string& where, const at::Device& device, std::size_t conditions,
                  const Constants& constants = {});

  /// Throws as CompiledPackage does; InputError on what is no output.
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override;

 private:
  const std::string where_;
  const CompiledPackage package_;
};

}  // namespace stride
