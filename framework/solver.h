// What a sampler is: init + step + finish, state in, state out.
#pragma once

#include "framework/evaluator.h"
#include "framework/history.h"
#include "framework/last_changes.h"
#include "framework/noise/noise.h"
#include "framework/solver_traits.h"
#include "framework/term.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// What a run integrates. References: the caller keeps the parts alive.
struct Problem {
  const Denoiser& denoiser;
  const Term& term;
  const NoiseSource& noise;
  Guidance guidance = {};
};

/// What a run carries but never changes. `select` reaches it; `where` and `copy` leave it alone.
struct RunConstant {
  Tensor ids;                    ///< int64 `[B]`: the samples' identities (their seeds, in the command line)
  BatchState condition;          ///< in the order of the model's conditions
  Tensor grid;                   ///< float64 `[B, N+1]`, decreasing; the last may be 0 (the last jump)
  std::optional<Tensor> params;  ///< learned, float64 `[B, P]`
  /// Solver::coefficients of `grid`, float64 `[B, N, K]`; none: each step works its own out. They hold for a memory
  /// that the solver itself has filled since the start (RunState::handed_over).
  std::optional<Tensor> coefficients = {};
  /// noise_keys, int64 `[B]`, of a run that begins with data (an image to refine, another run's end); none: it begins
  /// with noise.
  std::optional<Tensor> noise_keys = {};

  /// f(name, field of each of `of`) for every field.
  template <class F, class... Constants>
  static void each(F f, Constants&... of) {
    f("ids", of.ids...);
    f("condition", of.condition...);
    f("grid", of.grid...);
    f("params", of.params...);
    f("coefficients", of.coefficients...);
    f("noise_keys", of.noise_keys...);
  }

  [[nodiscard]] RunConstant select(const Tensor& rows) const;
};

/// One step of a run, as a solver sees it.
class Step final {
 public:
  Step(const Problem& problem, const RunConstant& constant, Times from, Times to, Tensor index, Tensor drawn,
       int64_t least_index = 0, bool aligned = false)
      : from(std::move(from)),
        to(std::move(to)),
        index(std::move(index)),
        problem_(problem),
        constant_(constant),
        drawn_(std::move(drawn)),
        least_index_(least_index),
        aligned_(aligned),
        evaluator_(problem.denoiser, problem.guidance, constant.condition) {}

  const Times from;    ///< float64 `[B]`
  const Times to;      ///< float64 `[B]`, below `from`
  const Tensor index;  ///< int64 `[B]`, accepted steps so far

  /// D(x; σ) under the run's guidance; counted.
  [[nodiscard]] Tensor denoise(const Tensor& x, const Times& sigma) { return evaluate(x, sigma).denoised; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma) { return evaluator_(x, sigma); }
  /// The same where only some rows (bool `[B]`) have a use for it: a method whose steps differ in their number of
  /// evaluations. The pass is made for the whole batch; `nfe` counts it in those rows, `model_evals` in all.
  [[nodiscard]] Tensor denoise_for(const Tensor& rows, const Tensor& x, const Times& sigma) {
    evaluator_.spare(rows.logical_not());
    return denoise(x, sigma);
  }

  /// Unit normals for [to, from], or for a part of it; counted. Ask only where the coefficient is not
  /// identically zero: a draw that nobody needs is not drawn.
  [[nodiscard]] Tensor noise(const Tensor& like) { return noise(like, from, to); }
  [[nodiscard]] Tensor noise(const Tensor& like, const Times& from, const Times& to);
  /// The second unit normals of [to, from], independent of noise(like): the path's space-time Lévy area
  /// (1/Δ)∫₀^Δ (B_s − (s/Δ)B_Δ) ds over √(Δ/12), with B_s = W(from²) − W(from² − s) and Δ = from² − to². What methods
  /// of a strong order above 1 need. Counted as a draw.
  [[nodiscard]] Tensor noise_area(const Tensor& like);

  /// What the host knows of `index` without a look at the device: no row is below it. A result never depends on it: a
  /// method may leave out evaluations that only rows below have a use for.
  [[nodiscard]] int64_t least_index() const noexcept { return least_index_; }
  /// Every row's index is least_index(), as far as the host knows. A method that branches on it (and so does other
  /// work at each step) says so in SolverNeeds::branches.
  [[nodiscard]] bool aligned() const noexcept { return aligned_; }

  [[nodiscard]] const Term& term() const noexcept { return problem_.term; }
  [[nodiscard]] const RunConstant& constant() const noexcept { return constant_; }
  /// This step's of RunConstant::coefficients, float64 `[B, K]`; none: the solver works them out.
  [[nodiscard]] std::optional<Tensor> coefficients() const;
  [[nodiscard]] const StepCost& cost() const noexcept { return evaluator_.cost(); }

  /// The same step for the rows `rows` (int64 `[n]`) alone; `constant` is theirs, and outlives the part. For solvers
  /// whose rows do different things. What the part spends is its own: give it back with `charge`.
  [[nodiscard]] Step part(const Tensor& rows, const RunConstant& constant) const;
  void charge(const Tensor& rows, const StepCost& spent) { parts_.emplace_back(rows, spent); }
  /// What each row spent, parts included: int64 `[B]`.
  [[nodiscard]] Tensor row_cost(int64_t StepCost::*what) const;
  /// The same where every row spent as much, as far as the host knows.
  [[nodiscard]] std::optional<int64_t> common_cost(int64_t StepCost::*what) const;

 private:
  [[nodiscard]] Tensor draw(const Tensor& like, const Times& from, const Times& to, NoiseKind kind);

  const Problem& problem_;
  const RunConstant& constant_;
  Tensor drawn_;
  int64_t least_index_;
  bool aligned_;
  Evaluator evaluator_;
  std::vector<std::pair<Tensor, StepCost>> parts_;
};

struct StepResult {
  Tensor x;                     ///< `[B, …]` at Step::to
  BatchState history;           ///< the solver's next memory
  Tensor denoised;              ///< the first evaluation of the step, at Step::from
  std::optional<Tensor> error;  ///< local error estimate `[B, …]`, where the method has one
  /// The method has an equation to solve, and these are its iteration's last changes. Where they do not come nearer to
  /// a solution the run goes on and ends as Status::not_converged.
  std::optional<LastChanges> changes = {};
};

/// A sampler. Implementations are final and immutable: all memory is in the BatchState.
class Solver {
 public:
  virtual ~Solver() = default;

  [[nodiscard]] virtual const SolverTraits& traits() const noexcept = 0;

  /// Memory before the first step. The default is an empty History of traits().history entries, or
  /// nothing where that is 0.
  [[nodiscard]] virtual BatchState init(const Tensor& x) const;

  /// What `step` reads from Step::coefficients at each of the N steps of `grid` `[B, N+1]`: float64 `[B, N, K]`, for
  /// rows that begin with `init` and keep to the grid. None (the default): nothing is worked out in advance.
  [[nodiscard]] virtual std::optional<Tensor> coefficients(const Tensor& grid) const;

  /// From Step::from to Step::to > 0. Pure: the same arguments give the same result, bit for bit.
  [[nodiscard]] virtual StepResult step(Step& step, const Tensor& x, const BatchState& history) const = 0;

  /// The last jump, to σ = 0: x ← D(x; σ) unless a method knows better. Step::to is 0 here, and only here.
  [[nodiscard]] virtual StepResult finish(Step& step, const Tensor& x, const BatchState& history) const;

 protected:
  Solver() = default;
  Solver(const Solver&) = default;
  Solver& operator=(const Solver&) = default;
};

}  // namespace stride
