// What is claimed of an evaluation, and what its rows are called.
#include "tests/catch_torch.h"

#include "evaluation/evaluation_summary.h"
#include "evaluation/metric_facts.h"
#include "evaluation/report/report.h"
#include "evaluation/results_table.h"
#include "evaluation/winners.h"
#include "framework/files/file.h"
#include "tests/evaluation/made_up_evaluation.h"
#include "tests/temporary_folder.h"

#include <filesystem>
#include <functional>

using namespace stride;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

EvaluationResult only(const std::vector<SamplerResult>& samplers) {
  EvaluationResult out = made_up::evaluation();
  out.samplers = samplers;
  set_tags(out);
  return out;
}

SamplerResult classic(const std::string& name, double nfe, double rmse, const std::string& schedule = "karras",
                      const std::string& final = "zero") {
  return made_up::sampler(name, schedule, final, nfe, rmse, 1.9 + 140 * rmse);
}

SamplerResult plan(const std::string& path, double nfe, double rmse) {
  SamplerResult out = made_up::sampler("plan:" + path, "plan", "zero", nfe, rmse, 1.9 + 60 * rmse);
  out.plan_json = R"({"nfe": 4, "path": ")" + path + "\"}";
  return out;
}

SamplerResult predictor(const std::string& path, double rmse, const std::string& hash) {
  SamplerResult out = classic("dpmpp_2m", 6, rmse);
  out.policy = "predictor:" + path + ",tolerance=0.05";
  out.policy_sha256 = hash;
  return out;
}

MetricResult metric(const std::string& name, double low, double value, double high) {
  return {name, {value, low, high}, {value, value}};
}

SamplerResult with(const std::string& name, const std::vector<MetricResult>& metrics) {
  SamplerResult out = classic(name, 4, 0.1);
  out.metrics = metrics;
  return out;
}

std::string save(const testing::TemporaryFolder& folder, const std::string& name, const EvaluationResult& result) {
  const std::string path = folder / name;
  std::filesystem::create_directory(path);
  for (const auto& [file, bytes] : evaluation_files(result)) write_file_atomic(path + "/" + file, bytes);
  return path;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t out = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++out;
  return out;
}

}  // namespace

TEST_CASE("headline: one rival is named, several are counted and named, none is made up") {
  const SamplerResult fitted = plan("p.json", 4, 0.03);
  CHECK(headline(only({fitted, classic("ipndm", 4, 0.12)})) ==
        "At 4 network evaluations, the fitted plan has 75 % lower RMSE to the teacher than ipndm · karras · zero, the "
        "only other run on a fixed grid.");
  CHECK(
      headline(only({fitted, classic("ipndm", 4, 0.12), classic("dpmpp_2m", 4, 0.2),
                     classic("ipndm", 4, 0.1, "karras", "sigma_min")})) ==
      "At 4 network evaluations, the fitted plan has 70 % lower RMSE to the teacher than the lowest of 3 runs of ipndm "
      "and dpmpp_2m over 2 grids.");
  // Others at other NFEs are no rivals.
  CHECK(has(headline(only({fitted, classic("ipndm", 4, 0.12), classic("heun", 5, 0.1)})), "the only other run"));
  const std::string two = headline(only({fitted, plan("q.json", 5, 0.02), classic("ipndm", 4, 0.12),
                                         classic("dpmpp_2m", 4, 0.2), classic("ipndm", 5, 0.1)}));
  CHECK(has(two, "than the lowest of 2 and 1 runs of ipndm and dpmpp_2m on karras · zero"));
  // The best of several plans was chosen on these seeds.
  CHECK(has(headline(only({fitted, plan("other.json", 4, 0.05), classic("ipndm", 4, 0.12)})),
            "the best of 2 fitted plans has 75 % lower"));
  CHECK(has(headline(only({fitted, plan("q.json", 5, 0.02), classic("ipndm", 4, 0.12), classic("dpmpp_2m", 4, 0.2),
                           classic("ipndm", 5, 0.1), classic("dpmpp_2m", 5, 0.1)})),
            "than each time the lowest of 2 runs of ipndm and dpmpp_2m on karras · zero"));
  SamplerResult seen = fitted;
  seen.seeds_seen = "10000-10063";
  CHECK(has(headline(only({seen, classic("ipndm", 4, 0.12)})), "chosen on, some of these seeds"));
  for (const char* text : {"best classic", "its best grid"})
    CHECK_FALSE(
        has(headline(made_up::evaluation()) + comparison_text(made_up::evaluation()) + report_html(made_up::report()),
            text));
}

TEST_CASE("headline: what two joined runs did alike counts once, and two plans of one content are one") {
  const SamplerResult fitted = plan("p.json", 4, 0.03);
  SamplerResult copied = plan("copy-of-p.json", 4, 0.03);
  copied.plan_json = fitted.plan_json;
  const SamplerResult ipndm = classic("ipndm", 4, 0.12), other = classic("dpmpp_2m", 4, 0.2);
  const std::string text = headline(only({fitted, ipndm, copied, ipndm, other}));
  INFO(text);
  CHECK(has(text, "the fitted plan has 75 % lower RMSE"));
  CHECK(has(text, "the lowest of 2 runs of ipndm and dpmpp_2m"));
  copied = plan("other.json", 4, 0.04);
  CHECK(has(headline(only({fitted, ipndm, copied, other})), "the best of 2 fitted plans"));
  CHECK(fixed_runs(only({ipndm, ipndm, other}), false).size() == 2);
}

TEST_CASE("headline: one sampler is one, and a policy alone is set against nothing") {
  SamplerResult policy = classic("heun", 20, 0.1);
  policy.policy = "pi:atol=0.1";
  policy.gave_up = 3;
  const EvaluationResult alone = only({policy});
  CHECK(has(headline(alone), "1 sampler was run; none"));
  CHECK(has(comparison_text(alone), "there is no run on a fixed grid to set them against"));
  CHECK(gave_up(alone) == 3);
  CHECK(not_finite(alone) == 0);
}

TEST_CASE("headline: without plans it says of how many runs the lowest is, and what cannot be told from it") {
  const std::string one = headline(only({classic("ipndm", 4, 0.1)}));
  INFO(one);
  CHECK(has(one, "Lowest RMSE to the teacher: at 4 network evaluations ipndm · karras · zero (0.0"));
  CHECK(has(one, "; the only run there)."));
  const std::string close =
      headline(only({classic("ipndm", 4, 0.1), classic("ipndm", 4, 0.101, "logsnr"), classic("ddim", 4, 0.3)}));
  INFO(close);
  CHECK(has(close, "of 3 runs of ipndm and ddim over 2 grids"));
  CHECK(has(close, "the interval of 1 other reaches its own"));
}

TEST_CASE("winners: by each metric's own values, and what overlaps is not told apart") {
  const SamplerResult a = with("a", {metric("rmse", 0.09, 0.10, 0.11), metric("fd", 2.0, 2.2, 2.4)});
  const SamplerResult b = with("b", {metric("rmse", 0.19, 0.20, 0.21), metric("fd", 1.0, 1.2, 1.4)});
  const SamplerResult c = with("c", {metric("rmse", 0.105, 0.12, 0.13), metric("fd", 3.0, 3.2, 3.4)});
  const std::vector<const SamplerResult*> rows = {&a, &b, &c};
  CHECK(winners(rows, "fd").alone() == &b);
  CHECK(winners(rows, "rmse").best == &a);
  CHECK(winners(rows, "rmse").alone() == nullptr);
  CHECK(winners(rows, "rmse").tied(a));
  CHECK(winners(rows, "rmse").tied(c));
  CHECK_FALSE(winners(rows, "rmse").tied(b));
  const SamplerResult high = with("high", {metric("recall", 0.8, 0.9, 0.95)});
  const SamplerResult low = with("low", {metric("recall", 0.1, 0.2, 0.3)});
  CHECK(winners({&low, &high}, "recall").alone() == &high);
  const double nan = std::nan("");
  const SamplerResult unsure = with("unsure", {metric("rmse", nan, 0.01, nan)});
  CHECK(winners({&a, &unsure}, "rmse").best == &unsure);
  CHECK(winners({&a, &unsure}, "rmse").alone() == nullptr);
  CHECK_FALSE(winners({&a, &unsure}, "rmse").tied(unsure));
  CHECK(winners({}, "rmse").best == nullptr);
}

TEST_CASE("report: the row that is best in a metric is shown and marked, though another grid has the lower RMSE") {
  SamplerResult best_rmse = with("ipndm", {metric("rmse", 0.09, 0.10, 0.11), metric("fd", 2.0, 2.2, 2.4)});
  SamplerResult best_fd = with("ipndm", {metric("rmse", 0.19, 0.20, 0.21), metric("fd", 1.0, 1.25, 1.4)});
  best_fd.schedule = "logsnr";
  ReportData data = made_up::report();
  data.evaluations = {only({best_rmse, best_fd})};
  const std::string page = report_html(data);
  const std::string table = page.substr(page.find("All numbers"));
  CHECK(has(table, "<b>1.25</b>"));
  CHECK(has(table, "<b>0.100</b>"));
  CHECK_FALSE(has(table, "<b>2.20</b>"));
  // Two that overlap: neither is bold, both are marked.
  best_fd.metrics[1] = metric("fd", 1.9, 2.1, 2.3);
  data.evaluations = {only({best_rmse, best_fd})};
  const std::string tied = report_html(data);
  CHECK(has(tied, "≈ 2.10"));
  CHECK(has(tied, "≈ 2.20"));
  CHECK_FALSE(has(tied, "<b>2.10</b>"));
}

TEST_CASE("labels: no two rows have one name") {
  struct Row {
    std::vector<SamplerResult> samplers;
    std::vector<std::string> labels;
  };
  const std::vector<Row> rows = {
      {{plan("p.json", 4, 0.03), plan("q.json", 5, 0.03)}, {"fitted plan · zero", "fitted plan · zero"}},
      {{plan("p.json", 4, 0.03), plan("q.json", 4, 0.05)}, {"fitted plan (p) · zero", "fitted plan (q) · zero"}},
      {{plan("a/p.json", 4, 0.03), plan("b/p.json", 4, 0.05)},
       {"fitted plan (a/p) · zero", "fitted plan (b/p) · zero"}},
      {{predictor("s0.safetensors", 0.1, "00"), predictor("s1.safetensors", 0.1, "11"),
        predictor("s2.safetensors", 0.2, "22")},
       {"predictor tolerance=0.05 (s0) · dpmpp_2m · zero", "predictor tolerance=0.05 (s1) · dpmpp_2m · zero",
        "predictor tolerance=0.05 (s2) · dpmpp_2m · zero"}},
      {{predictor("p.safetensors", 0.1, "0123456789"), predictor("p.safetensors", 0.1, "abcdefghij")},
       {"predictor tolerance=0.05 (p 01234567) · dpmpp_2m · zero",
        "predictor tolerance=0.05 (p abcdefgh) · dpmpp_2m · zero"}},
      {{classic("heun", 5, 0.1), classic("heun", 5, 0.1)}, {"heun (1) · karras · zero", "heun (2) · karras · zero"}}};
  for (const Row& row : rows) {
    const EvaluationResult result = only(row.samplers);
    for (std::size_t i = 0; i < row.labels.size(); ++i) CHECK(full_label(result.samplers[i]) == row.labels[i]);
    const std::string table = results_table(result);
    for (const std::string& label : row.labels) CHECK(has(table, label));
    ReportData data = made_up::report();
    data.evaluations = {result};
    if (row.labels[0] != row.labels[1]) {
      const std::string page = report_html(data);
      for (const SamplerResult& sampler : result.samplers) CHECK(has(page, sampler.tag));
    }
  }
  // Lines of a plot, too.
  const EvaluationResult seeds = only({predictor("s0.safetensors", 0.1, "00"), predictor("s1.safetensors", 0.1, "11")});
  const auto groups = sampler_groups(seeds);
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].label == "predictor · dpmpp_2m (s0)");
  CHECK(groups[1].label == "predictor · dpmpp_2m (s1)");
}

TEST_CASE("report: runs that can be compared share their plots, but no axis of seconds") {
  const testing::TemporaryFolder folder;
  EvaluationResult result = only({classic("ipndm", 4, 0.1), classic("heun", 5, 0.1)});
  EvaluationResult other = only({classic("ipndm", 4, 0.1), classic("ddim", 4, 0.2)});
  other.device = "cuda:0";
  const std::string a = save(folder, "a", result), b = save(folder, "b", other);
  const ReportData one = load_report({a});
  CHECK(count(report_html(one), "<h3>What a sample costs") == 1);
  const ReportData both = load_report({a, b});
  REQUIRE(both.evaluations.size() == 1);
  const std::string page = report_html(both);
  CHECK(count(page, "<h3>What a sample costs in a</h3>") == 1);
  CHECK(count(page, "<h3>What a sample costs in b</h3>") == 1);
  CHECK(has(page, "Wall time on cuda:0"));
  CHECK(has(page, "Wall time on cpu"));
  CHECK(full_label(both.evaluations[0].samplers[0]) == "ipndm (a) · karras · zero");
  CHECK(full_label(both.evaluations[0].samplers[2]) == "ipndm (b) · karras · zero");

  struct Row {
    std::function<void(EvaluationResult&)> change;
    std::string says;
  };
  const std::vector<Row> rows = {
      {[](EvaluationResult& r) { r.model_sha256 = std::string(64, 'c'); }, "another model"},
      {[](EvaluationResult& r) {
         r.conditions = {{"class", "3"}};
       },
       "other conditions: no class, guidance or bound there, class 3 here"},
      {[](EvaluationResult& r) { r.seeds = "0-511"; }, "other seeds: 10000-10511 there, 0-511 here"},
      {[](EvaluationResult& r) { r.dtype = "float64"; }, "another precision"},
      {[](EvaluationResult& r) { r.teacher.sampler = "dpm2"; }, "another teacher"},
      {[](EvaluationResult& r) { r.quantisation = "uint8"; }, "another feature network"},
      {[](EvaluationResult& r) { r.reference = "others"; }, "another reference"}};
  for (const Row& row : rows) {
    EvaluationResult apart = other;
    row.change(apart);
    const ReportData data = load_report({a, save(folder, "b", apart)});
    INFO(row.says);
    REQUIRE(data.evaluations.size() == 2);
    CHECK(has(data.apart.at(1), row.says));
    CHECK(has(report_html(data), "Not drawn with the first evaluation: " + data.apart[1]));
  }
}

TEST_CASE("report: warnings and seeds that were seen are on the page and survive the file") {
  EvaluationResult result = only({plan("p.json", 4, 0.03), classic("ipndm", 4, 0.1)});
  result.warnings = {"the grid starts at the noise level 97"};
  result.conditions = {{"class", "3"}};
  result.samplers[0].seeds_seen = "10000-10063";
  const EvaluationResult back = evaluation_from_json(to_json(result), "here");
  CHECK(back.warnings == result.warnings);
  CHECK(back.conditions == result.conditions);
  CHECK(back.samplers[0].seeds_seen == "10000-10063");
  ReportData data = made_up::report();
  data.evaluations = {back};
  const std::string page = report_html(data);
  CHECK(has(page, "<li>the grid starts at the noise level 97</li>"));
  CHECK(has(page, "has seen seeds 10000-10063"));
}

TEST_CASE("metrics: intervals stay within what a metric can be, in table, report and file") {
  CHECK(within_range("rmse", {0.1, -0.2, 0.4}).low == 0.0);
  CHECK(within_range("fd-teacher", {0.1, -0.2, 0.4}).low == 0.0);
  CHECK(within_range("recall", {0.9, 0.7, 1.2}).high == 1.0);
  CHECK(within_range("density", {0.9, 0.7, 1.2}).high == 1.2);
  for (const char* name : {"psnr", "kid", "kid-subsets-teacher", "fd-inf", "exact-nll"})
    CHECK(within_range(name, {0.1, -0.2, 0.4}).low == -0.2);
  CHECK(std::isnan(within_range("rmse", {0.1, std::nan(""), std::nan("")}).low));
  // Files of earlier versions hold intervals as they came.
  EvaluationResult old = only({classic("ipndm", 4, 0.1), classic("ddim", 4, 0.2)});
  old.samplers[0].metrics[0].all.low = -0.5;
  const EvaluationResult back = evaluation_from_json(to_json(old), "here");
  CHECK(has(results_table(back), "0 to "));
  CHECK_FALSE(has(results_table(back), "−0.5"));
  CHECK_FALSE(has(to_csv(back), "-0.5"));
}
