// What a sampler says about itself: what it claims, what it needs of a run, and what people read.
#pragma once

#include "framework/card.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// What people read and how the solver is found.
struct SolverCard {
  std::string name = {};
  std::vector<std::string> aliases = {};
  std::string family = {};                 ///< "one-step", "multistep", "stochastic", "learned"
  std::string reference = {};              ///< paper and equation
  std::string summary = {};                ///< one line
  std::vector<OptionInfo> options = {};    ///< from their declarations: solver_entry() fills them in
  std::vector<std::string> variants = {};  ///< options that the suites run besides the defaults, e.g. "order=2"
  std::vector<std::string> also = {};      ///< who else has it: "k-diffusion", "diffusers", "ComfyUI", …
};

/// What the registry-driven tests measure.
struct SolverClaims {
  std::optional<int> order = {};            ///< global order with an exact start; none: makes no claim
  std::optional<int> start_order = {};      ///< global order with the method's own start
  std::optional<int> error_order = {};      ///< order of the error estimate's method + 1, where there is one
  std::optional<double> strong_order = {};  ///< for stochastic methods, additive noise
  /// Evaluations of a run of N steps; `final_zero`: the last step is the jump to 0.
  std::function<int64_t(int64_t steps, bool final_zero)> nfe = {};
};

/// What a run must provide, or must not expect.
struct SolverNeeds {
  int64_t history = 0;          ///< past evaluations it reads
  int64_t extras = 0;           ///< tensors of its own memory, after the history's slots
  bool stochastic = false;      ///< it draws noise of its own
  bool masked = false;          ///< its steps differ in evaluations (Step::denoise_for)
  bool branches = false;        ///< the host chooses each step's work by its place: cannot be captured
  bool integrates_sde = false;  ///< it honours a stochastic Term
  std::string policy = {};      ///< the step policy it is made for; empty: a fixed grid
};

/// The three together; `{{.name = "mine"}, {.order = 2, .nfe = …}, {}}` makes one.
struct SolverTraits : SolverCard, SolverClaims, SolverNeeds {};

}  // namespace stride
