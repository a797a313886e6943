// What a run does to symbols, written down. Internal to make_program.
#pragma once

#include "framework/program/program.h"

#include <array>
#include <set>
#include <string>
#include <vector>

namespace stride {

struct NotAProgram {
  std::string reason;
};

/// A symbol is a row `[1, kSlots]` of numbers, float64: its coordinates in the values that lie in the slots.
class Recorder final {
 public:
  static constexpr int kSlots = 128;
  using Row = std::array<double, kSlots>;

  Recorder() { busy_[0] = true; }

  /// What lies in a slot.
  [[nodiscard]] static Tensor unit(int slot);
  [[nodiscard]] static bool is_symbol(const Tensor& value);
  /// Throws NotAProgram for what is no symbol any more.
  [[nodiscard]] static std::vector<Program::Term> terms_of(const Tensor& value);

  /// A slot that nothing reads before it is written.
  [[nodiscard]] int allocate();
  /// The slot where a value lies; it is put into one where it lies in none.
  [[nodiscard]] int slot_of(const Tensor& value);
  /// A value becomes the network's input. Where it is a multiple of one that has just been made, that is one operation.
  void input(const Tensor& value);
  void add(Program::Operation operation) { program_.operations.push_back(std::move(operation)); }

  /// x lies in `end.x`, and of the rest only `values` will be read: the other slots are free. The values, in terms of
  /// as few slots as the step's sums let them.
  [[nodiscard]] std::vector<Tensor> end_step(Program::StepEnd end, const std::vector<Tensor>& values);

  /// Forgets all operations; the first `taken` slots hold something.
  void restart(int taken);

  [[nodiscard]] Program& program() { return program_; }

 private:
  /// A method may remember where a step started, which is made of where the step before started, and so on to the
  /// run's start: its values would be sums of everything there ever was. But x is such a sum too, and lies in a slot,
  /// and so does each input of the network. In terms of these, what is remembered is a short sum.
  void shorten(std::vector<Row>& rows, std::size_t x) const;

  Program program_;
  std::size_t step_begin_ = 0;  ///< the step's first operation
  std::set<int> inputs_;        ///< slots of the step's inputs of the network, whether anything reads them or not
  std::array<bool, kSlots> busy_{};
};

}  // namespace stride
