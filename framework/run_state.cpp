#include "framework/run_state.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <algorithm>
#include <string_view>

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

// One function a kind of field, for RunState::each.
struct Save {
  std::map<std::string, Tensor>& out;
  void operator()(const char* name, const Tensor& field) const { out.emplace(name, field); }
  void operator()(const char* name, const std::optional<Tensor>& field) const {
    if (field) out.emplace(name, *field);
  }
  void operator()(const char* name, const BatchState& field) const { add_state(out, name, field); }
};

struct Read {
  const std::map<std::string, Tensor>& in;
  [[nodiscard]] const Tensor& get(const char* name) const {
    const auto found = in.find(name);
    if (found == in.end())
      throw InputError(fmt::format("saved run state: '{}' is missing; the file is not one, or was cut", name));
    return found->second;
  }
  void operator()(const char* name, Tensor& field) const { field = get(name); }
  void operator()(const char* name, std::optional<Tensor>& field) const {
    if (in.contains(name)) field = in.at(name);
  }
  void operator()(const char* name, BatchState& field) const { field = read_state(in, name); }
};

struct Join {
  void operator()(const char* /*name*/, Tensor& to, const Tensor& a, const Tensor& b) const { to = at::cat({a, b}); }
  void operator()(const char* name, std::optional<Tensor>& to, const std::optional<Tensor>& a,
                  const std::optional<Tensor>& b) const {
    to.reset();
    if (a && b) to = at::cat({*a, *b});
    TORCH_INTERNAL_ASSERT(a.has_value() == b.has_value() || std::string_view(name) == "coefficients", name,
                          " in one state only");
  }
  void operator()(const char* /*name*/, BatchState& to, const BatchState& a, const BatchState& b) const {
    to = BatchState::concat(a, b);
  }
};

struct Clone {
  void operator()(const char* /*name*/, Tensor& field) const { field = field.clone(); }
  void operator()(const char* /*name*/, std::optional<Tensor>& field) const {
    if (field) field = field->clone();
  }
  void operator()(const char* /*name*/, BatchState& field) const { field = field.clone(); }
};

struct Gather {
  std::vector<Tensor>& out;
  void operator()(const char* /*name*/, const Tensor& field) const { out.push_back(field); }
  void operator()(const char* /*name*/, const BatchState& field) const {
    out.insert(out.end(), field.slots().begin(), field.slots().end());
  }
};

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
    case Status::not_converged:
      return "not converged";
  }
  return "unknown";
}

Tensor RunState::running() const { return status == static_cast<int8_t>(Status::running); }

Tensor RunState::everywhere(int64_t value) const {
  if (!numbers.defined() || value >= numbers.size(0)) return at::full({batch()}, value, index.options());
  return numbers.narrow(0, value, 1).expand({batch()});
}

RunState RunState::handed_over(BatchState memory_of_solver) const {
  RunState next = *this;
  next.history = std::move(memory_of_solver);
  next.constant.coefficients.reset();
  return next;
}

RunState RunState::clone() const {
  RunState own = *this;
  each(Clone{}, own);
  own.shared = {};
  return own;
}

RunState RunState::select(const Tensor& rows) const {
  RunState selected = *this;
  each([&](const char* /*name*/, auto& to, const auto& from) { to = select_rows(from, rows); }, selected, *this);
  return selected;
}

RunState RunState::concat(const RunState& a, const RunState& b) {
  RunState both = a;
  each(Join{}, both, a, b);
  both.lockstep = false;
  both.least_index = std::min(a.least_index, b.least_index);
  both.shared = {};
  return both;
}

void RunState::copy_from(const RunState& from) const {
  // All at once: the history of `from` may hold this state's own x and sigma.
  std::vector<Tensor> own, others;
  each_changing(Gather{own}, *this);
  each_changing(Gather{others}, from);
  copy_tensors(own, std::move(others));
}

std::map<std::string, Tensor> RunState::tensors() const {
  std::map<std::string, Tensor> out{{"lockstep", at::full({1}, lockstep ? 1 : 0, at::kLong)},
                                    {"least_index", at::full({1}, least_index, at::kLong)}};
  each(Save{out}, *this);
  return out;
}

RunState RunState::from_tensors(const std::map<std::string, Tensor>& in) {
  RunState state;
  const Read read{in};
  each(read, state);
  state.lockstep = read.get("lockstep").item<int64_t>() != 0;
  state.least_index = read.get("least_index").item<int64_t>();
  if (state.lockstep) state.shared.index = state.least_index;
  return state;
}

}  // namespace stride
