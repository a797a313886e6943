// What samples are conditioned on: labels a seed, other conditions, guidance.
#include "datasets/files/hdf5.h"
#include "datasets/files/npz.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "pipeline/fit.h"
#include "pipeline/model_card.h"
#include "pipeline/provenance.h"
#include "pipeline/record.h"
#include "pipeline/sample.h"
#include "tests/catch_torch.h"
#include "tests/pipeline/foreign_folder.h"

#include <ATen/ATen.h>

#include <numeric>
#include <set>

namespace stride {
namespace {

using testing::ForeignFolder;
using testing::scripted;

std::vector<int64_t> labels(const LabelChoice& choice, const std::vector<int64_t>& seeds, int64_t classes = 10) {
  const Tensor found = choice.of(seeds, 0, static_cast<int64_t>(seeds.size()), classes);
  return {found.const_data_ptr<int64_t>(), found.const_data_ptr<int64_t>() + found.numel()};
}

// D = 0.1 label + 0.01 sum of the embedding, whatever x.
ForeignFolder labelled(const std::string& conditions) {
  ForeignFolder model;
  model.shape = "[1, 2, 2]";
  model.code(
      scripted("def forward(self, x, t, y, e):\n  return 0.0 * x + (0.1 * y.to(x.dtype) + 0.01 * e.sum(1)).view(-1, 1, "
               "1, 1)\n"));
  model.more = "prediction = \"denoised\"\ntime = \"sigma\"\nconditions = [" + conditions + "]\n";
  model.write();
  return model;
}

constexpr const char* kBoth = "{ name = \"class\", classes = 10, null = 10 }, { name = \"text\", shape = [3] }";

// The last step jumps to D.
std::vector<double> ends(const LoadedModel& model, SampleSettings settings, const Seeds& seeds) {
  settings.steps = 2;
  const Tensor x = sample(model, "euler", settings, seeds).x.select(1, 0).select(1, 0).select(1, 0).to(at::kDouble);
  std::vector<double> out;
  for (int64_t i = 0; i < x.size(0); ++i) out.push_back(x[i].item<double>());
  return out;
}

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return fmt::format("{}: {}", error.kind() == ErrorKind::usage ? "usage" : "input", error.what());
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("labels: one, a range, random ones and a list, by seed", "[conditions]") {
  CHECK_FALSE(LabelChoice());
  CHECK_FALSE(LabelChoice(std::optional<int64_t>()));
  CHECK(LabelChoice(3).one() == 3);
  CHECK(labels("3", {7, 8}) == std::vector<int64_t>{3, 3});
  CHECK(labels("2-4", {0, 1, 2, 3, 100, -1}) == std::vector<int64_t>{2, 3, 4, 2, 3, 4});
  std::vector<int64_t> seeds(2000);
  std::iota(seeds.begin(), seeds.end(), 0);
  const auto random = labels("random", seeds);
  std::vector<int> counts(10);
  for (const int64_t label : random) ++counts.at(static_cast<std::size_t>(label));
  for (const int count : counts) CHECK((count > 140 && count < 260));
  // A seed's label does not depend on the others, nor on where it stands.
  CHECK(labels("random", {1234, 5}) == std::vector<int64_t>{random[1234], random[5]});
  CHECK(labels("0-9", {1234, 5}) == std::vector<int64_t>{4, 5});
  const LabelChoice list = LabelChoice::listed(at::tensor({4, 2}, at::kLong), std::string(64, 'c'));
  CHECK(labels(list, {0, 1}) == std::vector<int64_t>{4, 2});
  CHECK(list.text() == "list:cccccccccccc");
  CHECK_THROWS_AS(labels(list, {0, 1, 2}), UsageError);
  for (const char* wrong : {"", "x", "-1", "3-", "-3", "4-2", "1.5", "0-9-3", "99999999999999999999"})
    CHECK_THROWS_AS(LabelChoice(wrong), UsageError);
  CHECK_THROWS_WITH(labels("10", {0}), contains("0 to 9"));
  CHECK_THROWS_WITH(labels("8-12", {0}), contains("0 to 9"));
  CHECK_THROWS_AS(labels(LabelChoice::listed(at::tensor({10}, at::kLong), ""), {0}), UsageError);
}

TEST_CASE("labels: what several classes cover", "[conditions]") {
  CHECK(covers("0-9", "3"));
  CHECK(covers("0-9", "2-9"));
  CHECK(covers("0-3,4,5-9", "2-9"));
  CHECK(covers("random", "7"));
  CHECK(covers("3,none", "none"));
  CHECK(covers("list:abc", "list:abc"));
  CHECK_FALSE(covers("0-3,5-9", "2-9"));
  CHECK_FALSE(covers("0-9", "random"));
  CHECK_FALSE(covers("0-9", "10"));
  CHECK_FALSE(covers("3", "none"));
}

TEST_CASE("labels: files of them", "[conditions]") {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "labels.txt", "3\n1\n\n 4\n");
  CHECK(labels(read_labels(folder / "labels.txt", {10, 11, 12}), {10, 11, 12}) == std::vector<int64_t>{3, 1, 4});
  CHECK_THROWS_AS(read_labels(folder / "labels.txt", {10, 11}), InputError);
  write_file_atomic(folder / "bad.txt", "3\nfour\n");
  CHECK_THROWS_WITH(read_labels(folder / "bad.txt", {1, 2}), contains("entry 2") || contains("entry 1"));
  CHECK_THROWS_AS(read_labels(folder / "missing.txt", {1}), UsageError);
  hdf5::ImageWriter image;
  image.dataset("class", at::tensor({5, 6, 7}, at::kLong));
  image.dataset("seed", at::tensor({100, 101, 102}, at::kLong));
  write_file_atomic(folder / "labels.h5", image.finish());
  CHECK(labels(read_labels(folder / "labels.h5", {102, 100}), {102, 100}) == std::vector<int64_t>{7, 5});
}

TEST_CASE("conditions: a label and an embedding a seed reach the network, whatever the batch", "[conditions]") {
  const ForeignFolder folder = labelled(kBoth);
  const LoadedModel model = load_model(folder.card(), at::kCPU, at::kFloat, true);
  const Tensor text = at::arange(12, at::kFloat).view({4, 3});
  SampleSettings settings;
  settings.label = "0-9";
  settings.conditions = {{"text", text}};
  const auto wanted = [](int64_t label, int64_t row) {
    return 0.1 * static_cast<double>(label) + 0.01 * (9.0 * static_cast<double>(row) + 3.0);
  };
  for (const int64_t batch : {1, 3, 64}) {
    settings.batch = batch;
    const auto got = ends(model, settings, "12-15");
    for (int64_t i = 0; i < 4; ++i) CHECK(got[static_cast<std::size_t>(i)] == Approx(wanted(2 + i, i)));
  }
  settings.exact = true;
  CHECK(ends(model, settings, "12-15")[3] == Approx(wanted(5, 3)));
  // One for all seeds; no label: the card's null.
  settings.conditions = {{"text", text[1]}};
  settings.label = {};
  CHECK(ends(model, settings, "12-13")[1] == Approx(wanted(10, 1)));
  // Rows go along with their seeds.
  DrawSettings draw =
      draw_settings(model, {.label = LabelChoice::listed(at::arange(4), ""), .conditions = {{"text", text}}}, "0-3");
  const DrawSettings some = for_seeds(draw, {3, 1});
  CHECK(make_condition(model.info(), some, 0, 2)[0].equal(at::tensor({3, 1}, at::kLong)));
  CHECK(make_condition(model.info(), some, 1, 1)[1].equal(text.narrow(0, 1, 1)));
  CHECK(make_condition(model.info(), slice_of(draw, 2, 2), 0, 1)[1].equal(text.narrow(0, 2, 1)));
}

TEST_CASE("conditions: guidance by one pass of two batches, towards what was given from what stands for none",
          "[conditions]") {
  const ForeignFolder folder = labelled(kBoth);
  const LoadedModel model = load_model(folder.card(), at::kCPU, at::kFloat, true);
  SampleSettings settings;
  settings.label = 4;
  settings.guidance = "2";
  settings.conditions = {{"text", at::ones({3})}, {"negative.text", at::full({3}, -1.0F)}};
  // D_u + 2 (D_c − D_u): 0.4 + 0.03 and 1.0 − 0.03.
  CHECK(ends(model, settings, "0-1")[0] == Approx(0.97 + 2 * (0.43 - 0.97)));
  settings.conditions.erase("negative.text");
  CHECK_THAT(refusal([&] { (void)ends(model, settings, "0"); }), contains("usage: ") && contains("negative.text"));
  const ForeignFolder zeros =
      labelled("{ name = \"class\", classes = 10, null = 10 }, { name = \"text\", shape = [3], null = \"zeros\" }");
  CHECK(ends(load_model(zeros.card(), at::kCPU, at::kFloat, true), settings, "0-1")[0] ==
        Approx(1.0 + 2 * (0.43 - 1.0)));
}

TEST_CASE("conditions: a guidance scale that the network takes goes there, and one pass is made", "[conditions]") {
  ForeignFolder folder;
  folder.shape = "[1, 2, 2]";
  folder.code(scripted("def forward(self, x, t, g):\n  return 0.0 * x + g.view(-1, 1, 1, 1)\n"));
  folder.more =
      "prediction = \"denoised\"\ntime = \"sigma\"\nconditions = [ { name = \"scale\", guidance = true, default = 3.5 "
      "} ]\n";
  folder.write();
  LoadedModel model = load_model(folder.card(), at::kCPU, at::kFloat, true);
  CHECK(ends(model, {}, "0")[0] == Approx(3.5));
  const SampleResult guided = sample(model, "euler", {.steps = 2, .guidance = "5"}, "0-1");
  CHECK(guided.x.flatten()[0].item<float>() == Approx(5.0));
  CHECK(guided.model_evals.eq(2).all().item<bool>());
  CHECK(ends(model, {.guidance = "1"}, "0")[0] == Approx(1.0));
  CHECK(conditions_of(draw_settings(model, {.guidance = "5"}, "0")).at("guidance") == "5");
  CHECK_THAT(refusal([&] { (void)ends(model, {.guidance = "5:rescale=0.5"}, "0"); }), contains("give the scale alone"));
  CHECK_THAT(refusal([&] { (void)ends(model, {.label = 3}, "0"); }), contains("takes no labels"));
  folder.more = "prediction = \"denoised\"\ntime = \"sigma\"\nconditions = [ { name = \"scale\", guidance = true } ]\n";
  folder.write();
  model = load_model(folder.card(), at::kCPU, at::kFloat, true);
  CHECK_THAT(refusal([&] { (void)ends(model, {}, "0"); }), contains("give `guidance`"));
}

TEST_CASE("conditions: what is missing, wrong or of no use is refused", "[conditions]") {
  const ForeignFolder folder = labelled(kBoth);
  const LoadedModel model = load_model(folder.card(), at::kCPU, at::kFloat, true);
  const auto with = [&](const std::map<std::string, Tensor>& conditions, const LabelChoice& label = {}) {
    return refusal([&] {
      SampleSettings settings;
      settings.label = label;
      settings.conditions = conditions;
      (void)ends(model, settings, "0-3");
    });
  };
  const Tensor text = at::ones({3});
  CHECK(with({{"text", text}}) == "nothing was thrown");
  CHECK_THAT(with({}, 1), contains("usage: ") && contains("needs the condition 'text', [3]"));
  CHECK_THAT(with({{"txt", text}}),
             contains("input: ") && contains("'txt', which is no condition") && contains("class, text"));
  CHECK_THAT(with({{"text", at::ones({4})}}),
             contains("input: ") && contains("has the shape [4], but this run needs [3]"));
  CHECK_THAT(with({{"text", at::ones({2, 3})}}), contains("a row for each"));
  CHECK_THAT(with({{"text", at::ones({3}, at::kLong)}}), contains("floating-point"));
  CHECK_THAT(with({{"text", text * std::numeric_limits<float>::infinity()}}), contains("not finite"));
  CHECK_THAT(with({{"text", text}, {"class", at::tensor({11}, at::kLong)}}), contains("the label 11"));
  CHECK_THAT(with({{"text", text}, {"class", at::tensor({1}, at::kLong)}}, 2),
             contains("usage: ") && contains("both say 'class'"));
  CHECK_THAT(with({{"text", text}}, 10), contains("usage: ") && contains("0 to 9"));
  // A model that takes none.
  ForeignFolder plain;
  plain.code(scripted(testing::kPlainNetwork));
  plain.write();
  const LoadedModel bare = load_model(plain.card(), at::kCPU, at::kFloat, true);
  CHECK_THAT(refusal([&] {
               (void)sample(bare, "euler", {.steps = 1, .conditions = {{"text", text}}}, "0");
             }),
             contains("takes no condition"));
  // Without a null there is no unconditional sample, and no guidance.
  const ForeignFolder strict =
      labelled("{ name = \"class\", classes = 10 }, { name = \"text\", shape = [3], null = \"zeros\" }");
  const LoadedModel needs = load_model(strict.card(), at::kCPU, at::kFloat, true);
  CHECK_THAT(refusal([&] { (void)ends(needs, {}, "0"); }), contains("needs a label, 0 to 9"));
  CHECK_THAT(refusal([&] { (void)ends(needs, {.label = 1, .guidance = "2"}, "0"); }), contains("negative.class"));
}

TEST_CASE("conditions: stores, plans and their runs say and compare what they are of", "[conditions]") {
  const ForeignFolder folder = labelled(kBoth);
  const LoadedModel model = load_model(folder.card(), at::kCPU, at::kFloat, true);
  SampleSettings settings;
  settings.steps = 4;
  settings.label = "0-9";
  settings.conditions = {{"text", at::ones({3})}};
  const TrajectoryStore store = record(model, "euler", settings, "0-7", folder / "store");
  CHECK(store.config().settings.at("class") == "0-9");
  DrawSettings draw = draw_settings(model, settings, "0-7");
  draw.conditions.sha256 = "abc";
  Sampler sampler = make_sampler(model, "euler", settings);
  const MadeWith made = record_of(sampler, model.info(), draw, {0, 1}, {2});
  CHECK(made.label == "0-9");
  CHECK(made.condition == "abc");
  CHECK(made_with_from_json(to_json(made), "x") == made);
  sampler.made = MadeFile{"plan.json", made};
  require_made_for(sampler, model.info(), draw);
  DrawSettings other = draw;
  other.label = 3;  // one of those that it knows
  require_made_for(sampler, model.info(), other);
  CHECK(run_warnings(sampler, other).empty());
  other.conditions.sha256 = "def";
  require_made_for(sampler, model.info(), other);
  REQUIRE(run_warnings(sampler, other).size() == 1);
  CHECK_THAT(run_warnings(sampler, other)[0], contains("other conditions"));
  CHECK_THROWS_AS(require_recorded_for({"store", made}, model.info(), other), UsageError);
  other.label = "random";
  CHECK_THROWS_AS(require_made_for(sampler, model.info(), other), UsageError);
}

TEST_CASE("conditions: a fit has those of its seeds and of the seeds it is chosen on", "[conditions]") {
  const ForeignFolder folder = labelled(kBoth);
  const LoadedModel model = load_model(folder.card(), at::kCPU, at::kFloat, true);
  FitSettings settings{
      .nfe = 2, .teacher = "euler:steps=4", .seeds = "0-3", .val_seeds = "10-13", .restarts = 1, .iterations = 1};
  settings.label = "0-9";
  settings.conditions = {{"text", at::rand({8, 3})}};
  CHECK(fit(model, settings).plan.made_with.label == "0-9");
  settings.conditions = {{"text", at::rand({4, 3})}};
  CHECK_THAT(refusal([&] { (void)fit(model, settings); }), contains("a row for each"));
}

}  // namespace stride
