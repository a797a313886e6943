// How a network's output becomes D(x; σ): four scalings (design §2.4).
#pragma once

#include "framework/tensor.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// D = skip·x + out·F(in·x; time): float64 `[B]` each. Karras et al. 2022 eq. 7.
struct Scalings {
  Times skip, out, in;
};

class Parameterisation {
 public:
  virtual ~Parameterisation() = default;
  [[nodiscard]] virtual Scalings at(const Times& sigma) const = 0;
  [[nodiscard]] virtual const std::string& name() const noexcept = 0;

 protected:
  Parameterisation() = default;
  Parameterisation(const Parameterisation&) = default;
  Parameterisation& operator=(const Parameterisation&) = default;
};

/// `denoised`, `edm`, `epsilon`, `sample`, `v_prediction`, `flow`: the table of the model cards. Throws
/// UsageError on another name.
[[nodiscard]] std::unique_ptr<Parameterisation> make_parameterisation(const std::string& name, double sigma_data);
[[nodiscard]] const std::vector<std::string>& parameterisation_names();

}  // namespace stride
