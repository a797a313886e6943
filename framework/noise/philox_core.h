// Four normals from one Philox block, for host and device. Internal.
#pragma once

#include <Random123/philox.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define STRIDE_HOST_DEVICE __host__ __device__
#else
#define STRIDE_HOST_DEVICE
#endif

namespace stride::philox {

// The functions below use +, −, ×, ÷ and √ on float64 only, in a fixed order and without fused
// multiply-add (compile flags of both sides), so their results are the same bits everywhere. Libraries' log
// and cos differ between devices in the last place.

/// ln(u) for 0 < u ≤ 1: u = m·2^e with m in [√½, √2), ln m = 2·artanh((m − 1)/(m + 1)).
STRIDE_HOST_DEVICE inline double log_unit(double u) {
  uint64_t bits = 0;
  std::memcpy(&bits, &u, sizeof bits);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL;
  double m = 0.0;
  std::memcpy(&m, &bits, sizeof m);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent += 1;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double series = 0.0;
  for (int k = 23; k >= 3; k -= 2) series = (series + 1.0 / k) * s2;
  return 2.0 * s * (1.0 + series) + exponent * 0.6931471805599453;
}

/// sin and cos of 2πu for u in [0, 1): reduced to |y| ≤ π/4 exactly, then Taylor series.
STRIDE_HOST_DEVICE inline void sincos_turn(double u, double* sine, double* cosine) {
  const int quadrant = static_cast<int>(4.0 * u + 0.5);
  const double y = 6.283185307179586 * (u - 0.25 * quadrant);
  const double y2 = y * y;
  double s = 0.0;
  double c = 0.0;
  for (int k = 17; k >= 3; k -= 2) s = (1.0 + s) * (-y2 / (k * (k - 1.0)));
  for (int k = 18; k >= 2; k -= 2) c = (1.0 + c) * (-y2 / (k * (k - 1.0)));
  s = y * (1.0 + s);
  c = 1.0 + c;
  const int turn = quadrant & 3;
  *sine = turn == 0 ? s : turn == 1 ? c : turn == 2 ? -s : -c;
  *cosine = turn == 0 ? c : turn == 1 ? -s : turn == 2 ? -c : s;
}

/// Box & Muller 1958: two normals from two 32-bit integers.
STRIDE_HOST_DEVICE inline void box_muller(uint32_t a, uint32_t b, float* out) {
  constexpr double kUnit = 1.0 / 4294967296.0;
  const double radius = std::sqrt(-2.0 * log_unit((static_cast<double>(a) + 1.0) * kUnit));
  double sine = 0.0;
  double cosine = 0.0;
  sincos_turn(static_cast<double>(b) * kUnit, &sine, &cosine);
  out[0] = static_cast<float>(radius * cosine);
  out[1] = static_cast<float>(radius * sine);
}

STRIDE_HOST_DEVICE inline r123::Philox4x32::ctr_type integers(int64_t key, uint32_t block, uint32_t high, uint32_t low,
                                                              uint32_t seed) {
  const r123::Philox4x32::ctr_type counter{{block, high, low, seed}};
  const auto bits = static_cast<uint64_t>(key);
  const r123::Philox4x32::key_type words{{static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32)}};
  return r123::Philox4x32()(counter, words);
}

STRIDE_HOST_DEVICE inline void normals(int64_t key, uint32_t block, uint32_t high, uint32_t low, uint32_t seed,
                                       float* out) {
  const r123::Philox4x32::ctr_type random = integers(key, block, high, low, seed);
  box_muller(random[0], random[1], out);
  box_muller(random[2], random[3], out + 2);
}

/// The first or the second two of them.
STRIDE_HOST_DEVICE inline void normal_pair(int64_t key, uint32_t block, uint32_t high, uint32_t low, uint32_t seed,
                                           bool second, float* out) {
  const r123::Philox4x32::ctr_type random = integers(key, block, high, low, seed);
  box_muller(second ? random[2] : random[0], second ? random[3] : random[1], out);
}

}  // namespace stride::philox
