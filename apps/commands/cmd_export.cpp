// stride export: a grid as other tools take one.
#include "apps/cli/command.h"
#include "apps/cli/outputs.h"
#include "apps/cli/sampling_options.h"
#include "apps/cli/streams.h"
#include "framework/files/file.h"
#include "pipeline/familiar/grid_export.h"
#include "pipeline/timesteps.h"

#include <nlohmann/json.hpp>

namespace stride {
namespace {

class ExportCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    const auto& words = context.arguments();
    if (words.size() > 1) throw UsageError("stride export takes one grid: NAME[:key=value,...]");
    if (!words.empty() && (words[0].ends_with(".json") || words[0].starts_with("plan:")))
      throw UsageError(words[0] + ": a plan is not exported yet: it is more than its grid");
    if (!words.empty() && options.asked("schedule"))
      throw UsageError("stride export: the grid is " + words[0] + " already: leave --schedule out");
    const ModelSource source = find_model(options.text("model"));
    SamplerSpec spec = sampler_specs(options).at(0);
    if (!words.empty()) spec.schedule = words[0];
    const Sampler sampler = make_sampler(spec, source.card.info, &source.card);
    warn(context, overruled(options, sampler));
    warn(context, sampler.warnings);
    const std::string text = export_grid(options.text("to"), sampler.grid.sigmas(), timesteps_of(sampler, &source.card),
                                         sampler.spec.schedule);
    if (context.dry_run()) return context.plan(describe(sampler));
    if (!options.has("out")) {
      write_result(text);
      return ExitCode::ok;
    }
    const std::string& path = options.text("out");
    make_folder_of(path);
    write_file_atomic(path, text);
    context.print("grid  " + path + "\n");
    return context.done(nlohmann::json{{"out", path}, {"sigmas", sampler.grid.sigmas()}}.dump());
  }

 private:
  CommandInfo info_{
      .name = "export",
      .summary = "write a grid of noise levels for other tools",
      .arguments = "[GRID]",
      .example =
          "stride export karras:rho=7 --steps 8 --to table --out levels.txt\n--schedule custom:levels.txt runs it",
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
