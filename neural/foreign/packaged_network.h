// Networks of other projects, compiled by AOTInductor.
#pragma once

#include "framework/models/network_denoiser.h"

#include <map>
#include <memory>
#include <string>

namespace stride {

/// A package (.pt2) of torch.export and AOTInductor that is called as network(input, time, *conditions) and returns a
/// tensor first. It holds machine code: load only what the user has vouched for. It runs on the caller's stream and
/// starts no thread of its own, so that it can be captured in a CUDA graph. It has no gradients.
class PackagedNetwork final : public Network {
 public:
  using Constants = std::map<std::string, Tensor>;

  /// `path` is the file, `where` names it in messages. `conditions` is how many the network takes. `constants` are
  /// parameters and buffers by name, in place of those in the package: on `device`, and shared, not copied; empty: the
  /// package's own. Throws InputError on a file that is no package, a package for another device or kind of GPU, of
  /// another number of inputs, and where the constants are not those that it needs: their names, data types and, where
  /// it has its own too, shapes.
  PackagedNetwork(const std::string& path, const std::string& where, const at::Device& device, std::size_t conditions,
                  const Constants& constants = {});
  ~PackagedNetwork() override;

  /// Throws c10::Error, naming the file, where the package fails; UsageError where a gradient is asked for; InputError
  /// on what is no output.
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
