// Samples as files: what `stride sample` leaves in its run folder.
#pragma once

#include "datasets/files/samples_file.h"
#include "pipeline/decoding/image_stage.h"
#include "pipeline/draw.h"

#include <string>
#include <vector>

namespace stride {

/// The attribute `solver` of samples that were walked back to their noise.
inline constexpr const char* kInverted = "ddim, inverted";

/// What `save` asks for: any of h5, npz, png. Throws UsageError on another word, on pictures of samples that are none,
/// and on more of the `samples` than an .npz file holds.
[[nodiscard]] std::vector<std::string> parse_save(const std::string& text, const ModelInfo& model, std::size_t samples);

/// What `samples.h5` says of a run's samples, for at most `rows` of them.
[[nodiscard]] SamplesHead samples_head(const Sampler& sampler, const ModelInfo& model, at::ScalarType dtype,
                                       std::size_t rows);
/// A chunk of them, as DrawHooks::chunk gets it.
[[nodiscard]] Samples sample_rows(const Tensor& seeds, const RunResult& result);

/// Throws InputError, naming the field, unless `earlier` (read from `path`) are the first of the `seeds`, of this
/// sampler, model and precision: rows of two runs are not mixed in one file.
void require_same_run(const Samples& earlier, const std::string& path, const Sampler& sampler, const ModelInfo& model,
                      at::ScalarType dtype, const std::vector<int64_t>& seeds);

/// A run's samples in a few numbers.
struct SamplesSummary {
  int64_t samples = 0, ok = 0, nfe_max = 0;
  double nfe_mean = 0, model_evals_mean = 0;
  std::string failures;  ///< how samples ended that did not end well
};
[[nodiscard]] SamplesSummary summarise(const Samples& samples);

/// Writes what `save` names beside samples.h5 into `folder`, which exists: samples.npz, images/{seed:06d}.png and
/// grid.png. `pictures` turns the samples into what is shown; samples.h5 keeps what the model made.
void save_pictures(const std::string& folder, const Samples& samples, const std::vector<std::string>& save,
                   const ImageStages& pictures = {});
/// What that wrote beside samples.h5: "npz", "images" and "grid" with their paths.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> saved_files(const std::string& folder,
                                                                           const Samples& samples,
                                                                           const std::vector<std::string>& save);

}  // namespace stride
