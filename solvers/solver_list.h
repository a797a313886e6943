// What a solver's file ends with, and the declarations of all of them.
#pragma once

#include "framework/named.h"
#include "solvers/registry.h"

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace stride {

/// A row of the registry.
using SolverEntry = Named<SolverTraits, std::function<std::unique_ptr<Solver>(const Spec&, const SolverContext&)>>;

/// A solver of the registry. `make(traits, options)` or `make(traits, options, context)` builds it from the traits that
/// are said here, and changes in them what the options change.
template <class T, class Make>
[[nodiscard]] SolverEntry solver_entry(SolverCard card, SolverClaims claims, SolverNeeds needs,
                                       const Options<T>& options, Make make) {
  card.options = options.infos();
  SolverTraits traits{std::move(card), std::move(claims), std::move(needs)};
  return entry_of<SolverEntry>("solver", traits, options,
                               [traits, make](const T& read, const SolverContext& context) -> std::unique_ptr<Solver> {
                                 if constexpr (std::is_invocable_v<Make, SolverTraits, const T&, const SolverContext&>)
                                   return make(traits, read, context);
                                 else
                                   return make(traits, read);
                               });
}

/// The same for a method without options: `make(traits)`.
template <class Make>
[[nodiscard]] SolverEntry solver_entry(SolverCard card, SolverClaims claims, SolverNeeds needs, Make make) {
  return solver_entry(std::move(card), std::move(claims), std::move(needs), options<NoOptions>(),
                      [make](SolverTraits traits, const NoOptions&) { return make(std::move(traits)); });
}

/// A solver that keeps its traits.
class Method : public Solver {
 public:
  explicit Method(SolverTraits traits) : traits_(std::move(traits)) {}
  [[nodiscard]] const SolverTraits& traits() const noexcept final { return traits_; }

 protected:
  SolverTraits traits_;
};

/// The noise schedule of the context; throws UsageError, saying what to give, where the run has no timestep axis.
[[nodiscard]] const NoiseSchedule& timestep_axis(const SolverContext& context, const SolverTraits& traits);

/// Evaluations of a method that calls the denoiser `per_step` times in each step and once in the last jump.
[[nodiscard]] inline std::function<int64_t(int64_t, bool)> evaluations(int64_t per_step) {
  return
      [per_step](int64_t steps, bool final_zero) { return final_zero ? per_step * (steps - 1) + 1 : per_step * steps; };
}

#define STRIDE_SOLVER(name) SolverEntry solver_##name();
#include "solvers/solvers.def"
#undef STRIDE_SOLVER

}  // namespace stride
