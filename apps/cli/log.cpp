#include "apps/cli/log.h"

#include "apps/cli/run_dir.h"
#include "apps/cli/streams.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/printable.h"

#include <fmt/format.h>
#include <unistd.h>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace stride {
namespace {

std::string json_line(LogLevel level, const std::string& message) {
  const nlohmann::json line = {{"time", utc_now()}, {"level", to_string(level)}, {"message", message}};
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

const char* colour_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "\x1b[2m";
    case LogLevel::info:
      return "";
    case LogLevel::warning:
      return "\x1b[33m";
    case LogLevel::error:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

const char* to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "";
}

struct Logger::Impl {
  LogLevel threshold;
  bool colour;
  std::mutex mutex;
  std::vector<std::string> before_file;
  std::optional<AppendFile> file;

  void append(const std::string& line) {
    try {
      file->append(line);
    } catch (const Error&) {
      // The log is for people: a disk that is too full for a line of it is no reason to lose the run.
    }
  }
};

Logger::Logger(LogLevel threshold, bool colour) : impl_(std::make_unique<Impl>()) {
  impl_->threshold = threshold;
  impl_->colour = colour;
}
Logger::~Logger() = default;
Logger::Logger(Logger&&) noexcept = default;
Logger& Logger::operator=(Logger&&) noexcept = default;

void Logger::write(LogLevel level, const std::string& text) {
  const std::lock_guard lock(impl_->mutex);
  // A line end in a message is followed by a blank: what comes from a file cannot pass for a line of its own.
  std::string message = printable(text, Lines::kept);
  for (std::size_t at = message.find('\n'); at != std::string::npos; at = message.find('\n', at + 1))
    if (message.compare(at, 2, "\n ") != 0) message.insert(at + 1, "  ");
  if (level >= impl_->threshold) {
    const bool labelled = level >= LogLevel::warning;
    const char* colour = impl_->colour ? colour_of(level) : "";
    // A progress bar may stand on this line.
    const char* wipe = isatty(STDERR_FILENO) != 0 ? "\r\x1b[2K" : "";
    write_message(fmt::format("{}{}{}{}{}\n", wipe, colour, labelled ? fmt::format("{}: ", to_string(level)) : "",
                              message, *colour != '\0' ? "\x1b[0m" : ""));
  }
  const std::string line = json_line(level, message);
  if (impl_->file) {
    impl_->append(line);
  } else {
    impl_->before_file.push_back(line);
  }
}

void Logger::open_file(const std::string& path) {
  const std::lock_guard lock(impl_->mutex);
  impl_->file.emplace(path);
  for (const std::string& line : impl_->before_file) impl_->append(line);
  impl_->before_file.clear();
}

}  // namespace stride
