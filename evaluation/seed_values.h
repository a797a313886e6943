// What each seed of a sampler came to: what rows of several runs are paired by.
#pragma once

#include "framework/tensor.h"

#include <string>

namespace stride {

/// In the order of the evaluation's seeds.
struct SeedValues {
  Tensor rmse;    ///< float64 `[n]`, to the teacher's sample of the same seed; undefined where nothing was measured
                  ///< from the teacher
  Tensor nfe;     ///< `[n]`, evaluations
  Tensor status;  ///< `[n]`, how the sample ended (Status)
};

/// seeds-NNN.npz of a run folder: `rmse` float64, `nfe` int32, `status` uint8. 13 bytes a seed; np.load reads it.
[[nodiscard]] std::string seed_values_npz(const SeedValues& values);
/// Reads it back, `nfe` as int64. Throws InputError, naming `where`, where it is damaged or not of `n` seeds.
[[nodiscard]] SeedValues read_seed_values(const std::string& bytes, int64_t n, const std::string& where);

}  // namespace stride
