// Programs compiled by AOTInductor.
#pragma once

#include "framework/tensor.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stride {

/// A package (.pt2) of torch.export and AOTInductor that returns a tensor first. It holds machine code: load only what
/// the user has vouched for. It runs on the caller's stream and starts no thread of its own, so that it can be captured
/// in a CUDA graph. It has no gradients.
class CompiledPackage final {
 public:
  using Constants = std::map<std::string, Tensor>;

  /// `path` is the file, `where` names it in messages. `inputs` is how many tensors it takes, and `meant` what they
  /// are. `constants` are parameters and buffers by name, in place of those in the package: on `device`, and shared,
  /// not copied; empty: the package's own. Throws InputError on a file that is no package, a package for another device
  /// or kind of GPU, of another number of inputs, and where the constants are not those that it needs: their names,
  /// data types and, where it has its own too, shapes.
  CompiledPackage(const std::string& path, const std::string& where, const at::Device& device, std::size_t inputs,
                  const std::string& meant, const Constants& constants = {});
  ~CompiledPackage();
  CompiledPackage(const CompiledPackage&) = delete;
  CompiledPackage& operator=(const CompiledPackage&) = delete;

  /// What it returns first; undefined: nothing. Throws c10::Error, naming the file, where the package fails, and
  /// UsageError where a gradient is asked for.
  [[nodiscard]] Tensor operator()(std::vector<Tensor> inputs) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
