// Continuous batching against runs of whole batches: the same bits, whatever the slots.
#include "framework/program/refill.h"
#include "framework/program/refilled_run.h"

#include "adaptive/control/pi_controller.h"
#include "adaptive/control/pid_controller.h"
#include "framework/error.h"
#include "tests/solvers/fixtures.h"

#include <array>

namespace stride {
namespace {

using namespace fixtures;

const TimeGrid kGrid({80.0, 0.002});

// A pool of n rows of which row i ends after i % 5 + 1 "steps".
RunState numbered(int64_t n) {
  const auto model = three_components(2);
  const auto solver = make_solver("heun");
  return start({*model, *solver, PhiloxNoise(), kGrid}, PiController(PiOptions{}), ids(n));
}

std::vector<int64_t> numbers(const Tensor& tensor) {
  const Tensor own = tensor.to(at::kCPU, at::kLong).contiguous();
  return {own.const_data_ptr<int64_t>(), own.const_data_ptr<int64_t>() + own.numel()};
}

void end_rows(Slots& slots, const std::vector<int64_t>& which) {
  for (const int64_t slot : which) {
    slots.running.status[slot].fill_(0);
    slots.running.x[slot].fill_(100.0 + static_cast<double>(slot));
  }
}

}  // namespace

TEST_CASE("refill: ends go to their rows, and waiting rows take their slots in order", "[refill]") {
  Slots slots = make_slots(numbered(7), 4);
  const RunState starts = numbered(7);
  load_pool(slots, starts, 100);
  CHECK(numbers(slots.row) == std::vector<int64_t>{0, 1, 2, 3});
  CHECK(numbers(slots.counts) == std::vector<int64_t>{4, 7, 4});
  CHECK(same_bits(slots.running.x, starts.x.narrow(0, 0, 4)));

  end_rows(slots, {1, 3});
  refill(slots, 100);
  CHECK(numbers(slots.row) == std::vector<int64_t>{0, 4, 2, 5});
  CHECK(numbers(slots.counts) == std::vector<int64_t>{6, 7, 4});
  CHECK(slots.pool.x[3][0].item<double>() == 103.0);
  CHECK(same_bits(slots.running.x[3], starts.x[5]));
  CHECK(numbers(slots.running.constant.ids) == std::vector<int64_t>{0, 4, 2, 5});
  CHECK(slots.running.running().all().item<bool>());

  // One waits for three places: the first of them takes it.
  end_rows(slots, {0, 1, 2});
  refill(slots, 100);
  CHECK(numbers(slots.row) == std::vector<int64_t>{6, -1, -1, 5});
  CHECK(numbers(slots.counts) == std::vector<int64_t>{7, 7, 2});
  CHECK(slots.pool.x[4][0].item<double>() == 101.0);
  refill(slots, 100);  // empty slots stay as they are
  CHECK(numbers(slots.counts) == std::vector<int64_t>{7, 7, 2});

  // Attempts are used up.
  slots.running.index[0].fill_(60);
  slots.running.rejected[0].fill_(40);
  refill(slots, 100);
  CHECK(numbers(slots.row) == std::vector<int64_t>{-1, -1, -1, 5});
  CHECK(numbers(slots.pool.status)[6] == static_cast<int64_t>(Status::max_steps));

  // The same pool for fewer rows than there are slots.
  load_pool(slots, numbered(2), 100);
  CHECK(numbers(slots.row) == std::vector<int64_t>{0, 1, -1, -1});
  CHECK(numbers(slots.counts) == std::vector<int64_t>{2, 2, 2});
  CHECK_THROWS_AS(load_pool(slots, numbered(8), 100), UsageError);
}

TEST_CASE("refill: kernels do what the plain version does", "[refill][cuda]") {
  const auto generator = at::detail::createCPUGenerator(3);
  const int64_t slots = GENERATE(1, 5, 33, 1500);
  Slots fast = make_slots(numbered(2000), slots), plain = make_slots(numbered(2000), slots);
  load_pool(fast, numbered(2000), 50);
  load_pool(plain, numbered(2000), 50);
  for (int round = 0; round < 40; ++round) {
    const Tensor ends = (at::rand({slots}, generator) < 0.2).to(device());
    for (Slots* one : {&fast, &plain}) {
      one->running.status.masked_fill_(ends, 0);
      one->running.index.add_(at::where(one->row >= 0, 1, 0));
      one->running.x.add_(one->running.index.unsqueeze(1));
    }
    refill(fast, 50);
    refill_plain(plain, 50);
    CAPTURE(round, slots);
    CHECK(same_bits(fast.row, plain.row));
    CHECK(same_bits(fast.counts, plain.counts));
    CHECK(same_bits(fast.pool, plain.pool));
    const Tensor held = (fast.row >= 0).nonzero().squeeze(1);
    CHECK(same_bits(fast.running.select(held), plain.running.select(held)));
  }
}

TEST_CASE("refill: samples of whole batches, bit for bit", "[refill]") {
  const auto model = three_components(3);
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  struct Case {
    const char* solver;
    double tolerance;
    bool pid;
  };
  for (const auto& [name, tolerance, pid] : {Case{"ralston", 0.05, false}, Case{"dopri5", 0.01, false},
                                             Case{"dpm_adaptive", 0.05, true}, Case{"ipndm:error=last", 0.1, false}}) {
    if (find_solver(Spec::parse(name).name) == nullptr) continue;
    std::unique_ptr<Solver> solver;
    try {
      solver = solver_for(name);
    } catch (const UsageError&) {
      continue;  // no such option
    }
    std::unique_ptr<StepController> controller;
    if (pid) {
      controller = std::make_unique<PidController>(PidOptions{.rtol = 0.05, .atol = tolerance});
    } else {
      controller = std::make_unique<PiController>(PiOptions{.atol = tolerance});
    }
    const Problem problem{*model, flow, noise};
    const auto starts = [&](int64_t n) { return start({*model, *solver, noise, kGrid}, *controller, ids(n)); };
    for (const int64_t most : {10000, 12}) {
      const RunResult wanted = sample(problem, *solver, *controller, starts(29), {.max_steps = most});
      const RunResult fewer = sample(problem, *solver, *controller, starts(5), {.max_steps = most});
      for (const int64_t slots : {1, 4, 16, 40}) {
        for (const bool compact : {true, false}) {
          CAPTURE(name, most, slots, compact);
          RefilledRun run(problem, *solver, *controller, starts(29),
                          {.slots = slots, .max_steps = most, .compact = compact});
          for (const auto& [n, expected] : {std::pair{int64_t{29}, &wanted}, {int64_t{5}, &fewer}}) {
            const RunResult result = run(starts(n));
            CHECK(same_bits(result.ids, expected->ids));
            CHECK(same_bits(result.status, expected->status));
            CHECK(same_bits(result.x, expected->x));
            CHECK(same_bits(result.nfe, expected->nfe));
            CHECK(same_bits(result.steps, expected->steps));
            CHECK(same_bits(result.rejected, expected->rejected));
          }
        }
      }
    }
  }
}

TEST_CASE("refill: refused on fixed grids; a stop ends the run", "[refill]") {
  const auto model = three_components(3);
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const auto solver = make_solver("heun");
  const Problem problem{*model, flow, noise};
  const PiController controller(PiOptions{.atol = 0.05});
  const RunState starts = start({*model, *solver, noise, kGrid}, controller, ids(20));
  CHECK_THROWS_AS(RefilledRun(problem, *solver, FixedGrid(kGrid), starts, {}), UsageError);
  CHECK_THROWS_AS(RefilledRun(problem, *solver, controller, starts, {.slots = 0}), UsageError);
  RefilledRun run(problem, *solver, controller, starts, {.slots = 4});
  int64_t asked = 0, most = 0;
  const RunResult whole = run(starts, [&](int64_t ended) {
    CHECK(ended >= most);
    most = ended;
    ++asked;
    return false;
  });
  CHECK_FALSE(whole.stopped);
  CHECK(most > 10);
  CHECK(asked > 10);
  CHECK(run(starts, [&](int64_t) { return --asked < 5; }).stopped);
  CHECK(same_bits(run(starts).x, whole.x));
}

}  // namespace stride
