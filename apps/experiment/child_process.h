// The command itself as a process of its own.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace stride {

/// The file of the running program.
[[nodiscard]] std::string own_program();

/// The words that run a command of it with the settings in `config`, in `folder`; where that run was begun, they go on
/// with it.
[[nodiscard]] std::vector<std::string> run_words(const std::string& program, const std::string& command,
                                                 const std::string& config, const std::string& folder);

/// Starts it with what it says appended to `log`. It ends with this process, however that ends: SIGTERM lets it save
/// what it has. A terminal's Ctrl-C does not reach it. Throws ResourceError where there can be no process.
[[nodiscard]] pid_t start_process(const std::vector<std::string>& words, const std::string& log);

/// The exit code of a process that has ended, 128 + the signal where one ended it; −1: it runs.
[[nodiscard]] int poll_process(pid_t process);

}  // namespace stride
