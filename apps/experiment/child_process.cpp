#include "apps/experiment/child_process.h"

#include "framework/error.h"
#include "framework/files/file.h"

#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stride {

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

std::vector<std::string> run_words(const std::string& program, const std::string& command, const std::string& config,
                                   const std::string& folder) {
  if (file_exists(folder + "/config.toml")) return {program, command, "--resume", folder};
  return {program, command, "--config", config, "--outdir", folder};
}

pid_t start_process(const std::vector<std::string>& words, const std::string& log_path) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = getpid();
  const pid_t child = log < 0 || nothing < 0 ? -1 : fork();
  if (child == 0) {
    // Its own group: a terminal's Ctrl-C reaches it through this process alone, once.
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || dup2(nothing, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) _exit(127);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  if (log >= 0) close(log);
  if (nothing >= 0) close(nothing);
  if (child < 0) throw ResourceError(fmt::format("{} cannot be started with {} for what it says", words[0], log_path));
  return child;
}

int poll_process(pid_t process) {
  int status = 0;
  if (waitpid(process, &status, WNOHANG) != process) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace stride
