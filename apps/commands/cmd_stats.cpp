// stride stats: what a set of real images looks like to a feature network, as a file.
#include "apps/cli/command.h"
#include "apps/cli/feature_options.h"
#include "apps/cli/outputs.h"
#include "datasets/metrics/reference_statistics.h"
#include "framework/files/file.h"
#include "framework/stopped.h"
#include "pipeline/sample_source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

// Statistics of what is not finite are not, either.
void require_finite(const SampleSource& source) {
  const Tensor whole = at::isfinite(source.x).flatten(1).all(1);
  if (whole.all().item<bool>()) return;
  throw InputError(fmt::format("{}: sample {} holds a value that is not finite ({} of {} do): take them out",
                               source.name, whole.logical_not().nonzero()[0].item<int64_t>(),
                               whole.logical_not().sum().item<int64_t>(), source.x.size(0)));
}

class StatsCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    if (!options.has("data"))
      throw UsageError("stride stats needs --data: samples.h5, an .npz, an image file or a folder");
    if (!options.has("out")) throw UsageError("stride stats needs --out FILE.npz: where the statistics are written");
    const std::string& out = options.text("out");
    if (!out.ends_with(".npz")) throw UsageError(fmt::format("--out {}: statistics are an .npz file", out));
    const FeatureRequest request = feature_request(context);
    const FeatureChoice network = choose_features(request);
    const SampleSource data = load_samples("--data", options.text("data"));
    const std::vector<int64_t> shape = data.x.sizes().slice(1).vec();
    if (!network.shape.empty() && network.shape != shape)
      throw UsageError(fmt::format("--features {}: a network for images of {}, but --data holds {}", request.features,
                                   fmt::join(network.shape, "×"), fmt::join(shape, "×")));
    require_finite(data);
    if (data.x.size(0) < 2) throw InputError(fmt::format("{}: statistics need at least two images", data.name));
    if (context.dry_run())
      return context.plan(
          {{"images", fmt::format("{} of {} from {}", data.x.size(0), fmt::join(shape, "×"), data.name)},
           {"features", fmt::format("{}, quantisation {}", network.setup.name, request.quantisation)},
           {"file", out}});

    const Tensor features = features_of(context, network, data.x);
    ReferenceStatistics statistics = {FeatureStatistics::of(features),
                                      {},
                                      network.setup.name,
                                      network.setup.sha256,
                                      request.quantisation,
                                      data.name,
                                      data.sha256};
    if (options.flag("keep-features")) statistics.features = features;
    make_folder_of(out);
    write_reference_statistics(out, statistics);
    const int64_t size = features.size(1);
    context.print(fmt::format("statistics of {} images from {}: {} features of {}, quantisation {}\nfile  {}\n",
                              data.x.size(0), data.name, size, network.setup.name, request.quantisation, out));
    if (statistics.statistics.n <= size)
      context.log().warning(
          fmt::format("{} images in {} features: the covariance is singular, and distances to it are biased",
                      data.x.size(0), size));
    return context.done(nlohmann::json{{"file", out},
                                       {"n", statistics.statistics.n},
                                       {"features", size},
                                       {"network", statistics.network},
                                       {"network_sha256", statistics.network_sha256},
                                       {"quantisation", statistics.quantisation},
                                       {"data", statistics.data},
                                       {"data_sha256", statistics.data_sha256}}
                            .dump());
  }

 private:
  static Tensor features_of(Context& context, const FeatureChoice& network, const Tensor& images) {
    ProgressBar bar = context.progress("features");
    return features_in_pieces(network.setup, images, [&] {
      if (!bar.step()) throw Stopped();
    });
  }

  CommandInfo info_{
      .name = "stats",
      .summary = "compute and store reference statistics of images",
      .description =
          "Runs a feature network over images and stores the mean and covariance of their features, with the "
          "network's SHA-256, the quantisation rule and the images' SHA-256, as an .npz that `--ref` takes and that "
          "pytorch-fid and EDM read too.",
      .example =
          "stride stats --data digits --features features-digits --keep-features --out digits-ref.npz\n"
          "then: stride metrics --samples run/samples.h5 --ref digits-ref.npz",
      .options = OptionTable{{.name = "data",
                              .value = "FILE|DIR|NAME",
                              .help = "samples.h5, an .npz with arr_0, an image file or folder; `digits` is embedded",
                              .group = "Images",
                              .key = "stats.data"},
                             {.name = "out",
                              .value = "FILE.npz",
                              .help = "the file to write",
                              .group = "Images",
                              .key = "stats.out",
                              .letter = 'o',
                              .writes = Writes::file},
                             {.name = "keep-features",
                              .kind = ValueKind::flag,
                              .help = "store the features themselves too (float32), for kid and prdc",
                              .group = "Images",
                              .key = "stats.keep_features"}} +
                 feature_options("stats", "features-digits") + device_option()};
};

}  // namespace

std::unique_ptr<Command> make_cmd_stats() { return std::make_unique<StatsCommand>(); }

}  // namespace stride
