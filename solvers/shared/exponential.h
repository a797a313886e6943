// The functions that exponential integrators are made of.
#pragma once

#include "framework/tensor.h"

namespace stride {

/// φ_k(z): φ_0 = e^z, φ_k(z) = ∫₀¹ e^((1−s)z) s^(k−1)/(k−1)! ds, elementwise in float64. Hochbruck & Ostermann 2010
/// (Acta Numerica 19, eq. 2.10–2.11): φ_{k+1}(z) = (φ_k(z) − 1/k!)/z with φ_k(0) = 1/k!. The recurrence loses digits
/// near 0, where a series stands in for it: a relative error of 1e-14 or less for k ≤ 3 and every z, 0 included.
[[nodiscard]] Times phi(int k, const Times& z);

}  // namespace stride
