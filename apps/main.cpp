#include "apps/cli/streams.h"
#include "apps/program.h"

int main(int argc, char** argv) {
  stride::open_standard_streams();
  return stride::run_program({argv + 1, argv + argc});
}
