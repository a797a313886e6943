// Networks of other projects as TorchScript.
#pragma once

#include "framework/models/network_denoiser.h"

#include <memory>
#include <optional>
#include <string>

namespace stride {

/// A TorchScript module that is called as network(input, time, *conditions) and returns a tensor, or a tuple or list
/// that begins with one. Such a file is a program: load only what the user has vouched for.
/// Each operation runs as it is written: the interpreter's own optimiser is left out, for it changes its mind about the
/// kernels after the first calls, and a sample must not depend on how many came before it.
class ScriptedNetwork final : public Network {
 public:
  /// `bytes` is the file, `where` names it in messages. With `dtype`, floating-point parameters and buffers are
  /// converted. Throws InputError when the bytes are no module.
  ScriptedNetwork(const std::string& bytes, const std::string& where, const at::Device& device,
                  std::optional<at::ScalarType> dtype = {});
  ~ScriptedNetwork() override;

  /// Throws c10::Error, naming the file, where the script raises; InputError on what is no output.
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
