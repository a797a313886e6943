// Whether two samplers differ on the same seeds, and what many such tests together say.
#pragma once

#include <cstdint>
#include <vector>

namespace stride {

/// The exact two-sided sign test: `lower` pairs in which one side is lower, `higher` in which it is higher; ties are
/// left out by the caller. 1 where there is no pair.
[[nodiscard]] double sign_test(int64_t lower, int64_t higher);

struct PermutationTest {
  double p = 1.0;
  double error = 0.0;  ///< standard error of `p` as an estimate of the exact one; 0 where it is exact
  int64_t draws = 0;   ///< ways of swapping that were looked at
  bool exact = true;
};

/// Two-sided test of the mean of paired differences: each pair might as well have been the other way round (Fisher
/// 1935, The Design of Experiments, §21). All 2^n ways where the pairs number at most 16; else `draws` random ones from
/// a generator of `seed`, with (hits + 1)/(draws + 1) as p, which is never below the level that it claims (Phipson &
/// Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9(1) art. 39). Ways within 1e-12 of the observed sum count as it does.
/// NaN where a difference is not finite.
[[nodiscard]] PermutationTest permutation_test(const std::vector<double>& differences, int64_t draws = 9999,
                                               uint64_t seed = 0);

/// p-values of a family so that the probability of any false rejection stays below the level (Holm 1979, Scand. J.
/// Stat. 6(2) 65–70), in their order. NaN is no member and stays NaN.
[[nodiscard]] std::vector<double> holm(const std::vector<double>& p);

}  // namespace stride
