// Samples as files: what `stride sample` leaves in its run folder.
#pragma once

#include "datasets/files/samples_file.h"
#include "pipeline/draw.h"

#include <string>
#include <vector>

namespace stride {

/// The attribute `solver` of samples that were walked back to their noise.
inline constexpr const char* kInverted = "ddim, inverted";

/// What `save` asks for: any of h5, npz, png. Throws UsageError on another word, and on pictures of samples that are
/// none.
[[nodiscard]] std::vector<std::string> parse_save(const std::string& text, const ModelInfo& model);

/// `draws` as `samples.h5` holds them. `earlier` (or none) are samples of the same run that were finished before it was
/// interrupted; rows come in the order of `seeds`.
[[nodiscard]] Samples make_samples(const Draws& draws, const Samples* earlier, const std::vector<int64_t>& seeds,
                                   const Sampler& sampler, const ModelInfo& model, at::ScalarType dtype);

/// Throws InputError, naming the field, unless `earlier` (read from `path`) is of this sampler, model and precision:
/// rows of two runs are not mixed in one file.
void require_same_run(const Samples& earlier, const std::string& path, const Sampler& sampler, const ModelInfo& model,
                      at::ScalarType dtype);

/// Writes samples.h5 and what else `save` names into `folder`, which exists: samples.npz, images/{seed:06d}.png and
/// grid.png.
void save_samples(const std::string& folder, const Samples& samples, const std::vector<std::string>& save);
/// What that wrote beside samples.h5: "npz", "images" and "grid" with their paths.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> saved_files(const std::string& folder,
                                                                           const Samples& samples,
                                                                           const std::vector<std::string>& save);

}  // namespace stride
