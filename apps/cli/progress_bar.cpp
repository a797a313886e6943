#include "apps/cli/progress_bar.h"

#include "apps/cli/streams.h"

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>

namespace stride {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kLine = std::chrono::seconds(30);

std::string duration(double seconds) {
  const auto s = std::llround(seconds);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

}  // namespace

struct ProgressBar::Impl {
  std::string label;
  int64_t total;
  Style style;
  bool colour;
  std::function<bool()> stop;
  int64_t done = 0;
  Clock::time_point start = Clock::now();
  Clock::time_point drawn = start;
  bool visible = false;

  std::string numbers(const std::string& note) const {
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    std::string out = total > 0 ? fmt::format("{}/{}", done, total) : fmt::format("{}", done);
    out += "  " + duration(elapsed);
    if (total > 0 && done > 0 && done < total) {
      const double left = elapsed / static_cast<double>(done) * static_cast<double>(total - done);
      out += ", " + duration(left) + " left";
    }
    return note.empty() ? out : out + "  " + note;
  }

  void bar(const std::string& note) {
    std::string head = label + " ";
    if (total > 0) {
      constexpr int64_t kCells = 24;
      const int64_t filled = std::clamp<int64_t>(done * kCells / total, 0, kCells);
      std::string full;
      for (int64_t i = 0; i < filled; ++i) full += "█";
      std::string rest;
      for (int64_t i = filled; i < kCells; ++i) rest += "░";
      head += (colour ? "\x1b[36m" + full + "\x1b[0m" : full) + rest + " ";
    }
    std::string tail = numbers(note);
    const auto room =
        static_cast<std::size_t>(std::max(terminal_width(STDERR_FILENO, 80) - static_cast<int>(label.size()) - 28, 10));
    if (tail.size() > room) tail.resize(room);
    write_message(fmt::format("\r\x1b[2K{}{}", head, tail));
    visible = true;
  }

  bool update(int64_t now_done, int64_t now_total, const std::string& note) {
    done = now_done;
    if (now_total > 0) total = now_total;
    const auto now = Clock::now();
    if (style == Style::bar && (now - drawn >= kRedraw || !visible)) {
      bar(note);
      drawn = now;
    } else if (style == Style::lines && now - drawn >= kLine) {
      write_message(fmt::format("{} {}\n", label, numbers(note)));
      drawn = now;
    }
    return !(stop && stop());
  }
};

ProgressBar::ProgressBar(std::string label, int64_t total, Style style, bool colour, std::function<bool()> stop)
    : impl_(std::make_unique<Impl>()) {
  impl_->label = std::move(label);
  impl_->total = total;
  impl_->style = style;
  impl_->colour = colour;
  impl_->stop = std::move(stop);
}
ProgressBar::ProgressBar(ProgressBar&&) noexcept = default;
ProgressBar& ProgressBar::operator=(ProgressBar&&) noexcept = default;
ProgressBar::~ProgressBar() {
  if (impl_) close();
}

bool ProgressBar::update(int64_t done, int64_t total, const std::string& note) {
  return impl_->update(done, total, note);
}

bool ProgressBar::step(const std::string& note) { return update(impl_->done + 1, impl_->total, note); }

void ProgressBar::close() {
  if (!impl_->visible) return;
  write_message("\r\x1b[2K");
  impl_->visible = false;
}

ProgressFn ProgressBar::fn() {
  return [impl = impl_.get()](int64_t done, int64_t total, const std::string& note) {
    return impl->update(done, total, note);
  };
}

ProgressBar::Style progress_style(bool quiet) {
  if (quiet) return ProgressBar::Style::silent;
  const char* term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::string(term) == "dumb";
  return isatty(STDERR_FILENO) != 0 && !dumb ? ProgressBar::Style::bar : ProgressBar::Style::lines;
}

bool colour_on_stderr() {
  const char* no = std::getenv("NO_COLOR");
  return isatty(STDERR_FILENO) != 0 && (no == nullptr || *no == '\0');
}

}  // namespace stride
