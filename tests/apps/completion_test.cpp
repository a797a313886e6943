// What shells complete and what man shows come from the option tables, and cannot fall behind them.
#include "apps/cli/completion.h"
#include "apps/commands/commands.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "solvers/registry.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>
#include <sstream>

namespace stride {
namespace {

CommandSet commands() {
  CommandSet set;
  for (const auto& command : make_commands()) set.commands.push_back(command->info());
  set.values = {{"solver", solver_names()}, {"model", {"digits"}}};
  return set;
}

// What bash would offer for the last of `words`.
std::vector<std::string> offered(const testing::TemporaryFolder& folder, const std::vector<std::string>& words) {
  const std::string text =
      fmt::format(". ./stride.bash\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_stride\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
                  fmt::join(words, " "), words.size() - 1);
  const testing::Outcome done = testing::Process({"bash", "--norc", "-c", text}, folder.path()).wait();
  REQUIRE(done.code == 0);
  CHECK(done.err.empty());
  std::vector<std::string> out;
  std::istringstream lines(done.out);
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) out.push_back(line);
  std::sort(out.begin(), out.end());
  return out;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("completion: bash offers commands, options, and the values that an option may have") {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "stride.bash", completion_script("bash", commands()));
  write_file_atomic(folder / "samples.h5", "");
  CHECK(offered(folder, {"stride", "tr"}) == Words{"train-denoiser", "train-predictor"});
  CHECK(offered(folder, {"stride", "sample", "--sigma-m"}) == Words{"--sigma-max", "--sigma-min"});
  CHECK(offered(folder, {"stride", "sample", "--dtype", "b"}) == Words{"bfloat16"});
  CHECK(offered(folder, {"stride", "evaluate", "--final", "''"}) == Words{"both", "sigma_min", "zero"});
  CHECK(offered(folder, {"stride", "schedule", "--final", "''"}) == Words{"sigma_min", "zero"});
  CHECK(offered(folder, {"stride", "fit", "--steps"}).empty());
  CHECK(offered(folder, {"stride", "sample", "--steps", "''"}).empty());
  CHECK(offered(folder, {"stride", "sample", "--start", "sam"}) == Words{"samples.h5"});
  Words solvers;
  for (const std::string& name : solver_names())
    if (name.starts_with("dpmpp")) solvers.push_back(name);
  std::sort(solvers.begin(), solvers.end());
  CHECK(offered(folder, {"stride", "sample", "--solver", "dpmpp"}) == solvers);
}

TEST_CASE("completion: every shell and every manual page has all commands and options") {
  const CommandSet set = commands();
  const std::string bash = completion_script("bash", set), zsh = completion_script("zsh", set),
                    fish = completion_script("fish", set), all = manual_page("", set, "1");
  const std::set<std::string> macros = {".TH", ".SH", ".SS", ".TP", ".nf", ".fi"};
  for (const CommandInfo& info : set.commands) {
    const std::string page = manual_page(info.name, set, "1");
    INFO(info.name);
    CHECK(all.find(info.summary.substr(0, info.summary.find_first_of("-.'\\"))) != std::string::npos);
    for (const Option& option : full_table(info)) {
      INFO(option.name);
      CHECK(bash.find("--" + option.name) != std::string::npos);
      CHECK(zsh.find(fmt::format("--{}[", option.name)) != std::string::npos);
      CHECK(fish.find(fmt::format("from {}' -l {} ", info.name, option.name)) != std::string::npos);
      std::string name;
      for (const char c : option.name) name += c == '-' ? "\\-" : std::string(1, c);
      CHECK(page.find(fmt::format("\\fB\\-\\-{}\\fR", name)) != std::string::npos);
    }
    std::istringstream lines(page);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      if (line.starts_with(".")) CHECK(macros.contains(line.substr(0, 3)));
      CHECK_FALSE(line.starts_with("'"));
    }
  }
  CHECK_THROWS_AS(completion_script("csh", set), UsageError);
  CHECK_THROWS_AS(manual_page("smaple", set, "1"), UsageError);
}

}  // namespace stride
