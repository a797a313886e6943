#include "framework/program/program.h"

#include "framework/advance.h"
#include "framework/error.h"
#include "framework/program/recorder.h"
#include "framework/program/run_program.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <memory>
#include <utility>

namespace stride {
namespace {

double number(const Tensor& of_one) { return of_one.reshape({-1})[0].item().toDouble(); }
int64_t integer(const Tensor& of_one) { return of_one.reshape({-1})[0].item().toLong(); }

class SymbolicNetwork final : public Network {
 public:
  SymbolicNetwork(Recorder& recorder, bool guided) : recorder_(recorder), guided_(guided) {}
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState&) const override {
    recorder_.input(input.narrow(0, 0, 1));
    const int with = recorder_.allocate(), without = guided_ ? recorder_.allocate() : -1;
    recorder_.add(Program::Forward{number(time), with, without});
    return guided_ ? at::cat({Recorder::unit(with), Recorder::unit(without)}) : Recorder::unit(with);
  }
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override { return condition; }

 private:
  Recorder& recorder_;
  bool guided_;
};

class SymbolicDenoiser final : public Denoiser {
 public:
  SymbolicDenoiser(Recorder& recorder, bool guided) : recorder_(recorder), guided_(guided) {}
  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState&) const override {
    const int at = recorder_.slot_of(x);
    const int with = recorder_.allocate(), without = guided_ ? recorder_.allocate() : -1;
    recorder_.add(Program::Evaluate{number(sigma), at, with, without});
    Evaluation out{Recorder::unit(with), {}, {}};
    if (guided_) out.unconditional = Recorder::unit(without);
    return out;
  }

 private:
  Recorder& recorder_;
  bool guided_;
  ModelInfo info_;
};

class SymbolicNoise final : public NoiseSource {
 public:
  explicit SymbolicNoise(Recorder& recorder) : recorder_(recorder) {}
  [[nodiscard]] Tensor normal(const NoiseDraw& draw, const Tensor& like) const override {
    (void)Recorder::terms_of(like);
    const int out = recorder_.allocate();
    recorder_.add(Program::Draw{number(draw.from), number(draw.to), integer(draw.step), integer(draw.drawn), draw.draw,
                                draw.kind, out});
    return Recorder::unit(out);
  }

 private:
  Recorder& recorder_;
};

RunState start_of(const ProgramSource& source, const Tensor& ids, Tensor x) {
  const int64_t rows = ids.size(0);
  RunConstant constant;
  constant.ids = ids;
  constant.grid = source.grid.unsqueeze(0).expand({rows, -1}).contiguous();
  Times sigma = constant.grid.select(1, 0).contiguous();
  return start_run(source.solver, source.controller, std::move(constant), std::move(x), std::move(sigma));
}

// The solver on symbols, step by step.
class SymbolicRun final {
 public:
  explicit SymbolicRun(const ProgramSource& source)
      : source_(source), guided_(source.guidance.active()), noise_(recorder) {
    const auto steps = source.controller.planned_steps();
    if (!steps || !source.controller.on_grid()) throw NotAProgram{"its steps are not known in advance"};
    left_ = *steps;
    final_zero_ = source.controller.final_zero();
    if (source.network != nullptr) {
      const auto network = std::make_shared<SymbolicNetwork>(recorder, guided_);
      denoiser_ = std::make_unique<NetworkDenoiser>(source.network->over(network));
    } else {
      denoiser_ = std::make_unique<SymbolicDenoiser>(recorder, guided_);
    }
    state = start_of(source, at::zeros({1}, at::TensorOptions().dtype(at::kLong)), Recorder::unit(0));
  }
  SymbolicRun(const SymbolicRun&) = delete;
  SymbolicRun& operator=(const SymbolicRun&) = delete;

  // Makes the next step, whose first evaluation is put into `denoised`; false where there is none.
  bool step() {
    if (left_ == 0 && !final_zero_) return false;
    // Without a network there is nothing for guidance to act on: the operation does it.
    const Problem problem{*denoiser_, source_.term, noise_, source_.network != nullptr ? source_.guidance : Guidance{}};
    StepResult seen;
    if (left_ > 0) {
      --left_;
      state = advance(problem, source_.solver, source_.controller, state, &seen);
    } else {
      final_zero_ = false;
      state = finish(problem, source_.solver, state, &seen);
    }
    changes = std::move(seen.changes);
    denoised = source_.keep_denoised ? recorder.slot_of(seen.denoised) : -1;
    return true;
  }

  [[nodiscard]] Program program() {
    Program program = std::move(recorder.program());
    program.slots = std::max(program.slots, 1);
    program.networks = source_.network != nullptr;
    program.steps = integer(state.index);
    program.nfe = integer(state.nfe);
    program.draws = integer(state.draws);
    program.model_evals = integer(state.model_evals);
    if (guided_ && source_.network == nullptr) program.model_evals *= 2;
    return program;
  }

  Recorder recorder;
  RunState state;
  int denoised = -1;
  std::optional<LastChanges> changes;  // of the last step's iteration

 private:
  const ProgramSource& source_;
  const bool guided_;
  const SymbolicNoise noise_;
  std::unique_ptr<const Denoiser> denoiser_;
  int64_t left_ = 0;
  bool final_zero_ = false;
};

using Flags = std::vector<bool>;

// Which of the first slots a value is made of, but for slot 0.
void mark(const std::vector<Program::Term>& terms, Flags& slots) {
  for (const Program::Term& term : terms)
    if (term.slot > 0 && static_cast<std::size_t>(term.slot) <= slots.size())
      slots[static_cast<std::size_t>(term.slot) - 1] = true;
}

// After each step, which tensors of the history a later one reads. Each step is made from symbols of its own, one for
// each tensor, so that what it reads can be told apart.
std::vector<Flags> read_later(const ProgramSource& source) {
  SymbolicRun run(source);
  const std::size_t n = run.state.history.size();
  struct Reads {
    Flags now;                // read by an operation of the step
    std::vector<Flags> into;  // what each tensor after the step is made of
  };
  std::vector<Reads> steps;
  for (;;) {
    run.recorder.restart(static_cast<int>(n) + 1);
    std::vector<Tensor> own = run.state.history.slots();
    for (std::size_t i = 0; i < n; ++i)
      if (Recorder::is_symbol(own[i])) own[i] = Recorder::unit(static_cast<int>(i) + 1);
    run.state.x = Recorder::unit(0);
    run.state.history = BatchState(std::move(own));
    if (!run.step()) break;
    Reads reads{Flags(n), std::vector<Flags>(n, Flags(n))};
    if (run.state.history.size() != n) throw NotAProgram{"its memory changes its size"};
    for (const Program::Operation& operation : run.recorder.program().operations) {
      if (const auto* const combine = std::get_if<Program::Combine>(&operation)) mark(combine->terms, reads.now);
      if (const auto* const evaluate = std::get_if<Program::Evaluate>(&operation))
        mark({{evaluate->at, 1.0}}, reads.now);
    }
    mark({{run.denoised, 1.0}}, reads.now);
    if (run.changes) {
      mark(Recorder::terms_of(run.changes->last), reads.now);
      if (run.changes->before.defined()) mark(Recorder::terms_of(run.changes->before), reads.now);
    }
    mark(Recorder::terms_of(run.state.x), reads.now);
    for (std::size_t i = 0; i < n; ++i)
      if (const Tensor& value = run.state.history[i]; Recorder::is_symbol(value))
        mark(Recorder::terms_of(value), reads.into[i]);
    steps.push_back(std::move(reads));
  }
  std::vector<Flags> later(steps.size(), Flags(n));
  for (std::size_t step = steps.size(); step-- > 1;) {
    Flags& before = later[step - 1];
    before = steps[step].now;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t from = 0; later[step][i] && from < n; ++from)
        before[from] = before[from] || steps[step].into[i][from];
  }
  return later;
}

Program record(const ProgramSource& source) {
  const std::vector<Flags> later = read_later(source);
  SymbolicRun run(source);
  for (const Flags& kept : later) {
    run.step();
    std::vector<Tensor> history = run.state.history.slots();
    std::vector<Tensor> values;
    for (std::size_t i = 0; i < history.size(); ++i)
      if (kept[i] && Recorder::is_symbol(history[i])) values.push_back(history[i]);
    const int x = run.recorder.slot_of(run.state.x);
    if (run.changes) {
      const LastChanges& changes = *run.changes;
      const int before = changes.before.defined() ? run.recorder.slot_of(changes.before) : -1;
      run.recorder.add(Program::Watch{before, run.recorder.slot_of(changes.last), x});
    }
    values = run.recorder.end_step({x, run.denoised, {}}, values);
    for (std::size_t i = history.size(); i-- > 0;) {
      if (!Recorder::is_symbol(history[i])) continue;
      history[i] = kept[i] ? values.back() : at::zeros_like(history[i]);
      if (kept[i]) values.pop_back();
    }
    run.state.x = Recorder::unit(x);
    run.state.history = BatchState(std::move(history));
  }
  return run.program();
}

// ---- the same run on numbers, both ways

// A network that is no linear map.
class Bent final : public Network {
 public:
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override {
    const Tensor shift = per_sample(time.to(at::kDouble) * 0.1 + condition[0], input);
    return (input * 1.5 + shift).tanh() + input.flip(-1) * 0.3;
  }
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override {
    return BatchState({at::zeros_like(condition[0])});
  }
};

std::string check(const ProgramSource& source, const Program& program) {
  constexpr double kTolerance = 1e-9;
  const auto network = std::make_shared<Bent>();
  ModelInfo info;
  info.shape = {5};
  const NetworkDenoiser denoiser =
      source.network != nullptr ? source.network->over(network)
                                : NetworkDenoiser(info, network, make_parameterisation("edm", 0.5), TimeInput::c_noise);
  const PhiloxNoise noise;
  const Problem problem{denoiser, source.term, noise, source.guidance};
  const Tensor ids = at::arange(3, at::TensorOptions().dtype(at::kLong));
  const BatchState condition({at::full({3}, 0.25, at::kDouble)});
  const Tensor x = noise.initial(ids, {5}, at::kDouble) * source.grid[0];
  RunState state = start_of(source, ids, x);
  state.constant.condition = condition;
  for (int64_t i = 0; i < *source.controller.planned_steps(); ++i)
    state = advance(problem, source.solver, source.controller, state);
  if (source.controller.final_zero()) state = finish(problem, source.solver, state);
  ProgramRun run(program, problem, state.constant, x);
  for (int64_t i = 0; i < run.steps(); ++i) run.step();
  const double size = 1.0 + state.x.abs().max().item<double>();
  const double apart = (run.x() - state.x).abs().max().item<double>();
  if (apart <= kTolerance * size) return {};
  return fmt::format("its steps are not linear in x, the model's word and the noise ({:.2g} apart on a test)",
                     apart / size);
}

}  // namespace

ProgramOrReason make_program(const ProgramSource& source) {
  const at::NoGradGuard no_grad;
  try {
    Program program = record(source);
    if (std::string reason = check(source, program); !reason.empty()) return {{}, std::move(reason)};
    return {std::move(program), {}};
  } catch (const NotAProgram& no) {
    return {{}, no.reason};
  } catch (const c10::Error& error) {
    return {{}, fmt::format("it cannot be followed: {}", error.what_without_backtrace())};
  }
}

}  // namespace stride
