// stride list: what there is, with traits and references.
#include "apps/cli/command.h"
#include "apps/cli/streams.h"
#include "evaluation/listing.h"
#include "evaluation/solver_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>
#include <algorithm>

namespace stride {
namespace {

class ListCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const auto& words = context.arguments();
    if (words.size() > 2)
      throw UsageError(fmt::format("stride list takes one of {}, and a name", fmt::join(list_names(), ", ")));
    if (context.options().flag("markdown")) {
      if (words != std::vector<std::string>{"solvers"})
        throw UsageError("stride list: --markdown is for solvers: stride list solvers --markdown");
      context.print(solver_page());
      return ExitCode::ok;
    }
    const ListLayout layout{static_cast<std::size_t>(std::max(terminal_width(STDOUT_FILENO, 100), 40)),
                            context.options().flag("verbose")};
    if (words.size() == 2) {
      const Listing entry = make_entry(words[0], words[1], layout);
      if (context.json()) write_result(entry.json + "\n");
      context.print(entry.text);
      return ExitCode::ok;
    }
    std::string text, all;
    for (const std::string& name : words.empty() ? list_names() : words) {
      const Listing listing = make_listing(name, layout);
      text += (text.empty() ? "" : "\n") + listing.text;
      all += fmt::format("{}\"{}\":{}", all.empty() ? "" : ",", name, listing.json);
      if (context.json() && !words.empty()) write_result(listing.json + "\n");
    }
    if (context.json() && words.empty()) write_result("{" + all + "}\n");
    context.print(text);
    if (!layout.details) context.print("\n-v adds other names, options and papers; --json prints everything.\n");
    return ExitCode::ok;
  }

 private:
  CommandInfo info_{.name = "list",
                    .summary = "what there is: solvers, schedules, models, policies, noise-schedules",
                    .arguments = "[solvers|schedules|models|policies|noise-schedules [NAME]]",
                    .example =
                        "stride list solvers --json\nprints every solver with its order, costs, options and paper; "
                        "stride list solvers dpmpp_2m all of one",
                    .options = {{.name = "markdown",
                                 .kind = ValueKind::flag,
                                 .help = "solvers as a page with a table per family, docs/solvers.md"}}};
};

}  // namespace

std::unique_ptr<Command> make_cmd_list() { return std::make_unique<ListCommand>(); }

}  // namespace stride
