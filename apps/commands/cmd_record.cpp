// stride record: solver trajectories into an HDF5 store.
#include "apps/cli/command.h"
#include "apps/cli/sampling_options.h"
#include "datasets/store/store_share.h"
#include "datasets/store/trajectory_store.h"
#include "datasets/store/trajectory_writer.h"
#include "pipeline/recording.h"
#include "pipeline/status_text.h"
#include "pipeline/store_path.h"
#include "pipeline/trajectory_tap.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

class RecordCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    if (!context.arguments().empty()) return merge(context);
    const OptionValues& options = context.options();
    const Ranks ranks = ranks_of(options);
    const LoadedModel model = model_of(context);
    const Sampler sampler =
        make_sampler(sampler_specs(options).at(0), model.info(), &model.source.card, context.device());
    const DrawSettings settings = draw_settings(context, model.info());
    const auto points = parse_save_at(options.text("save-at"), sampler.grid.steps());
    const TrajectoryConfig config = config_of(context, model.info(), sampler, settings, points);
    if (const std::string reason = config.invalid_reason(); !reason.empty()) throw UsageError(reason);
    WriterOptions writing;
    writing.shard_rows = options.integer("shard-rows");
    if (const std::string reason = writing.invalid_reason(); !reason.empty())
      throw UsageError("--shard-rows: " + reason);
    check_run(context, sampler, model.info(), settings);
    if (context.dry_run()) return context.plan(plan_of(context, model, sampler, config, ranks));

    note_model(context, model);
    RunDir& run = context.run_dir();
    const std::string store = options.text_or("store", run.file(kStoreFolder));
    const bool shared = ranks.count > 1 && options.has("store");
    const std::string part = shared ? store + "/" + rank_folder(ranks.rank) : store;
    writing.run_id = run.path();
    const std::vector<int64_t> share = share_of(settings.seeds, ranks.rank, ranks.count);
    std::optional<StoreShare> claim;
    if (options.has("store")) claim.emplace(store, part, SeedRanges(share), run.path());
    TrajectoryWriter writer(part, config, writing);
    for (const std::string& name : writer.removed())
      context.log().info(fmt::format("removed {}, which an earlier run left", name));
    for (const std::string& name : writer.adopted())
      context.log().info(fmt::format("listed {}, which an earlier run had sealed", name));
    if (context.resumed_from()) (void)TrajectoryStore(store);  // every shard is whole, or an error
    const DrawSettings rest = for_seeds(settings, missing_seeds(share, writer, store));
    if (rest.seeds.size() < share.size()) {
      context.log().info(
          fmt::format("{} of {} trajectories are there already", share.size() - rest.seeds.size(), share.size()));
    }
    const Recording recorded = record(context, run, sampler, model, rest, points, writer);
    if (recorded.draws.stopped) {
      return context.stopped(fmt::format("{} of {} trajectories are in {}", writer.size(), share.size(), part));
    }
    return report(context, run, store, writer, recorded);
  }

 private:
  // --shard, else what launchers of several processes say.
  static Ranks ranks_of(const OptionValues& options) {
    if (options.has("shard")) return parse_ranks(options.text("shard"), "--shard");
    const char *rank = std::getenv("RANK"), *count = std::getenv("WORLD_SIZE");
    if (rank == nullptr || count == nullptr) return {};
    return parse_ranks(fmt::format("{}/{}", rank, count), "RANK/WORLD_SIZE");
  }

  static TrajectoryConfig config_of(const Context& context, const ModelInfo& model, const Sampler& sampler,
                                    const DrawSettings& draw, const std::vector<int64_t>& points) {
    const OptionValues& options = context.options();
    if (!sampler.fixed())
      throw UsageError(fmt::format("--policy {}: trajectories are recorded on fixed grids; use --policy fixed",
                                   sampler.spec.policy));
    std::map<std::string, std::string> settings = store_settings(draw);
    settings.insert({{"term", sampler.spec.term}, {"save_at", "all"}});
    if (static_cast<int64_t>(points.size()) <= sampler.grid.steps()) settings.erase("save_at");
    for (const char* name : {"guidance", "threshold", "init", "noise"}) {
      if (options.has(name)) settings[name] = options.values(name).at(0);
    }
    at::ScalarType dtype = options.text("store-dtype") == "float16" ? at::kHalf : at::kFloat;
    if (options.flag("features-only")) {
      if (options.given("store-dtype"))
        throw UsageError("--store-dtype is of states, and --features-only keeps none: leave one of them out");
      dtype = at::kDouble;
    }
    return trajectory_config(model, sampler, points, dtype, std::move(settings));
  }

  static std::vector<std::pair<std::string, std::string>> plan_of(const Context& context, const LoadedModel& model,
                                                                  const Sampler& sampler,
                                                                  const TrajectoryConfig& config, const Ranks& ranks) {
    const double rows = context.seed_count() > context.seeds().size()
                            ? static_cast<double>(context.seed_count()) / static_cast<double>(ranks.count)
                            : static_cast<double>(share_of(context.seeds(), ranks.rank, ranks.count).size());
    auto lines = describe(sampler);
    lines.insert(lines.begin(),
                 {{"model", fmt::format("{} ({}), {}", model.info().name, model.info().kind, model.source.where)},
                  {"device", context.device().str()},
                  {"trajectories", context.seeds_text()}});
    lines.emplace_back("points", fmt::format("{} a trajectory", config.points()));
    lines.emplace_back("size", fmt::format("{:.3g} MB", static_cast<double>(config.row_bytes()) * rows / 1e6));
    if (config.features) lines.emplace_back("content", "features, no states");
    if (ranks.count > 1)
      lines.emplace_back("rank", fmt::format("{} of {}, {} trajectories", ranks.rank, ranks.count, rows));
    return lines;
  }

  static Recording record(Context& context, RunDir& run, const Sampler& sampler, const LoadedModel& model,
                          const DrawSettings& settings, const std::vector<int64_t>& points, TrajectoryWriter& writer) {
    ProgressBar bar = context.progress("recording", static_cast<int64_t>(settings.seeds.size()));
    // A line of metrics.jsonl says what is durable, after it is.
    const auto acknowledge = [&](const Durable& durable) {
      run.metric(fmt::format(R"({{"durable": {}, "total": {}}})", durable.seeds.size(), durable.total));
    };
    return record_trajectories(sampler, *model.denoiser, settings, points, writer, bar.fn(), acknowledge);
  }

  static ExitCode report(Context& context, const RunDir& run, const std::string& store, const TrajectoryWriter& writer,
                         const Recording& recorded) {
    const Draws& draws = recorded.draws;
    const int64_t bad = draws.status.ne(static_cast<int8_t>(Status::ok)).sum().item<int64_t>();
    const nlohmann::json result = {{"trajectories", writer.size()},
                                   {"store", store},
                                   {"seconds", draws.seconds},
                                   {"seconds_waiting", recorded.seconds_waiting},
                                   {"not_ok", bad}};
    run.write("results.json", result.dump(2) + "\n");
    context.print(
        fmt::format("trajectories  {}\nseconds       {:.3g}, and {:.3g} waiting for the store\nstore         {}\n",
                    writer.size(), draws.seconds, recorded.seconds_waiting, store));
    if (bad == 0) return context.done(result.dump());
    context.log().error(fmt::format("{} trajectories did not end well: {}; /status in the store says which", bad,
                                    status_text(draws.status)));
    return context.done(result.dump(), ExitCode::non_finite);
  }

  // The older form of `stride merge`: into the store of a run folder.
  static ExitCode merge(Context& context) {
    const auto& words = context.arguments();
    if (words[0] != "merge" || words.size() < 3) {
      throw UsageError(fmt::format(
          "stride record {}: takes options only; `stride merge OUT STORE STORE...` joins stores", words[0]));
    }
    std::vector<std::string> inputs;
    for (std::size_t i = 1; i < words.size(); ++i) inputs.push_back(find_store(words[i]));
    if (context.dry_run()) return context.plan({{"merges", fmt::format("{} stores", inputs.size())}});
    RunDir& run = context.run_dir();
    const int64_t count =
        merge_stores(inputs, run.file(kStoreFolder), posix_file_system(), [&] { return context.stop(); });
    context.print(fmt::format("trajectories  {}\nstore         {}\n", count, run.file(kStoreFolder)));
    return context.done(nlohmann::json{{"trajectories", count}, {"store", run.file(kStoreFolder)}}.dump());
  }

  CommandInfo info_{
      .name = "record",
      .summary = "record solver trajectories into an HDF5 store",
      .description =
          "Runs a solver on a fixed grid and keeps x at every point and the denoised image of every step, in the "
          "folder store/ of the run folder. Sealed shards survive a kill at any moment; --resume records what is "
          "missing. Several processes share the work with --shard and one --store; `stride merge` joins stores.",
      .arguments = "[merge STORE...]",
      .example =
          "stride record --solver heun --steps 40 --seeds 0-511 --outdir teacher\n"
          "writes 512 trajectories of 41 points to teacher/store",
      .common = {.compute = true, .seeds = true, .run = true},
      .options =
          sampling_options() +
          OptionTable{{.name = "save-at",
                       .fallback = "all",
                       .value = "all|LIST",
                       .help = "points of the grid to keep, counted from 0, or from -1 at the end, e.g. 0,4,-1",
                       .group = "Output",
                       .key = "output.save_at"},
                      {.name = "features-only",
                       .kind = ValueKind::flag,
                       .help = "no states: only what train-predictor needs of them",
                       .group = "Output",
                       .key = "output.features_only"},
                      {.name = "store",
                       .value = "DIR",
                       .help = "the store's folder (default: store/ of the run folder); ranks share one",
                       .group = "Output",
                       .key = "output.store",
                       .writes = Writes::folder},
                      {.name = "shard",
                       .value = "I/N",
                       .help = "record the I-th of N shares of the seeds, from 0 (default: RANK/WORLD_SIZE where set)",
                       .group = "Output",
                       .key = "output.shard",
                       .may_change = true},
                      {.name = "store-dtype",
                       .fallback = "float32",
                       .value = "TYPE",
                       .help = "of the numbers in the store",
                       .group = "Output",
                       .key = "output.store_dtype",
                       .choices = {"float32", "float16"}},
                      {.name = "shard-rows",
                       .kind = ValueKind::integer,
                       .fallback = "4096",
                       .value = "N",
                       .help = "trajectories a shard; what is lost when the process is killed is less than one shard",
                       .group = "Output",
                       .key = "output.shard_rows",
                       .may_change = true}}};
};

}  // namespace

std::unique_ptr<Command> make_cmd_record() { return std::make_unique<RecordCommand>(); }

}  // namespace stride
