// The equation that is integrated: dx = f dσ + g dW, algebra only, never a network call.
#pragma once

#include "framework/tensor.h"

namespace stride {

class Term {
 public:
  virtual ~Term() = default;
  /// f(x, σ) given D(x; σ): `[B, …]`, dtype of x.
  [[nodiscard]] virtual Tensor drift(const Tensor& x, const Times& sigma, const Tensor& denoised) const = 0;
  /// What the tangent at `from` leaves of x − D where it comes to `to`: x + (to − from) f = D + keep·(x − D). float64
  /// `[B]`. In this form no two terms of the size of `from` are subtracted.
  [[nodiscard]] virtual Times keep(const Times& from, const Times& to) const = 0;
  /// Standard deviation of ∫ g dW over [to, from]: float64 `[B]`. Zero for an ODE.
  [[nodiscard]] virtual Times noise_std(const Times& from, const Times& to) const = 0;
  [[nodiscard]] virtual bool stochastic() const noexcept = 0;

 protected:
  Term() = default;
  Term(const Term&) = default;
  Term& operator=(const Term&) = default;
};

/// dx/dσ = (x − D)/σ: Karras et al. 2022 (arXiv:2206.00364) eq. 4, with eq. 3 put in, for s = 1, σ(t) = t.
class ProbabilityFlow final : public Term {
 public:
  [[nodiscard]] Tensor drift(const Tensor& x, const Times& sigma, const Tensor& denoised) const override;
  [[nodiscard]] Times keep(const Times& from, const Times& to) const override;
  [[nodiscard]] Times noise_std(const Times& from, const Times& to) const override;
  [[nodiscard]] bool stochastic() const noexcept override { return false; }
};

/// dx = (1 + η²)(x − D)/σ dσ + η√(2σ) dW, run towards smaller σ: Karras et al. 2022 eq. 6 with
/// β(t) = η²/t; η = 1 is the reverse SDE of Song et al. 2021, η = 0 the probability flow.
class ReverseSde final : public Term {
 public:
  /// Throws UsageError for a negative or non-finite eta.
  explicit ReverseSde(double eta = 1.0);
  [[nodiscard]] Tensor drift(const Tensor& x, const Times& sigma, const Tensor& denoised) const override;
  [[nodiscard]] Times keep(const Times& from, const Times& to) const override;
  [[nodiscard]] Times noise_std(const Times& from, const Times& to) const override;
  [[nodiscard]] bool stochastic() const noexcept override { return eta_ != 0.0; }

 private:
  double eta_;
};

}  // namespace stride
