// What a run starts from in place of noise, and which part of it stays: pictures, or HDF5.
#pragma once

#include "pipeline/start_images.h"

namespace stride {

/// float64 `[N, …]`, one row per seed: pictures, or `/x` of an HDF5 file. One image serves all seeds; rows go by
/// `/seed` where the file has it. Throws InputError on files that are damaged or do not fit the model and the seeds.
[[nodiscard]] ReadInput read_start(const PictureRequest& from, const ModelInfo& model);

/// The same of `/mask`, in 0 … 1: 1 where the sample is made anew, 0 where the start stays. One channel serves all.
[[nodiscard]] ReadInput read_mask(const PictureRequest& from, const ModelInfo& model);

/// Unit normals of a run: the dataset of an HDF5 file, `[N, …]` with rows by `/seed` where the file has it, or, with
/// `draws`, `[M, N, …]`. Throws InputError on what is neither numbers nor of that shape.
[[nodiscard]] ReadInput read_normals(const PictureRequest& from, const std::string& dataset, bool draws,
                                     const ModelInfo& model);

}  // namespace stride
