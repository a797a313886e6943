#include "framework/run_state.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <algorithm>

namespace stride {
namespace {

void add_state(std::map<std::string, Tensor>& out, const std::string& prefix, const BatchState& state) {
  for (std::size_t i = 0; i < state.size(); ++i) out.emplace(fmt::format("{}.{:03}", prefix, i), state[i]);
}

BatchState read_state(const std::map<std::string, Tensor>& in, const std::string& prefix) {
  std::vector<Tensor> slots;
  for (auto found = in.find(fmt::format("{}.{:03}", prefix, 0)); found != in.end();
       found = in.find(fmt::format("{}.{:03}", prefix, slots.size())))
    slots.push_back(found->second);
  return BatchState(std::move(slots));
}

}  // namespace

const char* to_string(Status status) noexcept {
  switch (status) {
    case Status::running:
      return "running";
    case Status::ok:
      return "ok";
    case Status::max_steps:
      return "max steps";
    case Status::step_underflow:
      return "step underflow";
    case Status::non_finite:
      return "non-finite";
  }
  return "unknown";
}

Tensor RunState::running() const { return status == static_cast<int8_t>(Status::running); }

RunState RunState::select(const Tensor& rows) const {
  const auto pick = [&](const Tensor& t) { return t.index_select(0, rows); };
  return {constant.select(rows), pick(x),   pick(sigma),       pick(index), pick(rejected),
          pick(status),          pick(nfe), pick(model_evals), pick(draws), history.select(rows),
          memory.select(rows),   lockstep,  least_index};
}

RunState RunState::concat(const RunState& a, const RunState& b) {
  const auto join = [](const Tensor& s, const Tensor& t) { return at::cat({s, t}); };
  TORCH_INTERNAL_ASSERT(a.constant.params.has_value() == b.constant.params.has_value(), "params in one state only");
  RunConstant constant{join(a.constant.ids, b.constant.ids),
                       BatchState::concat(a.constant.condition, b.constant.condition),
                       join(a.constant.grid, b.constant.grid),
                       {}};
  if (a.constant.params) constant.params = join(*a.constant.params, *b.constant.params);
  return {std::move(constant),
          join(a.x, b.x),
          join(a.sigma, b.sigma),
          join(a.index, b.index),
          join(a.rejected, b.rejected),
          join(a.status, b.status),
          join(a.nfe, b.nfe),
          join(a.model_evals, b.model_evals),
          join(a.draws, b.draws),
          BatchState::concat(a.history, b.history),
          BatchState::concat(a.memory, b.memory),
          false,
          std::min(a.least_index, b.least_index)};
}

void RunState::copy_from(const RunState& from) const {
  // All at once: the history of `from` may hold this state's own x and sigma.
  const auto changing = [](const RunState& state) {
    std::vector<Tensor> out{state.x,      state.sigma, state.index,       state.rejected,
                            state.status, state.nfe,   state.model_evals, state.draws};
    for (const BatchState* part : {&state.history, &state.memory})
      out.insert(out.end(), part->slots().begin(), part->slots().end());
    return out;
  };
  copy_tensors(changing(*this), changing(from));
}

std::map<std::string, Tensor> RunState::tensors() const {
  std::map<std::string, Tensor> out{{"x", x},
                                    {"sigma", sigma},
                                    {"index", index},
                                    {"rejected", rejected},
                                    {"status", status},
                                    {"nfe", nfe},
                                    {"model_evals", model_evals},
                                    {"draws", draws},
                                    {"ids", constant.ids},
                                    {"grid", constant.grid},
                                    {"lockstep", at::full({1}, lockstep ? 1 : 0, at::kLong)},
                                    {"least_index", at::full({1}, least_index, at::kLong)}};
  if (constant.params) out.emplace("params", *constant.params);
  add_state(out, "condition", constant.condition);
  add_state(out, "history", history);
  add_state(out, "memory", memory);
  return out;
}

RunState RunState::from_tensors(const std::map<std::string, Tensor>& in) {
  const auto get = [&](const char* name) {
    const auto found = in.find(name);
    if (found == in.end())
      throw InputError(fmt::format("saved run state: '{}' is missing; the file is not one, or was cut", name));
    return found->second;
  };
  RunConstant constant{get("ids"), read_state(in, "condition"), get("grid"), {}};
  if (in.contains("params")) constant.params = get("params");
  return {std::move(constant),
          get("x"),
          get("sigma"),
          get("index"),
          get("rejected"),
          get("status"),
          get("nfe"),
          get("model_evals"),
          get("draws"),
          read_state(in, "history"),
          read_state(in, "memory"),
          get("lockstep").item<int64_t>() != 0,
          get("least_index").item<int64_t>()};
}

}  // namespace stride
