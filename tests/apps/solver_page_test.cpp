// docs/solvers.md is what the solvers say about themselves.
#include "evaluation/solver_page.h"

#include "solvers/registry.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"

namespace stride {
namespace {

TEST_CASE("solver page: docs/solvers.md is up to date") {
  INFO("run: ./scripts/stride list solvers --markdown > docs/solvers.md");
  // Not compared with ==: the whole page on a terminal helps nobody.
  CHECK((testing::slurp(STRIDE_SOURCE_DIR "/docs/solvers.md") == solver_page()));
}

TEST_CASE("solver page: every solver, its variants and its paper are on it") {
  const std::string page = solver_page();
  for (const std::string& name : solver_names()) {
    const SolverTraits& traits = solver_traits(name);
    CHECK_THAT(page, contains("| `" + name + "` |"));
    CHECK_THAT(page, contains(traits.reference));
    for (const std::string& options : traits.variants) CHECK_THAT(page, contains("`" + name + ":" + options + "`"));
  }
}

}  // namespace
}  // namespace stride
