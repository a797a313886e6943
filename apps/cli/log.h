// Messages for people and for log.ndjson.
#pragma once

#include <memory>
#include <string>

namespace stride {

enum class LogLevel { debug, info, warning, error };
[[nodiscard]] const char* to_string(LogLevel level) noexcept;

/// Writes each message to standard error when its level reaches the threshold, and as one JSON line to a
/// file once there is one (there, every level). Format with fmt at the call.
class Logger final {
 public:
  explicit Logger(LogLevel threshold = LogLevel::info, bool colour = false);
  ~Logger();
  Logger(Logger&&) noexcept;
  Logger& operator=(Logger&&) noexcept;

  void debug(const std::string& message) { write(LogLevel::debug, message); }
  void info(const std::string& message) { write(LogLevel::info, message); }
  void warning(const std::string& message) { write(LogLevel::warning, message); }
  void error(const std::string& message) { write(LogLevel::error, message); }
  void write(LogLevel level, const std::string& message);

  /// Appends from now on to `path`, starting with what was said before. Throws ResourceError when the file
  /// cannot be opened.
  void open_file(const std::string& path);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
