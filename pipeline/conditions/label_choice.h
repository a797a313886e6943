// Which label each sample has.
#pragma once

#include "framework/tensor.h"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// None; one label for all; a range that the seeds go through, A + seed mod (B − A + 1); random ones, each a
/// counter-based draw of its seed alone; or a list in the order of the seeds. But for a list, a sample's label follows
/// from its seed, whatever other seeds there are.
class LabelChoice final {
 public:
  LabelChoice() = default;
  template <std::integral Whole>
  LabelChoice(Whole label) : kind_(Kind::one), first_(static_cast<int64_t>(label)), last_(first_) {}
  LabelChoice(std::optional<int64_t> label);
  /// "3", "0-9" or "random". Throws UsageError on anything else.
  LabelChoice(const std::string& text);
  LabelChoice(const char* text) : LabelChoice(std::string(text)) {}
  /// int64 `[N]`, with the hash of the file that they are from.
  [[nodiscard]] static LabelChoice listed(Tensor labels, std::string sha256);

  /// int64 `[N]` as they were recorded, the model's own label for none among them, with what text() says of them.
  [[nodiscard]] static LabelChoice recorded(Tensor labels, std::string text);

  /// Whether there is a label.
  explicit operator bool() const noexcept { return kind_ != Kind::none; }
  /// The one label; none: there is none, or not one for all.
  [[nodiscard]] std::optional<int64_t> one() const noexcept;
  /// "3", "0-9", "random", "list:0123456789ab" (of the list's hash), or what was recorded; empty: none.
  [[nodiscard]] std::string text() const;
  /// Labels of the n seeds from the `first`-th on, of a model with so many classes: int64 `[n]` on the CPU. Throws
  /// UsageError on a label that is none of them, and on a list of another length than `seeds`.
  [[nodiscard]] Tensor of(const std::vector<int64_t>& seeds, int64_t first, int64_t n, int64_t classes) const;

  /// A list's labels; undefined: it is none.
  Tensor list;

 private:
  enum class Kind { none, one, range, random, list };

  Kind kind_ = Kind::none;
  int64_t first_ = 0, last_ = 0;
  std::string sha256_, text_;
};

/// Whether what LabelChoice::text says of one run, or several of them joined by commas, holds every label that `here`,
/// such a text too, can stand for. Two lists are equal or not.
[[nodiscard]] bool covers(const std::string& labels, const std::string& here);

/// A choice by text, or by the file of that name: one integer a line, .npy, or HDF5 with /class (rows by /seed where it
/// has that). Throws UsageError on what is neither, InputError on files that hold something else.
[[nodiscard]] LabelChoice read_labels(const std::string& text, const std::vector<int64_t>& seeds);

}  // namespace stride
