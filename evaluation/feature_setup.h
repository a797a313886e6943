// From names of a feature network and a reference to what sets of samples are measured in and against.
#pragma once

#include "datasets/metrics/frechet.h"
#include "datasets/metrics/reference_statistics.h"
#include "framework/denoiser.h"
#include "pipeline/feature_card.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// Features `[N, F]` of samples `[N, …]` in the data scale.
using FeatureFn = std::function<Tensor(const Tensor& samples)>;

/// What sets of samples are measured in and against.
struct FeatureSetup {
  FeatureFn features;                          ///< none: no metric that needs features
  std::string name, sha256;                    ///< of the network
  std::string quantisation = "none";           ///< what `features` does to pixels first
  std::optional<FeatureStatistics> reference;  ///< of real samples, for "fd"
  std::string reference_name;
  Tensor reference_features;  ///< `[M, F]`, or undefined: for the floor that n real samples reach, KID and the like
  Tensor reference_images;    ///< `[M, …]` in data scale, or undefined: for "swd"

  [[nodiscard]] bool has_reference() const { return reference.has_value() || reference_images.defined(); }
};

/// The network, without a reference: `features`, `name`, `sha256` and `quantisation`. Samples are clipped to [−1, 1]
/// before it sees them, as images are. Throws InputError on files that are not that, UsageError on unknown names and
/// rules. Where it takes images of one shape only, that is `shape`; else `shape` is empty.
struct FeatureChoice {
  FeatureSetup setup;
  std::vector<int64_t> shape;
};
[[nodiscard]] FeatureChoice choose_features(const FeatureRequest& request);

/// Adds a reference: images as load_samples takes them, or statistics (.npz with `mu` and `sigma`). The covariance of
/// images' features is left to the metrics that want it: of a perceptual network's it may be too large. Throws
/// UsageError where statistics are of another network or quantisation rule than `setup`, or there is no network to go
/// with them.
void add_reference(FeatureSetup& setup, const std::string& reference, const std::vector<int64_t>& shape);

/// choose_features and add_reference for samples of `model`. Throws UsageError also where shapes differ.
[[nodiscard]] FeatureSetup make_feature_setup(const FeatureRequest& request, const std::string& reference,
                                              const ModelInfo& model);

/// setup.features in pieces of 1,024 samples, to the same bits; `pause` is called before each and may throw.
[[nodiscard]] Tensor features_in_pieces(const FeatureSetup& setup, const Tensor& samples,
                                        const std::function<void()>& pause);

/// round(127.5·(x + 1)), clipped to [0, 255], back in [−1, 1]: what an 8-bit image file keeps. Half-way cases go to the
/// even number, as in Stride's own PNG and .npz files.
[[nodiscard]] Tensor quantise_uint8(const Tensor& x);

}  // namespace stride
