#include "framework/program/recorder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace stride {
namespace {

using Row = Recorder::Row;

Row row_of(const Tensor& value) {
  Row out{};
  for (const Program::Term& term : Recorder::terms_of(value)) out[static_cast<std::size_t>(term.slot)] = term.weight;
  return out;
}

double largest(const Row& row) {
  double out = 0.0;
  for (const double weight : row) out = std::max(out, std::abs(weight));
  return out;
}

std::ptrdiff_t length(const Row& row) {
  return std::ranges::count_if(row, [](double weight) { return weight != 0.0; });
}

// How much there is to read: slots, the one at `own` among them, and terms.
std::ptrdiff_t burden(const std::vector<Row>& rows, std::size_t own) {
  std::ptrdiff_t out = 0;
  for (const Row& row : rows) out += length(row);
  for (std::size_t i = 0; i < Recorder::kSlots; ++i)
    out += i == own || std::ranges::any_of(rows, [i](const Row& row) { return row[i] != 0.0; }) ? 1 : 0;
  return out;
}

// `row` with `sum`, which lies in the slot `at`, in place of what the slot `out` holds.
Row without(Row row, std::size_t out, const Row& sum, std::size_t at) {
  constexpr double kRounding = 1e-12;
  const double share = row[out] / sum[out];
  for (std::size_t i = 0; i < Recorder::kSlots; ++i) {
    const double own = row[i], taken = share * sum[i];
    row[i] = std::abs(own - taken) <= kRounding * std::abs(own) ? 0.0 : own - taken;
  }
  row[out] = 0.0;
  row[at] += share;
  return row;
}

// The rows without the slot `out`, by means of a sum in which it is; none where that makes a row longer, or what is
// left of a slot has to be found in a sum that is nearly all of something else.
std::optional<std::vector<Row>> rewritten(const std::vector<Row>& rows, std::size_t out, const Row& sum,
                                          std::size_t at) {
  constexpr double kMostLoss = 100.0;
  std::vector<Row> all;
  for (const Row& row : rows) {
    if (row[out] != 0.0 && std::abs(row[out]) * largest(sum) > kMostLoss * std::abs(sum[out]) * largest(row)) return {};
    all.push_back(row[out] == 0.0 ? row : without(row, out, sum, at));
    if (length(all.back()) > length(row)) return {};
  }
  return all;
}

}  // namespace

Tensor Recorder::unit(int slot) {
  Tensor out = at::zeros({1, kSlots}, at::kDouble);
  out[0][slot] = 1.0;
  return out;
}

bool Recorder::is_symbol(const Tensor& value) {
  return value.dim() == 2 && value.size(1) == kSlots && value.scalar_type() == at::kDouble;
}

std::vector<Program::Term> Recorder::terms_of(const Tensor& value) {
  if (!is_symbol(value)) throw NotAProgram{"it reshapes or casts what it works on"};
  const Tensor row = value[0].contiguous();
  const auto* weights = row.const_data_ptr<double>();
  std::vector<Program::Term> out;
  for (int i = 0; i < kSlots; ++i) {
    if (!std::isfinite(weights[i])) throw NotAProgram{"its weights are not finite"};
    if (weights[i] != 0.0) out.push_back({i, weights[i]});
  }
  return out;
}

int Recorder::allocate() {
  const auto free = std::find(busy_.begin(), busy_.end(), false);
  if (free == busy_.end()) throw NotAProgram{"it keeps too many values at once"};
  *free = true;
  const auto slot = static_cast<int>(free - busy_.begin());
  program_.slots = std::max(program_.slots, slot + 1);
  return slot;
}

int Recorder::slot_of(const Tensor& value) {
  std::vector<Program::Term> terms = terms_of(value);
  if (terms.size() == 1 && terms[0].weight == 1.0) return terms[0].slot;
  const int out = allocate();
  program_.operations.emplace_back(Program::Combine{out, std::move(terms), {}});
  return out;
}

void Recorder::input(const Tensor& value) {
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
  // The sum is made anyway, and may serve: it lies in a slot until the step ends.
  const bool room = std::ranges::count(busy_, false) > kSlots / 2;
  const int out = room ? allocate() : -1;
  if (room) inputs_.insert(out);
  program_.operations.emplace_back(Program::Combine{out, std::move(terms), 1.0});
}

std::vector<Tensor> Recorder::end_step(Program::StepEnd end, const std::vector<Tensor>& values) {
  std::vector<Row> rows;
  rows.reserve(values.size());
  for (const Tensor& value : values) rows.push_back(row_of(value));
  shorten(rows, static_cast<std::size_t>(end.x));
  std::array<bool, kSlots> read{};
  read[static_cast<std::size_t>(end.x)] = true;
  std::vector<Tensor> out;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < kSlots; ++i) read[i] = read[i] || row[i] != 0.0;
    out.push_back(at::tensor(std::vector<double>(row.begin(), row.end()), at::kDouble).unsqueeze(0));
  }
  for (std::size_t i = step_begin_; i < program_.operations.size(); ++i) {
    auto* const made = std::get_if<Program::Combine>(&program_.operations[i]);
    if (made == nullptr || !inputs_.contains(made->out) || read[static_cast<std::size_t>(made->out)]) continue;
    busy_[static_cast<std::size_t>(std::exchange(made->out, -1))] = false;
  }
  inputs_.clear();
  for (std::size_t i = 0; i < busy_.size(); ++i)
    if (busy_[i] && !read[i]) end.dead.push_back(static_cast<int>(i));
  busy_ = read;
  add(std::move(end));
  step_begin_ = program_.operations.size();
  return out;
}

void Recorder::shorten(std::vector<Row>& rows, std::size_t x) const {
  for (;;) {
    std::optional<std::vector<Row>> best;
    std::ptrdiff_t least = burden(rows, x);
    for (std::size_t i = step_begin_; i < program_.operations.size(); ++i) {
      const auto* const made = std::get_if<Program::Combine>(&program_.operations[i]);
      if (made == nullptr || made->out < 0 || made->terms.size() < 2) continue;
      Row sum{};
      for (const Program::Term& term : made->terms) sum[static_cast<std::size_t>(term.slot)] = term.weight;
      for (const Program::Term& term : made->terms) {
        auto shorter = rewritten(rows, static_cast<std::size_t>(term.slot), sum, static_cast<std::size_t>(made->out));
        if (!shorter) continue;
        const std::ptrdiff_t read = burden(*shorter, x);
        if (read >= least) continue;
        least = read;
        best = std::move(shorter);
      }
    }
    if (!best) return;
    rows = std::move(*best);
  }
}

void Recorder::restart(int taken) {
  program_.operations.clear();
  step_begin_ = 0;
  inputs_.clear();
  busy_.fill(false);
  std::fill_n(busy_.begin(), std::min(taken, kSlots), true);
}

}  // namespace stride
