// What a run costs against the evaluations of its network alone.
#pragma once

#include "pipeline/model_card.h"
#include "pipeline/sampler.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// Of the rounds of a measurement.
struct Spread {
  double median = 0, low = 0, high = 0;
};

/// A network by itself: as many evaluations as a run has, one after the other, nothing between them.
struct FloorRow {
  int64_t batch = 0;
  int64_t evaluations = 0;
  Spread ms;                       ///< of one evaluation
  std::optional<double> launches;  ///< kernels and copies of one evaluation; none: not a CUDA graph
  int64_t peak_bytes = 0;
};

/// A whole run of a sampler, from its first kernel to its last x on the device.
struct SpeedRow {
  std::string solver;
  int64_t batch = 0;
  int64_t nfe = 0;
  int64_t steps = 0;
  Spread ratio;                    ///< of the run and nfe evaluations of the network alone, round by round
  Spread ms;                       ///< of the run
  double floor_ms = 0;             ///< nfe × the median evaluation of the network alone
  std::optional<double> launches;  ///< kernels and copies a step besides the network's; none: not a CUDA graph
  int64_t peak_bytes = 0;
  std::string stepwise;  ///< why it is no CUDA graph
};

/// Samples of an adaptive sampler, as many as a pool has.
struct PoolRow {
  std::string solver, policy;
  std::string way;    ///< "refilled" (RefilledRun), or "batch by batch" (`sample`, whose batches shrink)
  int64_t batch = 0;  ///< rows that run at once
  int64_t samples = 0;
  double nfe_mean = 0;
  Spread ratio;  ///< of the time and that of samples × nfe_mean / batch evaluations of the network alone
  Spread ms;     ///< from the first step to the last x on the device
  double floor_ms = 0;
  std::string stepwise;  ///< why no step is a CUDA graph
};

/// What a program beside this one takes for the same: one evaluation of the network, or a run.
struct PeerRow {
  std::string
      name;  ///< "network", a sampler as "k-diffusion:dpmpp_2m", or adaptive: "torchdiffeq:dopri5", "masked:dopri5"
  std::string variant;  ///< of its network: "eager", "graph" or "compile"
  int64_t batch = 0;
  double nfe = 1;      ///< mean over the samples
  std::string solver;  ///< of Stride's that it is compared with; empty: the network alone
  Spread ms;
  Spread ratio;       ///< of its time and Stride's, round by round
  std::string error;  ///< why there is nothing
};

struct SpeedSettings {
  std::vector<SamplerSpec> samplers;  ///< on fixed grids, or adaptive
  int64_t samples = 4096;             ///< of an adaptive one
  std::vector<int64_t> batches = {1, 16, 64, 256};
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  int64_t rounds = 5;
  double seconds = 0.05;  ///< of each round's piece, about: short runs are repeated

  /// Answers a request of bench/torch_peer.py (evaluation/torch_peer.h); none: there is nothing to compare with.
  std::function<std::string(const std::string& request)> ask = {};

  /// Why these settings cannot be measured, with a cure; empty: they can.
  [[nodiscard]] std::string invalid_reason() const;
};

struct Speed {
  std::vector<FloorRow> floors;  ///< one a batch
  std::vector<SpeedRow> rows;
  std::vector<PoolRow> pools;
  std::vector<PeerRow> peers;
  bool complete = true;  ///< false: stopped
};

struct SpeedHooks {
  std::function<bool(int64_t done, int64_t all)> go_on = {};  ///< before each row; false ends the measurement
  std::function<void(const Speed& so_far)> finished = {};     ///< after each row
};

/// Measures network and run in turn, `rounds` times each. On CUDA both are graphs where the run can be one, timed by
/// events of the device; elsewhere step by step, by the wall. With `ask`, the peer is measured in turn with them.
/// Throws UsageError on settings that are not valid.
[[nodiscard]] Speed measure_speed(const LoadedModel& model, const SpeedSettings& settings,
                                  const SpeedHooks& hooks = {});

/// The sampler to measure: on a fixed grid the steps whose cost is the least from `least_nfe` on, unless it is a hybrid
/// or a plan, which count their own. Throws UsageError where it cannot be made.
[[nodiscard]] SamplerSpec speed_spec(const LoadedModel& model, const std::string& solver, const std::string& schedule,
                                     const std::string& policy, int64_t least_nfe);

/// The least cost of at least `least` evaluations that a number of steps of the solver has.
[[nodiscard]] int64_t nfe_from(const Solver& solver, int64_t least, Final final);

/// A table for people, and {"device", "dtype", "floors", "rows"} for programs: every row with solver, batch, dtype,
/// ratio, ms and floor_ms.
[[nodiscard]] std::string speed_text(const Speed& speed);
[[nodiscard]] std::string speed_json(const Speed& speed, const SpeedSettings& settings, bool tf32);

}  // namespace stride
