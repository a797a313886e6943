// The same network in PyTorch, in a process beside this one.
#pragma once

#include "pipeline/model_card.h"

#include <sys/types.h>

#include <string>

namespace stride {

struct TorchPeerOptions {
  std::string python = "python3";  ///< with torch; diffusers and k-diffusion where it has them
  std::string folder;              ///< where its scripts are written, and weights that are in no file
  bool tf32 = false;
};

/// bench/torch_peer.py, which is part of the program, at work: a line of JSON is asked, one is the answer.
class TorchPeer final {
 public:
  /// Throws UsageError where the model is no `unet` or the program cannot be started, and ResourceError where it ends
  /// without a word: its last ones are on standard error.
  TorchPeer(const LoadedModel& model, at::Device device, at::ScalarType dtype, const TorchPeerOptions& options);
  ~TorchPeer();
  TorchPeer(const TorchPeer&) = delete;
  TorchPeer& operator=(const TorchPeer&) = delete;

  /// What it said when it was ready: versions, as JSON.
  [[nodiscard]] const std::string& versions() const noexcept { return versions_; }
  /// Throws ResourceError where it has ended.
  [[nodiscard]] std::string ask(const std::string& line);

 private:
  void end() noexcept;
  [[nodiscard]] std::string read_line();

  int socket_ = -1;
  pid_t pid_ = -1;
  std::string read_;  // beyond the last line
  std::string versions_;
};

}  // namespace stride
