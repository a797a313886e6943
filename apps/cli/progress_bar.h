// Progress on standard error: a bar on a terminal, a line every 30 s elsewhere, nothing when quiet.
#pragma once

#include "framework/progress.h"

#include <memory>

namespace stride {

class ProgressBar final {
 public:
  enum class Style { bar, lines, silent };
  /// `stop` is asked at every update; `total` 0 means unknown.
  ProgressBar(std::string label, int64_t total, Style style, bool colour, std::function<bool()> stop);
  ~ProgressBar();
  ProgressBar(ProgressBar&&) noexcept;
  ProgressBar& operator=(ProgressBar&&) noexcept;

  /// Draws when enough time has passed. Returns false when the work should stop.
  bool update(int64_t done, int64_t total, const std::string& note = "");
  /// update(done + 1).
  bool step(const std::string& note = "");
  /// Wipes the bar; the destructor does so too.
  void close();
  /// As a ProgressFn; it must not outlive the bar.
  [[nodiscard]] ProgressFn fn();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The style that fits standard error and --quiet.
[[nodiscard]] ProgressBar::Style progress_style(bool quiet);
/// True if standard error is a terminal and NO_COLOR is not set.
[[nodiscard]] bool colour_on_stderr();

}  // namespace stride
