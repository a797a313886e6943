// A sampler's runs as CUDA graphs, kept from batch to batch.
#pragma once

#include "framework/models/guidance.h"
#include "framework/noise/noise.h"
#include "framework/program/captured_run.h"
#include "framework/program/program.h"
#include "framework/program/refilled_run.h"
#include "pipeline/sampler.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace stride {

/// Captures a run of the sampler on the first batch and replays it for those after it; a batch of another size is
/// captured in its place. Under an adaptive policy a step is captured, and samples are replaced where they end. On a
/// CUDA device; elsewhere, and where something cannot be captured, there is a reason in words and the caller runs step
/// by step.
class GraphRuns final {
 public:
  /// Sampler, denoiser and noise (none: PhiloxNoise) are kept by reference; with noise, what nobody can count the draws
  /// of is not captured. `see`: CapturedRun::See.
  GraphRuns(const Sampler& sampler, const Denoiser& denoiser, Guidance guidance, const NoiseSource* noise = nullptr,
            CapturedRun::See see = {});
  ~GraphRuns();
  GraphRuns(const GraphRuns&) = delete;
  GraphRuns& operator=(const GraphRuns&) = delete;

  /// What is run is run once: with a program it goes operation by operation, to the same bits, and no pool is opened. A
  /// capture takes as long on the host as the run that it records, and the steps of a warm-up on the device.
  void expect_one() noexcept { once_ = true; }
  /// None: `reason` says why; what is captured once is not tried again.
  [[nodiscard]] std::optional<RunResult> run(const RunConstant& constant, const Tensor& x,
                                             const std::function<bool()>& stop);
  /// The same for an adaptive policy: opens a pool (RefilledRun) for as many rows as `example` has and as many slots,
  /// unless there is one that holds them. False: `reason` says why not.
  [[nodiscard]] bool open_pool(const RunState& example, const RefilledRun::Options& options);
  /// Runs the pool that is open.
  [[nodiscard]] RunResult run_pool(const RunState& starts, const RefilledRun::Stop& stop);
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// Rows of the captured run; 0: there is none.
  [[nodiscard]] int64_t rows() const noexcept { return rows_; }
  /// Seconds that captures have taken so far.
  [[nodiscard]] double seconds() const noexcept { return seconds_; }
  /// The captured run; nullptr: there is none.
  [[nodiscard]] CapturedRun* captured() noexcept { return captured_ ? &*captured_ : nullptr; }
  /// Noise draws per sample of the captured run, which was made with noise.
  [[nodiscard]] int64_t draws() const { return program_.value().draws; }

 private:
  void plan();
  [[nodiscard]] std::optional<RunResult> run_once(const RunConstant& constant, const Tensor& x,
                                                  const std::function<bool()>& stop);

  const Sampler& sampler_;
  const PhiloxNoise own_noise_;
  const bool counts_draws_;
  const Problem problem_;
  const CapturedRun::See see_;
  std::optional<Program> program_;
  std::string no_program_;  ///< why there is none, once planned
  bool planned_ = false, once_ = false;
  std::string reason_;
  std::optional<CapturedRun> captured_;
  std::optional<RefilledRun> pool_;
  int64_t slots_ = 0;  ///< of the pool
  int64_t rows_ = 0;
  double seconds_ = 0;
};

}  // namespace stride
