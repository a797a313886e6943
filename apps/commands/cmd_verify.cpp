// stride verify: whether a store or a run folder is whole.
#include "apps/cli/command.h"
#include "datasets/files/samples_file.h"
#include "datasets/store/trajectory_store.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"
#include "pipeline/store_path.h"
#include "solvers/plan.h"

#include <fmt/format.h>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

struct Findings {
  std::vector<std::string> checked, problems, notes;
};

// Runs one check; what it throws is a problem.
template <class Check>
void check(Findings& findings, const std::string& what, const Check& work) {
  try {
    work();
    findings.checked.push_back(what);
  } catch (const Error& error) {
    findings.problems.emplace_back(error.what());
  }
}

void verify_trajectories(Findings& findings, const std::string& folder) {
  const StoreReport report = verify_store(folder);
  const auto bytes = static_cast<double>(report.bytes);
  findings.checked.push_back(fmt::format("{}: {} trajectories in {} shards, {:.3g} MB at {:.2f} GB/s", folder,
                                         report.trajectories, report.shards, bytes / 1e6,
                                         bytes / 1e9 / std::max(report.seconds, 1e-9)));
  findings.problems.insert(findings.problems.end(), report.problems.begin(), report.problems.end());
  findings.notes.insert(findings.notes.end(), report.notes.begin(), report.notes.end());
}

void verify_run(Findings& findings, const std::string& folder) {
  if (!file_exists(folder + "/DONE"))
    findings.notes.push_back(folder + ": not finished (no DONE); --resume continues it");
  for (const std::string& name : list_folder(folder)) {
    const std::string path = folder + "/" + name;
    if (name.ends_with(".h5")) {
      check(findings, path, [&] { (void)read_samples(path); });
    } else if (name.ends_with(".json")) {
      check(findings, path, [&] { (void)parse_json_text(read_file(path), path); });
    } else if (is_temporary(name)) {
      findings.notes.push_back(path + ": left by a killed process, harmless");
    }
  }
  const std::string store = folder + "/" + kStoreFolder;
  if (is_trajectory_store(store)) verify_trajectories(findings, store);
}

class VerifyCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    if (context.arguments().size() != 1)
      throw UsageError("stride verify needs one path: a store, a run folder, samples.h5 or a plan");
    const std::string& path = context.arguments()[0];
    if (context.dry_run()) return context.plan({{"reads", path}});
    Findings findings;
    if (!std::filesystem::exists(path)) throw InputError(fmt::format("{}: there is no such file or folder", path));
    if (is_trajectory_store(path)) {
      verify_trajectories(findings, path);
    } else if (file_exists(path + "/config.toml")) {
      verify_run(findings, path);
    } else if (path.ends_with(".h5")) {
      check(findings, path, [&] { (void)read_samples(path); });
    } else if (path.ends_with(".json")) {
      check(findings, path, [&] { (void)Plan::load(path); });
    } else {
      throw InputError(fmt::format("{}: no store, run folder, samples.h5 or plan", path));
    }
    for (const std::string& line : findings.checked) context.print("ok       " + line + "\n");
    for (const std::string& line : findings.notes) context.print("note     " + line + "\n");
    for (const std::string& line : findings.problems) context.print("DAMAGED  " + line + "\n");
    const ExitCode code = findings.problems.empty() ? ExitCode::ok : ExitCode::bad_input;
    if (code != ExitCode::ok) context.log().error(fmt::format("{}: {} problems", path, findings.problems.size()));
    return context.done(nlohmann::json{{"ok", findings.problems.empty()},
                                       {"checked", findings.checked},
                                       {"notes", findings.notes},
                                       {"problems", findings.problems}}
                            .dump(),
                        code);
  }

 private:
  CommandInfo info_{
      .name = "verify",
      .summary = "whether a store, a run folder, samples or a plan is whole",
      .arguments = "PATH",
      .example =
          "stride verify teacher/store\nchecks every shard against its checksum; exit code 3 when one is damaged"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_verify() { return std::make_unique<VerifyCommand>(); }

}  // namespace stride
