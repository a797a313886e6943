// stride metrics: samples from anywhere against a reference.
#include "apps/cli/command.h"
#include "apps/cli/feature_options.h"
#include "apps/cli/image_options.h"
#include "datasets/metrics/intervals.h"
#include "evaluation/number_text.h"
#include "evaluation/set_comparison.h"
#include "evaluation/text_table.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no NaN and no infinity: null and "inf" stand for them, as in results.json.
Json number(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return std::isnan(value) ? Json(nullptr) : Json(value);
}

class MetricsCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    for (const char* name : {"samples", "ref"})
      if (!options.has(name))
        throw UsageError(fmt::format("stride metrics needs --{}: samples, or a folder of them", name));
    SetComparison job;
    job.metrics = parse_metrics(options.text("metric"));
    job.network = choose_features(feature_request(context));
    job.samples = load_samples("--samples", options.text("samples"));
    if (const ImageStages pictures = image_stages(context); !pictures.empty()) {
      (void)pictures.out_shape(job.samples.x.sizes().slice(1).vec());
      job.samples.x = pictures(job.samples.x);
    }
    const std::vector<int64_t> shape = job.samples.x.sizes().slice(1).vec();
    if (!job.network.shape.empty() && job.network.shape != shape)
      throw UsageError(fmt::format("--features {}: a network for images of {}, but --samples holds {}",
                                   options.text_or("features", ""), fmt::join(job.network.shape, "×"),
                                   fmt::join(shape, "×")));
    job.bounds = block_bounds(job.samples.x.size(0), std::min(options.integer("blocks"), job.samples.x.size(0)));
    add_reference(job.network.setup, options.text("ref"), shape);
    if (!options.given("metric")) leave_out(context, job);
    job.require_possible(options.text("ref"));
    if (context.dry_run())
      return context.plan(
          {{"samples", fmt::format("{} of {} from {}", job.samples.x.size(0), fmt::join(shape, "×"), job.samples.name)},
           {"reference", job.network.setup.reference_name},
           {"features", fmt::format("{}, quantisation {}", job.network.setup.name, job.network.setup.quantisation)},
           {"metrics", fmt::format("{}", fmt::join(job.metrics, ", "))}});
    return finish(context, job, job.measure(context.device()));
  }

 private:
  // Nobody asked for these metrics by name.
  static void leave_out(Context& context, SetComparison& job) {
    for (const std::string& metric : job.leave_out_what_lacks_features())
      context.log().warning(
          fmt::format("left out {}: it compares single features, and --ref holds their mean and covariance only "
                      "(`stride stats --keep-features` keeps them)",
                      metric));
  }

  static ExitCode finish(Context& context, const SetComparison& job, const std::vector<MetricResult>& results) {
    const FeatureSetup& setup = job.network.setup;
    const int64_t n = job.samples.x.size(0);
    Json metrics = Json::object();
    TextTable table(
        {{"metric"}, {"value", TextTable::Align::right}, {"95 % interval"}, {"n", TextTable::Align::right}});
    bool known = true;
    for (const MetricResult& one : results) {
      Json blocks = Json::array();
      for (const double value : one.blocks) blocks.push_back(number(value));
      metrics[one.name] = {{"value", number(one.all.value)},
                           {"low", number(one.all.low)},
                           {"high", number(one.all.high)},
                           {"blocks", blocks},
                           {"n", n},
                           {"quantisation", one.quantisation},
                           {"features_sha256", one.features_sha256}};
      const bool interval = std::isfinite(one.all.low) && std::isfinite(one.all.high);
      table.add({one.name, number_text(one.all.value, 5),
                 interval ? fmt::format("{} to {}", number_text(one.all.low), number_text(one.all.high)) : "",
                 fmt::format("{}", n)});
      known = known && !std::isnan(one.all.value);
    }
    Json block_rows = Json::array();
    for (std::size_t i = 0; i + 1 < job.bounds.size(); ++i) block_rows.push_back({job.bounds[i], job.bounds[i + 1]});
    const Json out = {
        {"samples", {{"name", job.samples.name}, {"sha256", job.samples.sha256}, {"n", n}}},
        {"reference", {{"name", setup.reference_name}, {"n", setup.reference ? setup.reference->n : 0}}},
        {"features", {{"name", setup.name}, {"sha256", setup.sha256}, {"quantisation", setup.quantisation}}},
        {"block_rows", block_rows},
        {"metrics", metrics}};
    context.print(table.text());
    context.print(fmt::format("\nsamples    {}\nreference  {}\nfeatures   {}, quantisation {}\n", job.samples.name,
                              setup.reference_name, setup.name.empty() ? "none" : setup.name, setup.quantisation));
    if (known) return context.done(out.dump());
    context.log().error("a metric is not a number: some samples are not finite");
    return context.done(out.dump(), ExitCode::non_finite);
  }

  CommandInfo info_{
      .name = "metrics",
      .summary = "metrics of samples from anywhere against a reference",
      .description =
          "Compares two sets of samples or images, or one with stored statistics. rmse, psnr and feature-distance pair "
          "the rows; the others compare the sets. Intervals are over blocks of consecutive rows.",
      .example =
          "stride metrics --samples run/samples.h5 --ref digits --features features-digits --metric fd,kid,prdc\n"
          "how far the samples are from the digits, and what they miss",
      .options =
          OptionTable{{.name = "samples",
                       .value = "FILE|DIR|NAME",
                       .help = "samples.h5, an .npz with arr_0, an image file or folder",
                       .group = "Measuring",
                       .key = "metrics.samples"},
                      {.name = "ref",
                       .value = "FILE|DIR|NAME",
                       .help = "the same, or statistics (.npz with mu and sigma); `digits` and `cifar10` are embedded",
                       .group = "Measuring",
                       .key = "metrics.ref"},
                      {.name = "metric",
                       .fallback = "fd,kid,prdc",
                       .value = "LIST",
                       .help = "of rmse, psnr, feature-distance, fd, fd-inf, kid, prdc and swd",
                       .group = "Measuring",
                       .key = "metrics.metric"},
                      {.name = "blocks",
                       .kind = ValueKind::integer,
                       .fallback = "8",
                       .value = "N",
                       .help = "blocks of rows behind the intervals",
                       .group = "Measuring",
                       .key = "metrics.blocks"}} +
          feature_options("metrics") + image_options("metrics") + device_option()};
};

}  // namespace

std::unique_ptr<Command> make_cmd_metrics() { return std::make_unique<MetricsCommand>(); }

}  // namespace stride
