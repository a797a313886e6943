// Files of TorchScript.
#pragma once

#include "framework/tensor.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// A TorchScript module that returns a tensor, or a tuple or list that begins with one. Such a file is a program: load
/// only what the user has vouched for.
/// Each operation runs as it is written: the interpreter's own optimiser is left out, for it changes its mind about the
/// kernels after the first calls, and an answer must not depend on how many came before it.
class Script final {
 public:
  /// `bytes` is the file, `where` names it in messages. With `dtype`, floating-point parameters and buffers are
  /// converted. Throws InputError when the bytes are no module.
  Script(const std::string& bytes, const std::string& where, const at::Device& device,
         std::optional<at::ScalarType> dtype = {});
  ~Script();
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

  /// What it returns first; undefined: no tensor. `flags` are keyword arguments that are true. Throws c10::Error,
  /// naming the file, where the script raises.
  [[nodiscard]] Tensor operator()(const std::vector<Tensor>& arguments,
                                  const std::vector<std::string>& flags = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
