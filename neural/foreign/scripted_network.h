// Networks of other projects as TorchScript.
#pragma once

#include "framework/models/network_denoiser.h"
#include "neural/foreign/script.h"

#include <optional>
#include <string>

namespace stride {

/// A script that is called as network(input, time, *conditions).
class ScriptedNetwork final : public Network {
 public:
  /// See Script.
  ScriptedNetwork(const std::string& bytes, const std::string& where, const at::Device& device,
                  std::optional<at::ScalarType> dtype = {});

  /// Throws as Script does; InputError on what is no output.
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override;

 private:
  const std::string where_;
  const Script script_;
};

}  // namespace stride
