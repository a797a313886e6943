#include "apps/cli/streams.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cstdio>

namespace stride {

void open_standard_streams() {
  for (const int wanted : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free descriptor is the one that is taken. It can be read and not written: a result is not lost unseen.
    if (fcntl(wanted, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != wanted) return;
  }
}

void write_result(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stdout); }

bool results_written() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

void write_message(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

int terminal_width(int descriptor, int otherwise) {
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : otherwise;
}

}  // namespace stride
