// A step as code in Python sees it.
#pragma once

#include "framework/solver.h"

#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <vector>

namespace stride {

namespace py = pybind11;

/// Refers to the step of the C++ side while that lasts; afterwards every use of it is a UsageError.
class OwnStep final {
 public:
  OwnStep(Step& step, std::vector<HistoryEntry> past, Tensor count)
      : step_(&step), past_(std::move(past)), count_(std::move(count)) {}

  [[nodiscard]] Step& get() const;
  [[nodiscard]] Tensor denoise(const Tensor& x, const std::optional<Tensor>& sigma);
  /// The first answer of `denoise`; undefined before it.
  [[nodiscard]] const Tensor& first() const noexcept { return first_; }
  [[nodiscard]] const std::vector<HistoryEntry>& past() const noexcept { return past_; }
  [[nodiscard]] const Tensor& count() const noexcept { return count_; }
  void end() noexcept { step_ = nullptr; }

 private:
  Step* step_;
  std::vector<HistoryEntry> past_;
  Tensor count_, first_;
};

/// Ends the step's life for Python, whatever happens.
class StepLease final {
 public:
  StepLease(Step& step, std::vector<HistoryEntry> past = {}, Tensor count = {})
      : own_(std::make_shared<OwnStep>(step, std::move(past), std::move(count))) {}
  ~StepLease() { own_->end(); }
  StepLease(const StepLease&) = delete;
  StepLease& operator=(const StepLease&) = delete;
  [[nodiscard]] const std::shared_ptr<OwnStep>& get() const noexcept { return own_; }

 private:
  std::shared_ptr<OwnStep> own_;
};

}  // namespace stride
