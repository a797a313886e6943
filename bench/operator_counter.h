// How many kernels a piece of code starts, counted without a GPU: the ATen operators that compute something.
#pragma once

#include <ATen/record_function.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace stride {

/// Counts the operators that this thread calls while it lives: those that call no other counted one, without views and
/// without reservations of memory. On a GPU each of them is a kernel or a copy, save for a few that need two.
class OperatorCounter final {
 public:
  OperatorCounter()
      : handle_(
            at::addThreadLocalCallback(at::RecordFunctionCallback(&begin, &end).scopes({at::RecordScope::FUNCTION}))),
        before_(active()) {
    active() = this;
  }
  ~OperatorCounter() {
    at::removeCallback(handle_);
    active() = before_;
  }
  OperatorCounter(const OperatorCounter&) = delete;
  OperatorCounter& operator=(const OperatorCounter&) = delete;

  [[nodiscard]] int64_t count() const noexcept { return count_; }

  /// Nothing counts while this lives: the network's own operators.
  class Pause final {
   public:
    Pause() : counter_(active()) { active() = nullptr; }
    ~Pause() { active() = counter_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    OperatorCounter* counter_;
  };

 private:
  struct Before final : at::ObserverContext {
    explicit Before(int64_t counted) : count(counted) {}
    int64_t count;
  };

  static OperatorCounter*& active() {
    static thread_local OperatorCounter* counter = nullptr;
    return counter;
  }
  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& /*call*/) {
    return std::make_unique<Before>(active() == nullptr ? 0 : active()->count_);
  }
  static void end(const at::RecordFunction& call, at::ObserverContext* context) {
    static const std::set<std::string> free{
        "aten::alias",       "aten::as_strided", "aten::chunk",        "aten::clone",         "aten::contiguous",
        "aten::detach",      "aten::empty",      "aten::empty_like",   "aten::empty_strided", "aten::expand",
        "aten::expand_as",   "aten::flatten",    "aten::is_same_size", "aten::lift_fresh",    "aten::narrow",
        "aten::permute",     "aten::reshape",    "aten::resize_",      "aten::resolve_conj",  "aten::resolve_neg",
        "aten::result_type", "aten::select",     "aten::slice",        "aten::split",         "aten::squeeze",
        "aten::t",           "aten::to",         "aten::transpose",    "aten::unbind",        "aten::unsqueeze",
        "aten::view"};
    OperatorCounter* const counter = active();
    if (counter == nullptr || counter->count_ != static_cast<Before*>(context)->count) return;
    if (!free.contains(call.name())) ++counter->count_;
  }

  at::CallbackHandle handle_;
  OperatorCounter* before_;
  int64_t count_ = 0;
};

}  // namespace stride
