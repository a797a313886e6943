#include "apps/cli/streams.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>

namespace stride {
namespace {

// The other end of a pipe or a connection is closed.
bool reader_has_gone(int descriptor) {
  pollfd look{descriptor, POLLOUT, 0};
  return poll(&look, 1, 0) == 1 && (look.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace

void open_standard_streams() {
  signal(SIGPIPE, SIG_IGN);
  for (const int wanted : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free descriptor is the one that is taken. It can be read and not written: a result is not lost unseen.
    if (fcntl(wanted, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != wanted) return;
  }
}

void write_result(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stdout); }

bool results_written() {
  return (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) || reader_has_gone(STDOUT_FILENO);
}

void write_message(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

int terminal_width(int descriptor, int otherwise) {
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : otherwise;
}

}  // namespace stride
