#include "framework/program/program.h"

#include "framework/advance.h"
#include "framework/error.h"
#include "framework/program/run_program.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace stride {
namespace {

// A symbol is a row of this many numbers: its coordinates in the values that lie in the slots.
constexpr int kSlots = 128;

struct NotAProgram {
  std::string reason;
};

// What a run does to symbols, written down.
class Recorder final {
 public:
  Recorder() { busy_[0] = true; }

  [[nodiscard]] static Tensor unit(int slot) {
    Tensor out = at::zeros({1, kSlots}, at::kDouble);
    out[0][slot] = 1.0;
    return out;
  }

  // A slot that nothing reads before it is written.
  [[nodiscard]] int allocate() {
    const auto free = std::find(busy_.begin(), busy_.end(), false);
    if (free == busy_.end()) throw NotAProgram{"it keeps too many values at once"};
    *free = true;
    const auto slot = static_cast<int>(free - busy_.begin());
    program_.slots = std::max(program_.slots, slot + 1);
    return slot;
  }

  // The slot where a value lies; it is put into one where it lies in none.
  [[nodiscard]] int slot_of(const Tensor& value) {
    std::vector<Program::Term> terms = terms_of(value);
    if (terms.size() == 1 && terms[0].weight == 1.0) return terms[0].slot;
    const int out = allocate();
    program_.operations.emplace_back(Program::Combine{out, std::move(terms), {}});
    return out;
  }

  // A value becomes the network's input. Where it is a multiple of one that has just been made, that is one operation.
  void input(const Tensor& value) {
    std::vector<Program::Term> terms = terms_of(value);
    for (auto before = program_.operations.rbegin(); terms.size() == 1 && before != program_.operations.rend();
         ++before) {
      if (std::holds_alternative<Program::Forward>(*before)) break;
      auto* const made = std::get_if<Program::Combine>(&*before);
      if (made == nullptr) continue;
      if (made->input_scale) break;
      if (made->out != terms[0].slot) continue;
      made->input_scale = terms[0].weight;
      return;
    }
    program_.operations.emplace_back(Program::Combine{-1, std::move(terms), 1.0});
  }

  void add(Program::Operation operation) { program_.operations.push_back(std::move(operation)); }

  // x lies in `end.x` now, and of the other slots only those that `values` are made of will be read.
  void end_step(Program::StepEnd end, const std::vector<Tensor>& values) {
    std::array<bool, kSlots> read{};
    read[static_cast<std::size_t>(end.x)] = true;
    for (const Tensor& value : values)
      for (const Program::Term& term : terms_of(value)) read[static_cast<std::size_t>(term.slot)] = true;
    for (std::size_t i = 0; i < busy_.size(); ++i)
      if (busy_[i] && !read[i]) end.dead.push_back(static_cast<int>(i));
    busy_ = read;
    add(std::move(end));
  }

  [[nodiscard]] Program& program() { return program_; }

  [[nodiscard]] static std::vector<Program::Term> terms_of(const Tensor& value) {
    if (value.dim() != 2 || value.size(1) != kSlots || value.scalar_type() != at::kDouble)
      throw NotAProgram{"it reshapes or casts what it works on"};
    const Tensor row = value[0].contiguous();
    const auto* weights = row.const_data_ptr<double>();
    std::vector<Program::Term> out;
    for (int i = 0; i < kSlots; ++i) {
      if (!std::isfinite(weights[i])) throw NotAProgram{"its weights are not finite"};
      if (weights[i] != 0.0) out.push_back({i, weights[i]});
    }
    return out;
  }

 private:
  Program program_;
  std::array<bool, kSlots> busy_{};
};

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

std::vector<Tensor> kept_by(const RunState& state) {
  std::vector<Tensor> out;
  for (const Tensor& slot : state.history.slots())
    if (slot.dim() == 2 && slot.size(1) == kSlots && slot.is_floating_point()) out.push_back(slot);
  return out;
}

Program record(const ProgramSource& source) {
  const auto steps = source.controller.planned_steps();
  if (!steps || !source.controller.on_grid()) throw NotAProgram{"its steps are not known in advance"};
  Recorder recorder;
  const bool guided = source.guidance.active();
  std::unique_ptr<const Denoiser> denoiser;
  // Without a network there is nothing for guidance to act on: the operation does it.
  Guidance guidance;
  if (source.network != nullptr) {
    denoiser =
        std::make_unique<NetworkDenoiser>(source.network->over(std::make_shared<SymbolicNetwork>(recorder, guided)));
    guidance = source.guidance;
  } else {
    denoiser = std::make_unique<SymbolicDenoiser>(recorder, guided);
  }
  const SymbolicNoise noise(recorder);
  const Problem problem{*denoiser, source.term, noise, guidance};
  RunState state = start_of(source, at::zeros({1}, at::TensorOptions().dtype(at::kLong)), Recorder::unit(0));
  const auto close_step = [&](const StepResult& seen, bool last) {
    if (seen.unsolved) throw NotAProgram{"it looks at whether its iterations converge"};
    const int denoised = source.keep_denoised ? recorder.slot_of(seen.denoised) : -1;
    const int x = recorder.slot_of(state.x);
    state.x = Recorder::unit(x);
    recorder.end_step({x, denoised, {}}, last ? std::vector<Tensor>() : kept_by(state));
  };
  for (int64_t i = 0; i < *steps; ++i) {
    StepResult seen;
    state = advance(problem, source.solver, source.controller, state, &seen);
    close_step(seen, false);
  }
  if (source.controller.final_zero()) {
    StepResult seen;
    state = finish(problem, source.solver, state, &seen);
    close_step(seen, true);
  }
  Program program = std::move(recorder.program());
  program.slots = std::max(program.slots, 1);
  program.networks = source.network != nullptr;
  program.steps = integer(state.index);
  program.nfe = integer(state.nfe);
  program.draws = integer(state.draws);
  program.model_evals = integer(state.model_evals);
  if (guided && source.network == nullptr) program.model_evals *= 2;
  return program;
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
