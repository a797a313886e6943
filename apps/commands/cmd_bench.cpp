// stride bench: what runs cost against the evaluations of their network alone.
#include "apps/cli/command.h"
#include "apps/cli/feature_options.h"
#include "apps/cli/sampling_options.h"
#include "evaluation/speed.h"
#include "evaluation/torch_peer.h"
#include "pipeline/seeds.h"
#include "solvers/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace stride {
namespace {

std::vector<std::string> solvers_of(const OptionValues& options) {
  std::vector<std::string> out;
  for (const std::string& name : options.list("solver")) {
    if (name != "all") {
      out.push_back(name);
      continue;
    }
    // A plan is a file.
    std::ranges::copy_if(solver_names(), std::back_inserter(out), [](const std::string& one) { return one != "plan"; });
  }
  return out;
}

class BenchCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    const LoadedModel model = model_of(context);
    SpeedSettings settings;
    settings.device = context.device();
    settings.dtype = context.dtype();
    settings.batches = parse_seeds(options.text("batches"));
    settings.rounds = options.integer("rounds");
    settings.samples = options.integer("samples");
    for (const std::string& solver : solvers_of(options))
      settings.samplers.push_back(
          speed_spec(model, solver, options.text("schedule"), options.text("policy"), options.integer("nfe")));
    if (const std::string reason = settings.invalid_reason(); !reason.empty()) throw UsageError(reason);
    std::vector<std::string> idle;
    if (options.asked("python") && !options.has("against"))
      idle.emplace_back("`python` has no effect without `against`");
    const char* unused = options.text("policy") == "fixed" ? "samples" : "nfe";
    if (options.asked(unused))
      idle.push_back(fmt::format("`{}` has no effect under `policy` {}", unused, options.text("policy")));
    warn(context, idle);
    if (context.dry_run())
      return context.plan({{"model", model.info().name},
                           {"device", context.device().str()},
                           {"batches", fmt::format("{}", fmt::join(settings.batches, ", "))},
                           {"samplers", fmt::format("{}", settings.samplers.size())},
                           {"rounds", fmt::format("{}", settings.rounds)}});
    note_model(context, model);
    RunDir& run = context.run_dir();
    std::optional<TorchPeer> torch;
    if (options.has("against")) {
      torch.emplace(model, settings.device, settings.dtype,
                    TorchPeerOptions{options.text("python"), run.path() + "/torch", options.flag("tf32")});
      settings.ask = [&](const std::string& request) { return torch->ask(request); };
      context.log().info("beside it: " + torch->versions());
    }
    ProgressBar bar = context.progress("measuring");
    const auto save = [&](const Speed& speed) {
      run.write("results.json",
                nlohmann::ordered_json::parse(speed_json(speed, settings, options.flag("tf32"))).dump(2) + "\n");
      run.write("table.txt", speed_text(speed));
    };
    const Speed speed =
        measure_speed(model, settings, {[&](int64_t done, int64_t all) { return bar.fn()(done, all, ""); }, save});
    bar.close();
    save(speed);
    if (!speed.complete)
      return context.stopped(fmt::format("{} rows are in {}", speed.rows.size(), run.file("results.json")));
    context.print(speed_text(speed));
    context.print(fmt::format("\nresults  {}\n", run.file("results.json")));
    return context.done(speed_json(speed, settings, options.flag("tf32")));
  }

 private:
  CommandInfo info_{
      .name = "bench",
      .summary = "speed and memory of runs against the evaluations of their network alone",
      .description =
          "Runs each solver on a fixed grid and, in turn with it, the network alone as many times: the ratio is what a "
          "sampler costs besides its network. On a GPU both are CUDA graphs, timed by the device's events.",
      .example =
          "stride bench --model cifar10 --dtype bfloat16 --solver dpmpp_2m --solver heun --batches 1,256\n"
          "prints milliseconds, ratio with its range, launches a step and memory; writes results.json",
      .common = {.machine = true, .run = true},
      .options = OptionTable{{.name = "model",
                              .fallback = "digits",
                              .value = "NAME|FILE",
                              .help = "a name of `stride list models`, or a model card",
                              .group = "Bench",
                              .key = "bench.model"},
                             {.name = "solver",
                              .fallback = "all",
                              .value = "NAME",
                              .help = "as for `sample`; all: every solver of the registry",
                              .group = "Bench",
                              .key = "bench.solver",
                              .repeatable = true},
                             {.name = "schedule",
                              .fallback = "karras",
                              .value = "NAME",
                              .help = "of the grid",
                              .group = "Bench",
                              .key = "bench.schedule"},
                             {.name = "policy",
                              .fallback = "fixed",
                              .value = "NAME",
                              .help = "as for `sample`: an adaptive one is timed on --samples of them",
                              .group = "Bench",
                              .key = "bench.policy"},
                             {.name = "samples",
                              .kind = ValueKind::integer,
                              .fallback = "4096",
                              .value = "N",
                              .help = "of adaptive runs, --batches at a time",
                              .group = "Bench",
                              .key = "bench.samples"},
                             {.name = "nfe",
                              .kind = ValueKind::integer,
                              .fallback = "20",
                              .value = "N",
                              .help = "evaluations of a run, at least",
                              .group = "Bench",
                              .key = "bench.nfe"},
                             {.name = "batches",
                              .fallback = "1,16,64,256",
                              .value = "LIST",
                              .help = "samples run together, one table row each",
                              .group = "Bench",
                              .key = "bench.batches"},
                             {.name = "against",
                              .value = "torch",
                              .help = "the same weights in PyTorch, in turn: eager, as a graph, compiled; and the "
                                      "samplers of diffusers and k-diffusion where they are installed",
                              .group = "Bench",
                              .key = "bench.against",
                              .choices = {"torch"}},
                             {.name = "python",
                              .fallback = "python3",
                              .value = "PROGRAM",
                              .help = "with torch in it, for --against",
                              .group = "Bench",
                              .key = "bench.python"},
                             {.name = "rounds",
                              .kind = ValueKind::integer,
                              .fallback = "5",
                              .value = "N",
                              .help = "measurements of each, network and run in turn",
                              .group = "Bench",
                              .key = "bench.rounds"}} +
                 trust_option("bench", "Bench")};
};

}  // namespace

std::unique_ptr<Command> make_cmd_bench() { return std::make_unique<BenchCommand>(); }

}  // namespace stride
