// stride report: run folders as one page.
#include "apps/cli/command.h"
#include "apps/cli/outputs.h"
#include "evaluation/evaluation_summary.h"
#include "evaluation/report/report.h"
#include "framework/files/file.h"
#include "framework/files/printable.h"
#include "framework/stopped.h"
#include "pipeline/run_folder.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>

namespace stride {
namespace {

class ReportCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const std::vector<std::string>& folders = context.arguments();
    if (folders.empty())
      throw UsageError("stride report: name at least one run folder of `stride evaluate` or `stride demo`");
    const std::string path = context.options().text_or("out", folders.front() + "/report.html");
    ReportData data = load_report(folders);
    if (context.options().has("title")) data.title = context.options().text("title");
    const std::string page = report_html(data);
    std::size_t samplers = 0;
    for (const EvaluationResult& result : data.evaluations) samplers += result.samplers.size();
    if (context.dry_run()) {
      return context.plan({{"report", path},
                           {"samplers", fmt::format("{}", samplers)},
                           {"sections", fmt::format("{}", data.evaluations.size())}});
    }
    std::optional<LockFile> claim;
    if (!context.options().has("out")) claim = claim_output(path);
    if (context.stop()) throw Stopped();
    make_folder_of(path);
    write_file_atomic(path, page);
    relist(path);
    for (const EvaluationResult& result : data.evaluations)
      context.print(printable(headline(result), Lines::escaped) + "\n");
    context.print(fmt::format("report  {}\n", path));
    if (context.options().has("figures")) {
      const std::string& folder = context.options().text("figures");
      make_folders(folder);
      for (const auto& [name, bytes] : report_figures(data)) write_file_atomic(folder + "/" + name, bytes);
      context.print(fmt::format("figures {}\n", folder));
    }
    return context.done(nlohmann::json{{"report", path}, {"samplers", samplers}, {"bytes", page.size()}}.dump());
  }

 private:
  CommandInfo info_{.name = "report",
                    .summary = "write one HTML page from run folders",
                    .description =
                        "Builds the page from what `stride evaluate` or `stride demo` left in their run folders, "
                        "without running anything. Runs on the same "
                        "model, seeds and teacher share their plots. The page needs no network and no other file.",
                    .arguments = "RUN...",
                    .example =
                        "stride report runs/20260131T123456Z-evaluate-1a2b3c4d\n"
                        "writes report.html into that folder",
                    .options = {{.name = "out",
                                 .value = "FILE.html",
                                 .help = "where to write it (default: report.html in the first folder)",
                                 .group = "Output",
                                 .letter = 'o',
                                 .writes = Writes::file},
                                {.name = "figures",
                                 .value = "DIR",
                                 .help = "plots in a paper's column width as SVG and PDF, with their data as CSV",
                                 .group = "Output",
                                 .writes = Writes::folder},
                                {.name = "title", .value = "TEXT", .help = "heading of the page", .group = "Output"}}};
};

}  // namespace

std::unique_ptr<Command> make_cmd_report() { return std::make_unique<ReportCommand>(); }

}  // namespace stride
