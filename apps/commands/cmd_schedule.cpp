// stride schedule: print a grid of noise levels.
#include "apps/cli/command.h"
#include "apps/cli/sampling_options.h"
#include "apps/cli/streams.h"
#include "evaluation/text_table.h"
#include "pipeline/timesteps.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

class ScheduleCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    const ModelSource source = find_model(options.text("model"));
    const SamplerSpec spec = sampler_specs(options).at(0);
    const Sampler sampler = make_sampler(spec, source.card.info, &source.card);
    std::vector<std::string> warnings = overruled(options, sampler);
    // The noise schedule is in the timesteps that are printed, whatever the grid.
    std::copy_if(sampler.warnings.begin(), sampler.warnings.end(), std::back_inserter(warnings),
                 [](const std::string& warning) { return warning.find("`noise_schedule`") == std::string::npos; });
    warn(context, warnings);
    if (context.dry_run()) return context.plan(describe(sampler));
    const auto& sigmas = sampler.grid.sigmas();
    const std::vector<double> timesteps = timesteps_of(sampler, &source.card);
    if (context.json()) {
      write_result(nlohmann::json{{"sigmas", sigmas}, {"timesteps", timesteps}}.dump() + "\n");
      return ExitCode::ok;
    }
    constexpr auto kRight = TextTable::Align::right;
    TextTable table({{"i", kRight}, {"sigma", kRight}, {"ln(sigma/next)", kRight}, {"timestep", kRight}});
    for (std::size_t i = 0; i < sigmas.size(); ++i) {
      const bool step = i + 1 < sigmas.size() && sigmas[i + 1] > 0.0;
      table.add({fmt::format("{}", i), fmt::format("{:.6g}", sigmas[i]),
                 step ? fmt::format("{:.4f}", std::log(sigmas[i] / sigmas[i + 1])) : "",
                 fmt::format("{:.2f}", timesteps[i])});
    }
    context.print(table.text());
    return ExitCode::ok;
  }

 private:
  CommandInfo info_{
      .name = "schedule",
      .summary = "print a grid of noise levels",
      .example =
          "stride schedule --schedule karras:rho=7 --steps 8 --json\nprints {\"sigmas\": [...], \"timesteps\": [...]}",
      .options =
          sampling_options({.policy = false, .condition = false, .starts = false, .trust = false, .solver = "euler"})};
};

}  // namespace

std::unique_ptr<Command> make_cmd_schedule() { return std::make_unique<ScheduleCommand>(); }

}  // namespace stride
