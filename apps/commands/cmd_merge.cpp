// stride merge: several stores as one.
#include "apps/cli/command.h"
#include "datasets/store/trajectory_store.h"
#include "pipeline/store_path.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

class MergeCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const auto& words = context.arguments();
    if (words.size() < 2) throw UsageError("stride merge needs the new store and what goes into it: OUT STORE...");
    std::vector<std::string> inputs;
    for (std::size_t i = 1; i < words.size(); ++i) inputs.push_back(find_store(words[i]));
    if (context.dry_run())
      return context.plan({{"merges", fmt::format("{} stores", inputs.size())}, {"into", words[0]}});
    const int64_t count = merge_stores(inputs, words[0], posix_file_system(), [&] { return context.stop(); });
    context.print(fmt::format("trajectories  {}\nstore         {}\n", count, words[0]));
    return context.done(nlohmann::json{{"trajectories", count}, {"store", words[0]}}.dump());
  }

 private:
  CommandInfo info_{
      .name = "merge",
      .summary = "join trajectory stores of one kind into a new one",
      .description =
          "Model, solver, grid and dtype must agree, classes need not, and no seed may be in two of them. Every shard "
          "is verified and then linked (copied to another file system); the new store appears whole or not at all. "
          "The stores of several ranks that share a folder are one input.",
      .arguments = "OUT STORE...",
      .example =
          "stride merge all monday/store tuesday\nOUT is new; a STORE is a store or the run folder of stride record"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_merge() { return std::make_unique<MergeCommand>(); }

}  // namespace stride
