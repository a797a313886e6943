// Descriptors that are closed or full.
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <fmt/format.h>

namespace stride {
namespace {

using testing::Outcome;
using testing::Place;
using testing::Process;

// `stride words` under a shell's redirections, such as "2>&-".
Outcome redirected(const Place& place, const std::string& how, const std::string& words) {
  return Process({"/bin/sh", "-c", fmt::format("exec {} {} {}", STRIDE_EXECUTABLE, words, how)}, place.folder()).wait();
}

}  // namespace

TEST_CASE("streams: whatever is closed, a run ends in its exit code and no result lands in another file") {
  const Place place;
  for (int closed = 1; closed < 8; ++closed) {
    std::string how;
    for (const int descriptor : {0, 1, 2})
      if ((closed >> descriptor & 1) != 0) how += fmt::format(" {}>&-", descriptor);
    const bool no_results = (closed & 2) != 0;
    INFO(how);
    CHECK(redirected(place, how, "sample --model gm.toml --solver hen").code == 2);
    CHECK(redirected(place, how, "list models").code == (no_results ? 5 : 0));
    const std::string out = fmt::format("out{}", closed);
    const Outcome run = redirected(place, how, "sample --model gm.toml --seeds 0-3 --steps 4 --outdir " + out);
    CHECK(run.code == (no_results ? 5 : 0));
    CHECK(place.has(out + "/samples.h5"));
    for (const char* name : {"/.lock", "/log.ndjson", "/command.txt", "/metrics.jsonl"})
      CHECK(place.text(out + name).find("samples  4") == std::string::npos);
  }
}

TEST_CASE("streams: a full device is no reason to abort") {
  if (!std::filesystem::exists("/dev/full")) return;
  const Place place;
  struct Row {
    std::string how, words;
    int code;
  };
  for (const Row& row :
       {Row{"2>/dev/full", "sample --model gm.toml --solver hen", 2}, Row{"2>/dev/full", "list solvers", 0},
        Row{">/dev/full", "list solvers --json", 5}, Row{">/dev/full 2>/dev/full", "list solvers --json", 5},
        Row{">/dev/full 2>/dev/full", "sample --model gm.toml --seeds 0-3 --steps 4", 5},
        Row{">/dev/full", "sample --help", 5}, Row{">/dev/full", "inspect gm.toml --json", 5},
        Row{">/dev/full", "sample --model gm.toml --dry-run", 5}, Row{">/dev/full", "sample --print-config", 5}}) {
    INFO(row.words << " " << row.how);
    CHECK(redirected(place, row.how, row.words).code == row.code);
  }
}

}  // namespace stride
