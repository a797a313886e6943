#include "evaluation/torch_peer.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "pipeline/embedded.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace stride {
namespace {

// Scripts, and weights where they are in no file, written into the folder; the path of the weights.
std::string lay_out(const LoadedModel& model, const std::string& folder) {
  make_folders(folder);
  for (const char* name : {"torch_peer.py", "unet_module.py", "stride_files.py"})
    write_file_atomic(folder + "/" + name, embedded_file(name).value());
  const std::string& weights = model.source.weights;
  const auto bytes = embedded_file(weights);
  if (!bytes) return weights;
  write_file_atomic(folder + "/weights.safetensors", *bytes);
  return folder + "/weights.safetensors";
}

pid_t spawn(const std::vector<std::string>& words, int socket) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, socket, STDOUT_FILENO);
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw UsageError(fmt::format("`python` {}: cannot be started: {}", words[0], std::strerror(failed)));
  return pid;
}

}  // namespace

TorchPeer::TorchPeer(const LoadedModel& model, at::Device device, at::ScalarType dtype,
                     const TorchPeerOptions& options) {
  if (model.info().kind != "unet")
    throw UsageError(fmt::format("against torch: the model '{}' is a {}; what PyTorch runs beside Stride is a unet",
                                 model.info().name, model.info().kind));
  std::vector<std::string> words = {options.python, options.folder + "/torch_peer.py",
                                    "--weights",    lay_out(model, options.folder),
                                    "--shape",      fmt::format("{}", fmt::join(model.info().shape, ",")),
                                    "--dtype",      dtype_name(dtype),
                                    "--device",     device.str()};
  if (options.tf32) words.emplace_back("--tf32");
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw ResourceError(fmt::format("a pair of sockets: {}", std::strerror(errno)));
  socket_ = ends[0];
  try {
    pid_ = spawn(words, ends[1]);
  } catch (...) {
    close(ends[0]);
    close(ends[1]);
    throw;
  }
  close(ends[1]);
  try {
    versions_ = read_line();
  } catch (...) {
    end();
    throw;
  }
}

TorchPeer::~TorchPeer() { end(); }

void TorchPeer::end() noexcept {
  if (socket_ >= 0) close(socket_);  // its input ends
  socket_ = -1;
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string TorchPeer::ask(const std::string& line) {
  const std::string whole = line + "\n";
  for (std::size_t sent = 0; sent < whole.size();) {
    const ssize_t some = send(socket_, whole.data() + sent, whole.size() - sent, MSG_NOSIGNAL);
    if (some < 0 && errno == EINTR) continue;
    if (some < 0) throw ResourceError("the process of torch has ended; its last words are above");
    sent += static_cast<std::size_t>(some);
  }
  return read_line();
}

std::string TorchPeer::read_line() {
  for (;;) {
    if (const std::size_t end = read_.find('\n'); end != std::string::npos) {
      std::string line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4096> bytes{};
    const ssize_t some = recv(socket_, bytes.data(), bytes.size(), 0);
    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) throw ResourceError("the process of torch has ended; its last words are above");
    read_.append(bytes.data(), static_cast<std::size_t>(some));
  }
}

}  // namespace stride
