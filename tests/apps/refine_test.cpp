// --start, --strength and --mask, and the guidance options: the words, the samples, and the real executable.
#include "apps/cli/guidance_option.h"
#include "apps/cli/refine_option.h"
#include "datasets/files/hdf5.h"
#include "datasets/files/samples_file.h"
#include "framework/error.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/models/parameterisation.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

using testing::Outcome;

const char* const kCard = R"([model]
kind = "gaussian_mixture"
weights = [0.3, 0.7]
means = [[-1.0, 0.5], [2.0, 0.0]]
std = [0.2, 0.4]
shape = [2]
classes = [0, 1]
)";

GaussianMixture mixture() {
  ModelInfo info;
  info.name = "gm";
  info.shape = {2};
  info.conditions = {{"class", 2, {}}};
  return {info, {{0.3, 0.7}, {{-1.0, 0.5}, {2.0, 0.0}}, {0.2, 0.4}, {0, 1}}};
}

class Place final {
 public:
  Place() { write("gm.toml", kCard); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  void write(const std::string& name, const std::string& dataset, const Tensor& values) const {
    hdf5::ImageWriter image;
    image.dataset(dataset, values.contiguous());
    write(name, image.finish());
  }
  [[nodiscard]] Outcome operator()(std::vector<std::string> words) const {
    const std::vector<std::string> front = {"sample", "--model", "gm.toml", "--dtype", "float64"};
    words.insert(words.begin(), front.begin(), front.end());
    return testing::run_stride(folder_.path(), words);
  }
  // The samples of a run that must end well.
  [[nodiscard]] Samples samples(std::vector<std::string> words, const std::string& outdir) const {
    words.insert(words.end(), {"--outdir", outdir});
    const Outcome got = (*this)(words);
    INFO(got.err);
    REQUIRE(got.code == 0);
    return read_samples(folder_ / (outdir + "/samples.h5"));
  }

 private:
  testing::TemporaryFolder folder_;
};

Tensor rows(std::vector<double> values) { return at::tensor(values, at::kDouble).view({-1, 2}); }

}  // namespace

TEST_CASE("refine: what --guidance and --threshold say") {
  const Guidance all = parse_guidance("3:rescale=0.7,rescale_of=epsilon,interval=0.3-5,apg=0.1,apg_norm=2", 0.5);
  CHECK(all.scale == 3.0);
  CHECK(all.rescale == 0.7);
  REQUIRE(all.rescale_of != nullptr);
  CHECK(all.rescale_of->name() == "epsilon");
  CHECK(all.interval_low == 0.3);
  CHECK(all.interval_high == 5.0);
  REQUIRE(all.projected.has_value());
  CHECK(all.projected->eta == 0.1);
  CHECK(all.projected->norm == 2.0);
  CHECK_FALSE(parse_guidance("2", 0.5).projected.has_value());
  CHECK(parse_guidance("2:rescale=1,rescale_of=denoised", 0.5).rescale_of == nullptr);
  CHECK(parse_threshold("0.9").ratio == 0.9);
  CHECK(parse_threshold("0.9:max=1").most == 1.0);
  for (const auto& [text, says] :
       std::vector<std::pair<std::string, std::string>>{{"two", "`guidance`"},
                                                        {"2:rescale=3", "0 … 1"},
                                                        {"2:rescale=1,rescale_of=epsilom", "did you mean 'epsilon'"},
                                                        {"2:interval=5", "LOW-HIGH"},
                                                        {"2:interval=5-3", "interval"},
                                                        {"2:apg_norm=1", "apg=ETA"},
                                                        {"2:apg=0,apg_momentum=-0.5", "leave it out"},
                                                        {"2:rescal=1", "did you mean 'rescale'"}}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(parse_guidance(text, 0.5), contains(says));
    CHECK_THROWS_AS(parse_guidance(text, 0.5), UsageError);
  }
  for (const char* bad : {"99.5", "0", "x", "0.9:max=0.5", "0.9:most=2"})
    CHECK_THROWS_AS(parse_threshold(bad), UsageError);
}

TEST_CASE("refine: samples from images do not depend on the batch") {
  const GaussianMixture model = mixture();
  SamplerSpec spec;
  spec.solver = "euler_ancestral";
  spec.steps = 8;
  spec.strength = 0.5;
  const Sampler sampler = make_sampler(spec, model.info());
  CHECK(sampler.grid.steps() == 4);
  CHECK(sampler.claimed_nfe() == 4);
  DrawSettings settings;
  settings.seeds = {4, 9, 2, 7, 5};
  settings.start = rows({0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0});
  settings.mask = rows({1, 0, 0, 1, 1, 1, 0, 0, 0.5, 0.5});
  const Draws all = draw(sampler, model, settings);
  CHECK(all.nfe.eq(4).all().item<bool>());
  CHECK(all.x[0][1].item<double>() == Approx(0.2));
  CHECK(all.x[1][0].item<double>() == Approx(0.3));
  CHECK(at::allclose(all.x[3].to(at::kDouble), settings.start[3]));
  for (const int64_t batch : {1, 2}) {
    settings.batch = batch;
    CHECK(at::equal(draw(sampler, model, settings).x, all.x));
  }
  settings.exact = true;
  CHECK(at::equal(draw(sampler, model, settings).x, all.x));
  const Draws some = draw(sampler, model, for_seeds(settings, {7, 9}));
  CHECK(at::equal(some.x[0], all.x[3]));
  CHECK(at::equal(some.x[1], all.x[1]));
  SamplerSpec costly = spec;
  costly.steps.reset();
  costly.nfe = 8;
  CHECK_THROWS_WITH(make_sampler(costly, model.info()), contains("`nfe`"));
}

TEST_CASE("refine: --start and --strength run the end of the grid from the noised image") {
  const Place place;
  place.write("one.h5", "x", rows({0.5, -0.5})[0]);
  const Samples got = place.samples(
      {"--start", "one.h5", "--strength", "0.35", "--steps", "10", "--solver", "euler", "--seeds", "3,8"}, "out");
  CHECK(got.nfe.eq(3).all().item<bool>());
  CHECK(got.sigmas.size(0) == 4);
  // Euler's method, written out.
  const GaussianMixture model = mixture();
  const Tensor ids = at::tensor({3, 8}, at::kLong);
  const Tensor sigmas = got.sigmas;
  const Tensor start = rows({0.5, -0.5});
  const Tensor keys = noise_keys(ids, {start.expand({2, 2}), {}});
  Tensor x = start + sigmas[0] * PhiloxNoise().later_start(keys, {2}, at::kDouble);
  for (int64_t i = 0; i < 3; ++i) {
    const Tensor denoised = model.evaluate(x, sigmas[i].expand({2}), {}).denoised;
    x = x + (sigmas[i + 1] - sigmas[i]) * (x - denoised) / sigmas[i];
  }
  CHECK(at::allclose(got.x, x, 1e-12, 1e-12));

  // The grid that it enters is the end of the whole one, and finished samples are a start.
  const Samples whole = place.samples({"--steps", "10", "--seeds", "3,8"}, "whole");
  CHECK(at::equal(whole.sigmas.slice(0, 7), sigmas));
  const Samples again = place.samples(
      {"--start", "whole/samples.h5", "--strength", "0.1", "--steps", "10", "--seeds", "3,8", "--clip"}, "again");
  CHECK(again.nfe.eq(1).all().item<bool>());
  CHECK(again.x.abs().max().item<double>() <= 1.0);
}

TEST_CASE("refine: --mask keeps a part of each start") {
  const Place place;
  place.write("each.h5", "x", rows({0.5, -0.5, 0.25, 0.75}));
  place.write("mask.h5", "mask", at::tensor({1, 0}, at::kByte).to(at::kFloat));
  const Samples got = place.samples({"--start", "each.h5", "--mask", "mask.h5", "--steps", "6", "--class", "1",
                                     "--guidance", "2:rescale=0.5", "--seeds", "0-1"},
                                    "out");
  CHECK(got.x[0][1].item<double>() == -0.5);
  CHECK(got.x[1][1].item<double>() == 0.75);
  CHECK((got.x.select(1, 0) - 2.0).abs().max().item<double>() < 1.8);  // the class's mean is 2
  CHECK(got.model_evals.eq(got.nfe * 2).all().item<bool>());
  const Samples alone = place.samples({"--start", "each.h5", "--mask", "mask.h5", "--steps", "6", "--class", "1",
                                       "--guidance", "2:rescale=0.5", "--seeds", "0-1", "--batch", "1"},
                                      "alone");
  CHECK(at::equal(alone.x, got.x));
}

TEST_CASE("refine: exit codes") {
  const Place place;
  place.write("one.h5", "x", at::zeros({2}));
  place.write("wide.h5", "x", at::zeros({1, 3}));
  place.write("whole.h5", "x", at::zeros({2}, at::kInt));
  place.write("endless.h5", "x", at::full({2}, std::numeric_limits<float>::infinity()));
  place.write("text.h5", "this is no HDF5 file");
  place.write("big.h5", "mask", at::full({2}, 2.0F));
  place.write("two.h5", "mask", at::zeros({3, 2}));
  struct Row {
    std::vector<std::string> words;
    int code;
    std::string says;
  };
  const std::vector<Row> table = {
      {{"--strength", "0.5"}, 2, "add --start"},
      {{"--mask", "big.h5"}, 2, "add --start"},
      {{"--start", "one.h5", "--strength", "0.01", "--steps", "10"}, 2, "leaves none of 10 steps"},
      {{"--start", "one.h5", "--strength", "1.5"}, 2, "0 … 1"},
      {{"--start", "missing.h5"}, 3, "missing.h5"},
      {{"--start", "text.h5"}, 3, "text.h5"},
      {{"--start", "wide.h5"}, 3, "one for all"},
      {{"--start", "whole.h5"}, 3, "floating-point"},
      {{"--start", "endless.h5"}, 3, "not finite"},
      {{"--start", "one.h5", "--mask", "one.h5"}, 3, "mask"},
      {{"--start", "one.h5", "--mask", "big.h5"}, 3, "0 … 1"},
      {{"--start", "one.h5", "--mask", "two.h5"}, 3, "one row per seed"},
      {{"--clip", "--threshold", "0.9"}, 2, "exclude each other"},
      {{"--class", "1", "--guidance", "2:apg=0,apg_momentum=0.5"}, 2, "apg_momentum"}};
  for (const Row& row : table) {
    INFO(fmt::format("{}", fmt::join(row.words, " ")));
    std::vector<std::string> words = row.words;
    words.insert(words.end(), {"--seeds", "0-1", "--dry-run"});
    const Outcome got = place(words);
    INFO(got.err);
    CHECK(got.code == row.code);
    CHECK(got.err.find(row.says) != std::string::npos);
  }
}

}  // namespace stride
