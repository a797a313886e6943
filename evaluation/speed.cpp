#include "evaluation/speed.h"

#include "evaluation/peak_memory.h"
#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/models/network_denoiser.h"
#include "framework/program/refilled_run.h"
#include "framework/program/stepped_run.h"
#include "framework/stopwatch.h"
#include "pipeline/device_info.h"
#include "pipeline/draw.h"
#include "pipeline/graph_runs.h"
#include "solvers/hybrid.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>

namespace stride {
namespace {

constexpr int64_t kMostRepeats = 10000;
constexpr int64_t kEvaluations = 20;  // of a network alone

// The network on one input again and again: what no run can be faster than.
class NetworkRun final : public SteppedRun {
 public:
  NetworkRun(const Denoiser& denoiser, int64_t evaluations, RunConstant constant, Tensor x)
      : denoiser_(denoiser),
        network_(dynamic_cast<const NetworkDenoiser*>(&denoiser)),
        evaluations_(evaluations),
        constant_(std::move(constant)),
        x_(std::move(x)),
        sigma_(at::ones({x_.size(0)}, x_.options().dtype(at::kDouble))),
        input_(x_.to(network_ != nullptr ? network_->dtype().value_or(x_.scalar_type()) : x_.scalar_type())),
        time_(sigma_.to(state_dtype(input_.scalar_type()))) {}

  [[nodiscard]] int64_t steps() const noexcept override { return evaluations_; }
  [[nodiscard]] int64_t evaluations() const noexcept override { return evaluations_; }
  void begin() override {}
  void step() override {
    output_ = network_ != nullptr ? network_->network().forward(input_, time_, constant_.condition)
                                  : denoiser_.evaluate(x_, sigma_, constant_.condition).denoised;
  }
  [[nodiscard]] const Tensor& x() const override { return output_; }
  [[nodiscard]] Tensor denoised() const override { return {}; }
  [[nodiscard]] RunResult result() const override { throw std::logic_error("a network alone has no result"); }

 private:
  const Denoiser& denoiser_;
  const NetworkDenoiser* network_;
  const int64_t evaluations_;
  const RunConstant constant_;
  const Tensor x_, sigma_, input_, time_;
  Tensor output_;
};

// Seconds of one call, between events of the device or by the wall.
double timed(const std::function<void()>& work, int64_t repeats, at::Device device) {
  if (!device.is_cuda()) {
    const Stopwatch watch;
    for (int64_t i = 0; i < repeats; ++i) work();
    return watch.seconds() / static_cast<double>(repeats);
  }
  at::cuda::CUDAEvent begin(cudaEventDefault), end(cudaEventDefault);
  begin.record();
  for (int64_t i = 0; i < repeats; ++i) work();
  end.record();
  end.synchronize();
  return begin.elapsed_time(end) / 1e3 / static_cast<double>(repeats);
}

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return {(values[(n - 1) / 2] + values[n / 2]) / 2, values.front(), values.back()};
}

// Samplers of the peer's, and what they are called here.
struct Twin {
  const char* name;
  const char* solver;
};
constexpr Twin kTwins[] = {{"k-diffusion:dpmpp_2m", "dpmpp_2m"},
                           {"k-diffusion:euler_ancestral", "euler_ancestral"},
                           {"diffusers:EDMDPMSolverMultistepScheduler", "dpmpp_2m"},
                           {"diffusers:EDMEulerScheduler", "euler"}};

struct Work {
  std::function<void()> once;
  std::optional<int64_t> launches;  // of all
  int64_t peak_bytes = 0;
  std::vector<double> seconds;  // one a round
  int64_t repeats = 1;
};

// One batch size: its floor, and runs beside it.
class Bench final {
 public:
  Bench(const LoadedModel& model, const SpeedSettings& settings, int64_t batch)
      : model_(model), settings_(settings), batch_(batch) {}

  [[nodiscard]] FloorRow floor() {
    constexpr int64_t evaluations = kEvaluations;
    Work network = network_alone(evaluations);
    measure({&network});
    FloorRow row{batch_, evaluations, {}, {}, network.peak_bytes};
    std::vector<double> ms;
    for (const double seconds : network.seconds) ms.push_back(1e3 * seconds / static_cast<double>(evaluations));
    row.ms = spread_of(std::move(ms));
    if (network.launches) row.launches = static_cast<double>(*network.launches) / static_cast<double>(evaluations);
    return row;
  }

  [[nodiscard]] SpeedRow row(const SamplerSpec& spec) {
    const Sampler sampler = make_sampler(spec, model_.info(), &model_.source.card, settings_.device);
    SpeedRow row;
    row.solver = spec.solver;
    row.batch = batch_;
    GraphRuns graphs(sampler, *model_.denoiser, {});
    Work run = whole_run(sampler, graphs, row);
    if (!networks_.contains(row.nfe)) networks_.emplace(row.nfe, network_alone(row.nfe));
    Work& network = networks_.at(row.nfe);
    network.seconds.clear();
    measure({&network, &run});
    std::vector<double> ratios, ms;
    for (std::size_t i = 0; i < run.seconds.size(); ++i) {
      ratios.push_back(run.seconds[i] / network.seconds[i]);
      ms.push_back(1e3 * run.seconds[i]);
    }
    row.ratio = spread_of(std::move(ratios));
    row.ms = spread_of(std::move(ms));
    row.floor_ms = 1e3 * spread_of(network.seconds).median;
    row.peak_bytes = run.peak_bytes;
    if (run.launches && network.launches)
      row.launches = static_cast<double>(*run.launches - *network.launches) / static_cast<double>(row.steps);
    return row;
  }

  // Refilled slots, and batch by batch, which has one round: it is what is left behind.
  void pool(const SamplerSpec& spec, std::vector<PoolRow>& rows) {
    const Sampler sampler = make_sampler(spec, model_.info(), &model_.source.card, settings_.device);
    const PhiloxNoise noise;
    const Problem problem{*model_.denoiser, *sampler.term, noise, {}};
    const RunState starts = pool_starts(sampler);
    Work network = network_alone(kEvaluations), run;
    PoolRow row{spec.solver, spec.policy, "refilled", batch_, settings_.samples, {}, {}, {}, {}, {}};
    Tensor nfe;
    std::optional<RefilledRun> refilled;
    try {
      refilled.emplace(problem, *sampler.solver, *sampler.controller, starts, RefilledRun::Options{.slots = batch_});
      run.once = [&] { nfe = (*refilled)(starts).nfe; };
      measured(network, run, settings_.rounds, nfe, row);
    } catch (const c10::Error& error) {
      row.stepwise = std::string(error.what_without_backtrace()).substr(0, 200);
    }
    rows.push_back(row);
    refilled.reset();
    row.way = "batch by batch";
    row.stepwise.clear();
    Work batches;
    batches.once = [&] {
      std::vector<Tensor> all;
      for (int64_t first = 0; first < settings_.samples; first += batch_) {
        const Tensor which = at::arange(first, std::min(first + batch_, settings_.samples), starts.index.options());
        all.push_back(sample(problem, *sampler.solver, *sampler.controller, starts.select(which)).nfe);
      }
      nfe = at::cat(all);
    };
    measured(network, batches, 1, nfe, row);
    rows.push_back(row);
  }

  void compare_adaptive(const SamplerSpec& spec, const std::vector<PoolRow>& pools, std::vector<PeerRow>& rows) {
    const PoolRow& own = pools.at(pools.size() - 2);
    for (const char* name : {"torchdiffeq:dopri5", "masked:dopri5"}) {
      PeerRow row{name, settings_.device.is_cuda() ? "compile" : "eager", batch_, 0, spec.solver, {}, {}, {}};
      const nlohmann::json request = {{"adaptive", row.name},
                                      {"variant", row.variant},
                                      {"batch", batch_},
                                      {"samples", settings_.samples},
                                      {"policy", spec.policy},
                                      {"sigma_min", model_.info().sigma_min},
                                      {"sigma_max", model_.info().sigma_max}};
      const auto answer = nlohmann::json::parse(settings_.ask(request.dump()));
      row.error = answer.value("error", "");
      if (row.error.starts_with("ModuleNotFoundError")) continue;
      if (row.error.empty()) {
        row.nfe = answer["nfe"].get<double>();
        const double ms = answer["ms"].get<double>();
        row.ms = {ms, ms, ms};
        row.ratio = {ms / own.ms.median, ms / own.ms.high, ms / own.ms.low};
      }
      rows.push_back(row);
    }
  }

  void compare(std::vector<PeerRow>& rows) {
    const std::vector<std::string> variants = settings_.device.is_cuda()
                                                  ? std::vector<std::string>{"eager", "graph", "compile"}
                                                  : std::vector<std::string>{"eager"};
    Work network = network_alone(kEvaluations);
    for (const std::string& variant : variants)
      rows.push_back(beside({"network", variant, batch_, 1.0, {}, {}, {}, {}}, network, kEvaluations));
    for (const Twin& twin : kTwins) {
      SamplerSpec spec;
      spec.solver = twin.solver;
      spec.nfe = kEvaluations;
      const Sampler sampler = make_sampler(spec, model_.info(), &model_.source.card, settings_.device);
      GraphRuns graphs(sampler, *model_.denoiser, {});
      SpeedRow own;
      Work run = whole_run(sampler, graphs, own);
      for (const std::string& variant : variants) {
        if (variant == "graph") continue;  // who captures his network compiles it too
        PeerRow row = beside({twin.name, variant, batch_, kEvaluations, twin.solver, {}, {}, {}}, run, 1);
        // What is not installed is not compared with.
        if (!row.error.starts_with("ModuleNotFoundError")) rows.push_back(std::move(row));
      }
    }
  }

 private:
  [[nodiscard]] RunState pool_starts(const Sampler& sampler) const {
    DrawSettings draw = draw_settings();
    draw.seeds.resize(static_cast<std::size_t>(settings_.samples));
    std::iota(draw.seeds.begin(), draw.seeds.end(), 0);
    const int64_t n = settings_.samples;
    const Tensor x = start_points(draw, model_.info(), sampler.grid.start(), 0, n);
    const Tensor ids = at::arange(n, at::TensorOptions().dtype(at::kLong).device(settings_.device));
    RunConstant own{ids, any_condition(model_.info(), n, settings_.device), sampler.grid.rows(n, settings_.device), {}};
    const Times sigma = at::full({n}, sampler.grid.start(), x.options().dtype(at::kDouble));
    return start_run(*sampler.solver, *sampler.controller, std::move(own), x, sigma);
  }

  // Whole calls of `run` in turn with the network.
  void measured(Work& network, Work& run, int64_t rounds, const Tensor& nfe, PoolRow& row) const {
    run.once();
    settle();
    std::vector<double> ratios, ms, floors;
    for (int64_t round = 0; round < rounds; ++round) {
      network.seconds.clear();
      measure({&network}, 1);
      ms.push_back(1e3 * timed(run.once, 1, settings_.device));
      row.nfe_mean = nfe.to(at::kDouble).mean().item<double>();
      floors.push_back(1e3 * network.seconds.front() / kEvaluations * static_cast<double>(settings_.samples) *
                       row.nfe_mean / static_cast<double>(batch_));
      ratios.push_back(ms.back() / floors.back());
    }
    row.ms = spread_of(std::move(ms));
    row.ratio = spread_of(std::move(ratios));
    row.floor_ms = spread_of(std::move(floors)).median;
  }

  // In turn with `work`, of which one call makes `times` of what the peer makes.
  [[nodiscard]] PeerRow beside(PeerRow row, Work& work, int64_t times) const {
    nlohmann::json request = {{"variant", row.variant}, {"batch", row.batch}, {"seconds", settings_.seconds}};
    if (!row.solver.empty()) {
      request["sampler"] = row.name;
      request["nfe"] = static_cast<int64_t>(row.nfe);
    }
    std::vector<double> ms, ratios;
    for (int64_t round = -1; round < settings_.rounds; ++round) {  // the first makes it ready
      const auto answer = nlohmann::json::parse(settings_.ask(request.dump()));
      if (answer.contains("error")) {
        row.error = answer["error"].get<std::string>();
        return row;
      }
      work.seconds.clear();
      measure({&work}, 1);
      if (round < 0) continue;
      ms.push_back(answer["ms"].get<double>());
      ratios.push_back(ms.back() / (1e3 * work.seconds.front() / static_cast<double>(times)));
    }
    row.ms = spread_of(std::move(ms));
    row.ratio = spread_of(std::move(ratios));
    return row;
  }

  [[nodiscard]] DrawSettings draw_settings() const {
    DrawSettings draw;
    for (int64_t seed = 0; seed < batch_; ++seed) draw.seeds.push_back(seed);
    draw.device = settings_.device;
    draw.dtype = settings_.dtype;
    return draw;
  }
  [[nodiscard]] RunConstant constant(const TimeGrid* grid) const {
    const Tensor ids = at::arange(batch_, at::TensorOptions().dtype(at::kLong).device(settings_.device));
    return {ids,
            any_condition(model_.info(), batch_, settings_.device),
            grid != nullptr ? grid->rows(batch_, settings_.device) : Tensor(),
            {}};
  }

  [[nodiscard]] Work network_alone(int64_t evaluations) const {
    const PeakMemory peak(settings_.device);
    const Tensor x = start_points(draw_settings(), model_.info(), 1.0, 0, batch_);
    Work work;
    if (settings_.device.is_cuda()) {
      try {
        const auto captured = std::make_shared<CapturedRun>(
            [&](RunConstant own, Tensor start) {
              return std::make_unique<NetworkRun>(*model_.denoiser, evaluations, std::move(own), std::move(start));
            },
            constant(nullptr), x);
        work.launches = captured->launches();
        work.once = [captured] { captured->replay(); };
      } catch (const c10::Error&) {
        // Step by step, as the run then is: its row says why.
      }
    }
    if (!work.once) {
      const auto plain = std::make_shared<NetworkRun>(*model_.denoiser, evaluations, constant(nullptr), x);
      work.once = [plain, evaluations] {
        for (int64_t i = 0; i < evaluations; ++i) plain->step();
      };
    }
    work.once();
    settle();
    work.peak_bytes = peak.bytes();
    return work;
  }

  [[nodiscard]] Work whole_run(const Sampler& sampler, GraphRuns& graphs, SpeedRow& row) const {
    const PeakMemory peak(settings_.device);
    const Tensor x = start_points(draw_settings(), model_.info(), sampler.grid.start(), 0, batch_);
    const RunConstant own = constant(&sampler.grid);
    const auto plain = [this, &sampler, own, x] {
      const PhiloxNoise noise;
      const Problem problem{*model_.denoiser, *sampler.term, noise, {}};
      const Times sigma = at::full({batch_}, sampler.grid.start(), x.options().dtype(at::kDouble));
      return sample(problem, *sampler.solver, *sampler.controller,
                    start_run(*sampler.solver, *sampler.controller, own, x, sigma));
    };
    Work work;
    std::optional<RunResult> result = graphs.run(own, x, {});
    row.stepwise = graphs.reason();
    if (result) {
      CapturedRun& captured = *graphs.captured();
      work.launches = captured.launches();
      row.steps = captured.steps();
      work.once = [&captured] { captured.replay(); };
    } else {
      result = plain();
      row.steps = result->steps.max().item<int64_t>();
      work.once = [plain] { (void)plain(); };
    }
    row.nfe = result->model_evals.max().item<int64_t>();
    settle();
    work.peak_bytes = peak.bytes();
    return work;
  }

  void settle() const {
    if (settings_.device.is_cuda()) at::cuda::getCurrentCUDAStream().synchronize();
  }

  // In turn, so that what the machine does besides meets all alike.
  void measure(const std::vector<Work*>& all) const { measure(all, settings_.rounds); }
  void measure(const std::vector<Work*>& all, int64_t rounds) const {
    for (Work* work : all) {
      const double once = timed(work->once, 1, settings_.device);
      work->repeats = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(settings_.seconds / std::max(once, 1e-9))), 1,
                                          kMostRepeats);
    }
    for (int64_t round = 0; round < rounds; ++round)
      for (Work* work : all) work->seconds.push_back(timed(work->once, work->repeats, settings_.device));
  }

  const LoadedModel& model_;
  const SpeedSettings& settings_;
  const int64_t batch_;
  std::map<int64_t, Work> networks_;  // by evaluations
};

}  // namespace

std::string SpeedSettings::invalid_reason() const {
  if (samplers.empty()) return "no sampler is named: give `solver`";
  if (batches.empty()) return "no batch is named: give `batches`";
  if (std::ranges::any_of(batches, [](int64_t batch) { return batch < 1; })) return "`batches`: each at least 1";
  if (samples < 1 || samples > 1'000'000) return fmt::format("`samples` {}: give 1 to 1000000", samples);
  if (rounds < 1 || rounds > 1000) return fmt::format("`rounds` {}: give 1 to 1000", rounds);
  if (!(seconds >= 0.0) || seconds > 60.0) return fmt::format("`seconds` {}: give 0 to 60", seconds);
  return "";
}

Speed measure_speed(const LoadedModel& model, const SpeedSettings& settings, const SpeedHooks& hooks) {
  if (const std::string reason = settings.invalid_reason(); !reason.empty()) throw UsageError(reason);
  const at::NoGradGuard no_grad;
  const c10::OptionalDeviceGuard device(settings.device);
  const auto all = static_cast<int64_t>(settings.batches.size() * (settings.samplers.size() + 1));
  int64_t done = 0;
  Speed speed;
  speed.complete = false;
  const auto may = [&] {
    if (done > 0 && hooks.finished) hooks.finished(speed);
    return !hooks.go_on || hooks.go_on(done++, all);
  };
  for (const int64_t batch : settings.batches) {
    Bench bench(model, settings, batch);
    if (!may()) return speed;
    speed.floors.push_back(bench.floor());
    if (settings.ask) bench.compare(speed.peers);
    for (const SamplerSpec& spec : settings.samplers) {
      if (!may()) return speed;
      if (spec.policy == "fixed") {
        speed.rows.push_back(bench.row(spec));
      } else {
        bench.pool(spec, speed.pools);
        if (settings.ask) bench.compare_adaptive(spec, speed.pools, speed.peers);
      }
      if (settings.device.is_cuda()) c10::cuda::CUDACachingAllocator::emptyCache();
    }
  }
  speed.complete = true;
  return speed;
}

int64_t nfe_from(const Solver& solver, int64_t least, Final final) {
  const auto& cost = solver.traits().nfe;
  if (!cost)
    throw UsageError(fmt::format("{} does not say what its steps cost (SolverTraits::nfe)", solver.traits().name));
  int64_t best = 0;
  for (int64_t steps = 1; steps <= least + 1; ++steps)
    if (const int64_t spent = cost(steps, final == Final::zero); spent >= least && (best == 0 || spent < best))
      best = spent;
  return best;
}

SamplerSpec speed_spec(const LoadedModel& model, const std::string& solver, const std::string& schedule,
                       const std::string& policy, int64_t least_nfe) {
  SamplerSpec spec;
  spec.solver = solver;
  spec.schedule = schedule;
  spec.policy = policy;
  const ModelCard* card = &model.source.card;
  const bool counts_itself = is_hybrid(solver) || solver.starts_with("plan:");
  if (policy == "fixed" && !counts_itself) {
    spec.steps = 1;
    spec.nfe = nfe_from(*make_sampler(spec, model.info(), card).solver, least_nfe, spec.final);
    spec.steps.reset();
  }
  (void)make_sampler(spec, model.info(), card);
  return spec;
}

}  // namespace stride
