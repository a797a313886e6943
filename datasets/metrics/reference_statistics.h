// Reference statistics: what a set of real images looks like to a feature network, as a file.
#pragma once

#include "datasets/metrics/frechet.h"
#include "framework/files/file_system.h"

#include <string>

namespace stride {

/// Mean and covariance of the features of a data set, and where they are from. The file is an .npz that pytorch-fid and
/// EDM read as theirs: `mu` float64 `[F]` and `sigma` float64 `[F, F]` (divisor n − 1); Stride's own files have besides
/// `n` int64 `[]`, `stride` (JSON text as uint8) and, where they were kept, `features` float32 `[n, F]`. The text of a
/// file from elsewhere is empty, and its n 0: not known.
struct ReferenceStatistics {
  FeatureStatistics statistics;
  Tensor features;                ///< float32 `[n, F]`, or undefined: for KID, precision and recall
  std::string network;            ///< name of the feature network
  std::string network_sha256;     ///< of the feature network's file
  std::string quantisation;       ///< rule for the pixels that the network saw: "none" or "uint8"
  std::string data, data_sha256;  ///< name and SHA-256 of the images
};

/// The bytes of a file. Throws UsageError where F or n disagree between members.
[[nodiscard]] std::string reference_statistics_bytes(const ReferenceStatistics& reference);

/// Parses Stride's files, pytorch-fid's and EDM's, stored or deflated, float64 or float32. Throws InputError, naming
/// `where`: neither zip nor NumPy, no `mu` and `sigma`, shapes that do not fit, values that are not finite, a
/// covariance that is not symmetric or has a negative variance.
[[nodiscard]] ReferenceStatistics parse_reference_statistics(std::string bytes, const std::string& where);

/// Writes with write_file_atomic.
void write_reference_statistics(const std::string& path, const ReferenceStatistics& reference,
                                FileSystem& files = posix_file_system());
[[nodiscard]] ReferenceStatistics read_reference_statistics(const std::string& path,
                                                            FileSystem& files = posix_file_system());

}  // namespace stride
