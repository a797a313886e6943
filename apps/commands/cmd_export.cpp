// stride export: a plan, a sampler or a grid as other tools take one.
#include "apps/cli/command.h"
#include "apps/cli/outputs.h"
#include "apps/cli/sampling_options.h"
#include "apps/cli/streams.h"
#include "framework/files/file.h"
#include "pipeline/familiar/grid_export.h"
#include "pipeline/familiar/sampler_export.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

class ExportCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    const auto& words = context.arguments();
    if (words.size() > 1) throw UsageError("stride export takes one plan, sampler or grid: NAME[:key=value,...]");
    const std::string word = words.empty() ? std::string() : words[0];
    for (std::string field : said_by(word)) {
      std::replace(field.begin(), field.end(), '_', '-');
      if (options.asked(field))
        throw UsageError(fmt::format("stride export: {} says --{} itself: leave it out", word, field));
    }
    const ModelSource source = find_model(options.text("model"));
    const Exported made = export_named(options.text("to"), word, sampler_specs(options).at(0), source.card);
    if (made.sampler) {
      warn(context, overruled(options, *made.sampler));
      warn(context, made.sampler->warnings);
    }
    if (context.dry_run()) return context.plan(made.settings);
    if (!options.has("out")) {
      write_result(made.text);
      return ExitCode::ok;
    }
    const std::string& path = options.text("out");
    make_folder_of(path);
    write_file_atomic(path, made.text);
    context.print(fmt::format("{}  {}\n", made.what, path));
    return context.done(nlohmann::json{{"out", path}, {"sigmas", made.sigmas}}.dump());
  }

 private:
  CommandInfo info_{
      .name = "export",
      .summary = "write a plan, a sampler or a grid for other tools",
      .description = "PLAN.json and a sampler's name give one Python file that needs nothing of Stride.",
      .arguments = "[PLAN.json|SAMPLER|GRID]",
      .example =
          "stride export plan5.json --to diffusers --out stride_plan5.py\n"
          "from stride_plan5 import StrideScheduler; the file says how to go on",
      .options =
          sampling_options({.policy = false, .condition = false, .starts = false, .trust = false, .solver = "euler"}) +
          OptionTable{{.name = "to",
                       .fallback = "table",
                       .value = "FORM",
                       .help = "table (custom:FILE), numpy, k-diffusion, diffusers or comfyui",
                       .key = "export.to",
                       .choices = grid_forms()},
                      {.name = "out",
                       .value = "FILE",
                       .help = "where to (default: standard output)",
                       .key = "export.out",
                       .writes = Writes::file}}};
};

}  // namespace

std::unique_ptr<Command> make_cmd_export() { return std::make_unique<ExportCommand>(); }

}  // namespace stride
