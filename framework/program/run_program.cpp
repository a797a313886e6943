#include "framework/program/run_program.h"

#include "framework/close_run.h"
#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/program/combine.h"

#include <ATen/ATen.h>

#include <variant>

namespace stride {
namespace {

// What an operation reads that is the same in every run: a value in each row, or several.
std::vector<double> numbers_of(const Program::Forward& forward) { return {forward.time}; }
std::vector<double> numbers_of(const Program::Evaluate& evaluate) { return {evaluate.sigma}; }
std::vector<double> numbers_of(const Program::Draw& draw) {
  return {draw.from, draw.to, static_cast<double>(draw.step), static_cast<double>(draw.drawn)};
}
std::vector<double> numbers_of(const Program::Combine&) { return {}; }
std::vector<double> numbers_of(const Program::Watch&) { return {}; }
std::vector<double> numbers_of(const Program::StepEnd&) { return {}; }

}  // namespace

ProgramRun::ProgramRun(const Program& program, const Problem& problem, RunConstant constant, Tensor x)
    : program_(program), problem_(problem), constant_(std::move(constant)), start_(std::move(x)) {
  const int64_t batch = start_.size(0);
  int64_t rows = batch;
  if (program.networks) {
    network_ = dynamic_cast<const NetworkDenoiser*>(&problem.denoiser);
    if (network_ == nullptr) throw UsageError("a program of networks runs a NetworkDenoiser");
    input_type_ = network_->dtype().value_or(start_.scalar_type());
    if (problem.guidance.active()) rows = 2 * batch;
  }
  std::vector<double> all;
  for (const Program::Operation& operation : program.operations) {
    first_number_.push_back(static_cast<int64_t>(all.size()));
    const auto own = std::visit([](const auto& one) { return numbers_of(one); }, operation);
    all.insert(all.end(), own.begin(), own.end());
  }
  const auto n = static_cast<int64_t>(all.size());
  const auto options = at::TensorOptions().dtype(at::kDouble);
  numbers_ = at::tensor(all, options).to(start_.device()).unsqueeze(1).expand({n, rows}).contiguous();
  counts_ = numbers_.to(at::kLong);
  network_times_ = numbers_.to(state_dtype(input_type_));
  begin();
}

void ProgramRun::begin() {
  next_ = 0;
  x_ = 0;
  slots_.assign(static_cast<std::size_t>(program_.slots), Tensor());
  slot(0) = start_;
  unsolved_ = Tensor();
}

void ProgramRun::step() {
  if (next_ == 0 && program_.networks && problem_.guidance.active())
    both_ = BatchState::concat(constant_.condition, network_->null_condition(constant_.condition));
  for (bool ended = false; !ended; ++next_) {
    const Program::Operation& operation = program_.operations.at(next_);
    std::visit([this](const auto& one) { (*this)(one); }, operation);
    ended = std::holds_alternative<Program::StepEnd>(operation);
  }
}

Times ProgramRun::number(int64_t i) const {
  return numbers_.select(0, first_number_[next_] + i).narrow(0, 0, start_.size(0));
}

void ProgramRun::operator()(const Program::Combine& combine) {
  const at::ScalarType type = start_.scalar_type();
  std::vector<Tensor> values;
  std::vector<double> weights;
  for (const Program::Term& term : combine.terms) {
    values.push_back(slot(term.slot));
    weights.push_back(term.weight);
  }
  if (values.empty()) {
    values.push_back(at::zeros_like(start_));
    weights.push_back(0.0);
  }
  Combined made = stride::combine(values, weights, combine.input_scale, {type, input_type_});
  if (combine.out >= 0) slot(combine.out) = std::move(made.sum);
  if (combine.input_scale) input_ = std::move(made.scaled);
}

void ProgramRun::operator()(const Program::Forward& forward) {
  const int64_t n = start_.size(0);
  const bool guided = forward.unconditional >= 0;
  const Tensor time = network_times_.select(0, first_number_[next_]);
  Tensor output = guided ? network_->network().forward(at::cat({input_, input_}), time, both_)
                         : network_->network().forward(input_, time, constant_.condition);
  // The second half of the channels is what the network says of its variance.
  if (output.dim() > 1 && output.size(1) == 2 * start_.size(1)) output = output.narrow(1, 0, start_.size(1));
  slot(forward.out) = guided ? output.narrow(0, 0, n) : output;
  if (guided) slot(forward.unconditional) = output.narrow(0, n, n);
}

void ProgramRun::operator()(const Program::Evaluate& evaluate) {
  Evaluator evaluator(problem_.denoiser, problem_.guidance, constant_.condition);
  Evaluation said = evaluator(slot(evaluate.at), number(0));
  slot(evaluate.out) = std::move(said.denoised);
  if (evaluate.unconditional >= 0) slot(evaluate.unconditional) = *said.unconditional;
}

void ProgramRun::operator()(const Program::Draw& draw) {
  const auto count = [&](int64_t i) {
    return counts_.select(0, first_number_[next_] + i).narrow(0, 0, start_.size(0));
  };
  slot(draw.out) = problem_.noise.normal(
      {constant_.ids, count(2), count(3), draw.draw, number(0), number(1), draw.kind, constant_.noise_keys}, start_);
}

void ProgramRun::operator()(const Program::Watch& watch) {
  const Tensor now = unsolved({watch.before >= 0 ? slot(watch.before) : Tensor(), slot(watch.last)}, slot(watch.x));
  unsolved_ = unsolved_.defined() ? unsolved_.logical_or(now) : now;
}

void ProgramRun::operator()(const Program::StepEnd& end) {
  x_ = end.x;
  denoised_ = end.denoised >= 0 ? slot(end.denoised) : Tensor();
  for (const int dead : end.dead) slot(dead) = Tensor();
}

RunResult ProgramRun::result() const {
  RunState end;
  end.constant = constant_;
  end.x = x();
  const auto all = [&](int64_t value) { return at::full({start_.size(0)}, value, start_.options().dtype(at::kLong)); };
  end.index = all(program_.steps);
  end.rejected = all(0);
  end.nfe = all(program_.nfe);
  end.model_evals = all(program_.model_evals);
  end.status = all(0).to(at::kChar);
  end.unsolved = unsolved_.defined() ? unsolved_ : all(0).to(at::kBool);
  return close_run(end);
}

}  // namespace stride
