// The options of fit, train-predictor and train-denoiser, and of the commands that read, for the test of pairs.
#include "datasets/files/hdf5.h"
#include "framework/files/file.h"
#include "framework/files/safetensors.h"
#include "solvers/plan.h"
#include "tests/apps/option_pairs.h"
#include "tests/pipeline/mixture_card.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <nlohmann/json.hpp>

namespace stride::testing {
namespace {

std::map<std::string, std::string> with(std::map<std::string, std::string> aside,
                                        const std::map<std::string, std::string>& more) {
  aside.insert(more.begin(), more.end());
  return aside;
}

PairSetting one(const std::string& option, const std::string& value) {
  return {option, option, {{"--" + option, value}}};
}

void write_images(const TemporaryFolder& folder, const std::string& name, uint64_t seed) {
  const at::Tensor images = at::rand({12, 1, 8, 8}, at::detail::createCPUGenerator(seed), at::kDouble) * 2.0 - 1.0;
  hdf5::ImageWriter file;
  file.dataset("x", images.to(at::kFloat));
  write_file_atomic(folder / name, file.finish());
}

// Levels, weights and scales, and not what the plan says of its making.
std::string plan_content(const std::string& folder, const std::string&) {
  const auto plan = nlohmann::json::parse(read_file(folder + "/plan.json"));
  return plan.at("sigmas").dump() + plan.at("weights").dump() + plan.at("scale_time").dump();
}

PairCommand fit_pairs(const TemporaryFolder& folder) {
  Plan plan;
  plan.sigmas = {80.0, 3.0, 0.5, 0.002};
  plan.weights = {{1.0}, {1.4, -0.4}, {1.5, -0.5}};
  plan.scale_time = {1.0, 1.0, 1.0};
  plan.made_with.recorded = true;
  write_file_atomic(folder / "first.json", plan.to_json());
  PairCommand out{.name = "fit",
                  .base = {"--model", "@gm.toml", "--seeds", "0-5", "--val-seeds", "100-103", "--dtype", "float64",
                           "--quiet", "--outdir", "{out}"}};
  out.settings = {{"class", "class", {{"--class", "1"}}},
                  {"guidance", "guidance", {{"--class", "1"}, {"--guidance", "2"}}},
                  one("clip", ""),
                  one("threshold", "0.5"),
                  one("nfe", "2"),
                  one("method", "grid"),
                  one("parametrisation", "weights+times"),
                  one("teacher", "euler:steps=5"),
                  one("final", "zero"),
                  one("sigma-min", "0.05"),
                  one("sigma-max", "30"),
                  one("restarts", "1"),
                  one("iterations", "1"),
                  one("weight-prior", "10"),
                  one("scale-prior", "10"),
                  one("huber", "0.01"),
                  one("budget-evals", "2000"),
                  one("init-plan", "@first.json"),
                  one("fit-rows", "2"),
                  one("fit-memory", "1M")};
  out.aside = with(computing_aside(), {{"model", "another model is another result"},
                                       {"seeds", "in the base: other seeds are another fit"},
                                       {"val-seeds", "in the base: what plans are chosen on"},
                                       {"dtype", "in the base: precision"},
                                       {"optimiser", "there is one"},
                                       {"cond", "as class: sample"},
                                       {"trust-model", "whether a network runs at all: foreign tests"},
                                       {"residual", "features are of images: cli tests"},
                                       {"allow-model-mismatch", "made_with tests"},
                                       {"plan-out", "where the plan goes"}});
  out.idle = {{"fit-rows", "memory: results are the same but for roundings"},
              {"fit-memory", "memory: results are the same but for roundings"}};
  out.result = plan_content;
  return out;
}

std::string weights_of(const std::string& file) { return digest(read_safetensors(file)); }

PairCommand predictor_pairs(const TemporaryFolder& folder) {
  const std::string store = folder / "recorded";
  {
    const Quiet quiet(folder / "out.txt", folder / "err.txt");
    const Words words = {"record",  "--model", folder / "gm.toml", "--solver", "heun", "--steps", "12",
                         "--seeds", "0-15",    "--quiet",          "--outdir", store};
    if (run_program(words) != 0) throw std::runtime_error(slurp(folder / "err.txt"));
  }
  PairCommand out{.name = "train-predictor",
                  .base = {"--store", "@recorded", "--training-steps", "3", "--quiet", "--outdir", "{out}"}};
  out.settings = {one("solver", "euler"), one("tolerance", "0.01,0.3"), one("quantile", "0.3"),
                  one("jumps", "3"),      one("learning-rate", "0.1"),  one("seed", "4")};
  out.aside = with(computing_aside(), {{"store", "in the base: what it learns from"},
                                       {"training-steps", "in the base: how long"},
                                       {"head", "there is one"},
                                       {"out", "where the predictor goes"}});
  for (const char* option : {"tf32", "batch", "numerics", "oom"}) out.aside.erase(option);
  out.result = [](const std::string& run, const std::string&) { return weights_of(run + "/predictor.safetensors"); };
  return out;
}

PairCommand denoiser_pairs(const TemporaryFolder&) {
  PairCommand out{.name = "train-denoiser",
                  .base = {"--data", "digits", "--images", "48", "--minibatch", "16", "--channels", "4,8", "--threads",
                           "1", "--out", "{out}/model", "--quiet", "--outdir", "{out}"}};
  const PairSetting features = {"network", "network", {{"--network", "features"}, {"--epochs", "1"}}};
  out.settings = {features,
                  one("learning-rate", "0.1"),
                  one("warmup", "1"),
                  one("ema-half-life", "10"),
                  one("look-every", "1"),
                  one("test-data", "digits"),
                  {"epochs", "epochs", {{"--network", "features"}, {"--epochs", "2"}}},
                  one("shift", "1"),
                  one("smoothing", "0.3"),
                  one("noise", "0.3"),
                  one("weight-decay", "0.3"),
                  one("flip", ""),
                  one("recompute", ""),
                  one("dropout", "0.5"),
                  one("class-dropout", "0.7"),
                  one("log-sigma-mean", "0"),
                  one("log-sigma-std", "0.5"),
                  one("seed", "3"),
                  one("checkpoint-every", "1"),
                  one("embedding", "16"),
                  one("attention", ""),
                  one("unconditional", ""),
                  one("sigma-data", "0.7"),
                  one("sigma-min", "0.1"),
                  one("sigma-max", "5"),
                  one("store-dtype", "float32"),
                  one("name", "other")};
  out.aside = with(computing_aside(), {{"data", "in the base: what it learns from"},
                                       {"images", "in the base: how long"},
                                       {"minibatch", "in the base: how many images per step"},
                                       {"size", "what images become before they are learned: tests/images"},
                                       {"crop", "the same"},
                                       {"colour", "the same"},
                                       {"mirror", "the same"},
                                       {"channels", "in the base: the size of the network"},
                                       {"dtype", "precision"},
                                       {"out", "where the model goes"}});
  out.settings.push_back({"blocks", "blocks", {{"--blocks", "2"}}});
  out.idle = {{"look-every", "pictures of the training"},
              {"recompute", "memory: results are the same but for roundings"},
              {"checkpoint-every", "how much a kill loses"}};
  out.result = [](const std::string& run, const std::string&) {
    const bool judge = file_exists(run + "/model/weights.safetensors");
    std::string card = read_file(run + "/model/card.toml");
    // The card's own command line names every option.
    std::erase_if(card, [](char c) { return c == '\r'; });
    const auto command = card.find("command");
    if (command != std::string::npos) card.erase(command, card.find('\n', command) - command);
    return weights_of(run + "/model/" + (judge ? "weights" : "unet") + ".safetensors") + card;
  };
  return out;
}

PairCommand metrics_pairs(const TemporaryFolder& folder) {
  write_images(folder, "mine.h5", 1);
  write_images(folder, "real.h5", 2);
  PairCommand out{
      .name = "metrics",
      .base = {"--samples", "@mine.h5", "--ref", "@real.h5", "--features", "features-digits", "--json", "--quiet"}};
  out.settings = {one("metric", "fd,swd"),
                  {"pixels", "metric", {{"--metric", "swd"}}},
                  one("blocks", "3"),
                  one("quantise", "uint8")};
  out.aside = with(common_aside(), {{"samples", "in the base: what is measured"},
                                    {"ref", "in the base: what it is compared with"},
                                    {"features", "in the base: the judge"},
                                    {"decoder", "images only: decoder tests"},
                                    {"post", "images only: decoder tests"},
                                    {"device", "speed"},
                                    {"trust-model", "a TorchScript file is run: evaluation tests"}});
  out.result = [](const std::string&, const std::string& printed) { return printed; };
  return out;
}

PairCommand stats_pairs(const TemporaryFolder& folder) {
  write_images(folder, "mine.h5", 1);
  PairCommand out{.name = "stats",
                  .base = {"--data", "@mine.h5", "--features", "features-digits", "--out", "{out}.npz", "--quiet"}};
  out.settings = {one("keep-features", ""), one("quantise", "uint8")};
  out.aside = with(common_aside(), {{"data", "in the base: what is measured"},
                                    {"features", "in the base: the judge"},
                                    {"out", "where statistics go"},
                                    {"device", "speed"},
                                    {"trust-model", "a TorchScript file is run: evaluation tests"}});
  out.result = [](const std::string& folder_of_run, const std::string&) { return sha256_file(folder_of_run + ".npz"); };
  return out;
}

PairCommand compare_pairs(const TemporaryFolder& folder) {
  write_file_atomic(folder / "gm-compare.toml", std::string(kMixtureCard));
  const std::string run = folder / "compared";
  if (!std::filesystem::exists(run)) {
    const Quiet quiet(folder / "out.txt", folder / "err.txt");
    REQUIRE(run_program({"evaluate",  "--model",      folder / "gm-compare.toml",
                         "--solver",  "euler",        "--solver",
                         "ddim",      "--solver",     "dpmpp_2m",
                         "--nfe",     "3,4",          "--seeds",
                         "0-23",      "--blocks",     "4",
                         "--teacher", "heun:steps=6", "--metric",
                         "rmse,psnr", "--quiet",      "--outdir",
                         run}) == 0);
  }
  PairCommand out{.name = "compare", .base = {"@compared", "--resamples", "200", "--json", "--quiet"}};
  out.settings = {one("against", "dpmpp_2m"), one("metric", "psnr"), one("blocks", "3"), one("resampling-seed", "2"),
                  one("training-seeds", "")};
  out.aside = with(common_aside(), {{"resamples", "in the base: how many"},
                                    {"out", "where the table goes"},
                                    {"bibtex", "where BibTeX goes"},
                                    {"methods", "where the paragraph goes"}});
  out.result = [](const std::string&, const std::string& printed) { return printed; };
  return out;
}

// Commands with no pair of options that are about results.
PairCommand without_pairs(const std::string& name, const std::map<std::string, std::string>& more) {
  return {.name = name, .aside = with(common_aside(), more)};
}

}  // namespace

std::vector<PairCommand> fitting_pairs(const TemporaryFolder& folder) {
  return {fit_pairs(folder), predictor_pairs(folder), denoiser_pairs(folder)};
}

std::vector<PairCommand> reading_pairs(const TemporaryFolder& folder) {
  const std::map<std::string, std::string> demo = {{"model", "one option that chooses all"},
                                                   {"class", "goes to sample, record, fit and evaluate as it stands"},
                                                   {"cond", "as class"},
                                                   {"trust-model", "whether a network runs at all: foreign tests"},
                                                   {"guidance", "as class"},
                                                   {"clip", "as class"},
                                                   {"threshold", "as class"},
                                                   {"nfe", "one list, of plans and samplers"},
                                                   {"fit-seeds", "seeds of one stage"},
                                                   {"val-seeds", "seeds of one stage"},
                                                   {"teacher", "of all stages"},
                                                   {"iterations", "of the fit alone"},
                                                   {"seeds", "seeds of one stage"},
                                                   {"dtype", "precision"},
                                                   {"allow-model-mismatch", "the demo makes its own plans"}};
  PairCommand whole = without_pairs("demo", demo);
  whole.aside = with(computing_aside(), demo);
  return {metrics_pairs(folder),
          stats_pairs(folder),
          compare_pairs(folder),
          whole,
          without_pairs("bench", {{"model", "whose network is timed"},
                                  {"solver", "one row each"},
                                  {"schedule", "of all rows"},
                                  {"nfe", "of all rows; what brings its own number keeps it"},
                                  {"batches", "one row each"},
                                  {"policy", "of all rows; a warning says what has no effect beside it"},
                                  {"samples", "of adaptive rows"},
                                  {"rounds", "how often each is measured"},
                                  {"against", "rows of its own"},
                                  {"python", "a warning says where --against is missing: cli"},
                                  {"trust-model", "whether a network runs at all: foreign tests"},
                                  {"device", "one option for all rows"},
                                  {"dtype", "as device"},
                                  {"tf32", "as device"},
                                  {"outdir", "where results go"},
                                  {"resume", "measures again"}}),
          without_pairs("report",
                        {{"out", "where the page goes"}, {"figures", "where figures go"}, {"title", "its heading"}}),
          without_pairs("list", {{"markdown", "another form, of solvers alone; refused beside others"}}),
          without_pairs("merge", {}),
          without_pairs("inspect", {}),
          without_pairs("verify", {}),
          without_pairs("doctor", {}),
          without_pairs("repro", {{"out", "where it runs"}}),
          without_pairs("run", {{"jobs", "how many processes"},
                                {"shard", "which cells it begins"},
                                {"slurm", "prints a script"},
                                {"list", "prints the cells"},
                                {"out", "where results go"}}),
          without_pairs("completion", {})};
}

}  // namespace stride::testing
