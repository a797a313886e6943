// A program, run.
#pragma once

#include "framework/program/program.h"
#include "framework/program/stepped_run.h"

#include <vector>

namespace stride {

/// A run of a program on a batch: operation by operation, with tensors for slots. The same samples as `sample` makes of
/// its solver, to rounding: weights meet the data in float64 here.
class ProgramRun final : public SteppedRun {
 public:
  /// The program and the parts of the problem are kept by reference, `constant`'s tensors and `x` by their addresses. A
  /// program of networks runs `problem.denoiser`'s: throws UsageError where that is no NetworkDenoiser.
  ProgramRun(const Program& program, const Problem& problem, RunConstant constant, Tensor x);

  [[nodiscard]] int64_t steps() const noexcept override { return program_.steps; }
  [[nodiscard]] int64_t evaluations() const noexcept override { return program_.nfe; }
  void begin() override;
  void step() override;
  [[nodiscard]] const Tensor& x() const override { return slots_.at(static_cast<std::size_t>(x_)); }
  [[nodiscard]] Tensor denoised() const override { return denoised_; }
  [[nodiscard]] RunResult result() const override;

 private:
  void operator()(const Program::Combine& combine);
  void operator()(const Program::Forward& forward);
  void operator()(const Program::Evaluate& evaluate);
  void operator()(const Program::Draw& draw);
  void operator()(const Program::Watch& watch);
  void operator()(const Program::StepEnd& end);

  [[nodiscard]] Tensor& slot(int i) { return slots_.at(static_cast<std::size_t>(i)); }
  [[nodiscard]] Times number(int64_t i) const;  // of the operation that runs, in each row

  const Program& program_;
  const Problem problem_;
  const NetworkDenoiser* network_ = nullptr;
  const RunConstant constant_;
  const Tensor start_;
  at::ScalarType input_type_ = at::kDouble;
  // What operations read that no run changes, uploaded once: [numbers, rows], and where an operation's begin.
  Tensor numbers_, counts_, network_times_;
  std::vector<int64_t> first_number_;

  std::size_t next_ = 0;  // operation
  int x_ = 0;
  std::vector<Tensor> slots_;
  Tensor input_, denoised_;
  Tensor unsolved_;  // bool `[B]`; undefined: no step was watched
  BatchState both_;  // the condition, then none, where guidance asks for both
};

}  // namespace stride
