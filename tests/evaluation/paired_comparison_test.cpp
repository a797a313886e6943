// Rows compared in pairs: figures by hand, what is refused, and how often intervals and tests are right.
#include "tests/catch_torch.h"

#include "datasets/metrics/bootstrap.h"
#include "datasets/metrics/distributions.h"
#include "evaluation/comparison/comparison_text.h"
#include "evaluation/comparison/paired_table.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/evaluation/made_up_rows.h"
#include "tests/temporary_folder.h"

#include <algorithm>

using namespace stride;
using made_up::against_first;
using made_up::evaluation_of;
using made_up::root_mean_square;
using made_up::row;
using made_up::some_errors;

namespace {

ComparisonSettings quick(int64_t resamples = 199) {
  ComparisonSettings out;
  out.resamples = resamples;
  return out;
}

Comparison compared(const EvaluationResult& result, const ComparisonSettings& settings = quick()) {
  const RowPool pool = pool_of(result);
  return compare_rows(pool, against_first(pool), settings);
}

void save(const std::string& folder, const EvaluationResult& result) {
  for (const auto& [name, bytes] : evaluation_files(result)) write_file_atomic(folder + "/" + name, bytes);
}

std::string notes(const Comparison& comparison) {
  std::string out;
  for (const std::string& note : comparison.notes) out += note + "\n";
  return out;
}

double rejected(const std::vector<double>& p) {
  return static_cast<double>(std::count_if(p.begin(), p.end(), [](double one) { return one < 0.05; })) /
         static_cast<double>(p.size());
}

}  // namespace

TEST_CASE("comparison: differences, intervals and counts are those by hand") {
  const std::vector<double> a = {0.4, 0.2, 0.5, 0.3, 0.6, 0.1, 0.2, 0.7}, b = {0.3, 0.1, 0.5, 0.2, 0.7, 0.1, 0.1, 0.4};
  const Comparison comparison =
      compared(evaluation_of({row("ipndm", 5, a), row("dpmpp_2m", 5, b)}, "10-17"), quick(999));
  REQUIRE(comparison.rows.size() == 1);
  const RowComparison& found = comparison.rows.front();
  const double change = root_mean_square(b) / root_mean_square(a) - 1.0;
  CHECK(found.change.value == Approx(change));
  CHECK(found.difference.value == Approx(root_mean_square(b) - root_mean_square(a)));
  CHECK(found.better == 5);
  CHECK(found.worse == 1);
  CHECK(found.ties == 2);
  CHECK(found.sign_p == Approx(2.0 * 7.0 / 64.0));
  // 4 blocks of two seeds.
  std::vector<double> without;
  for (std::size_t block = 0; block < 4; ++block) {
    std::vector<double> x, y;
    for (std::size_t i = 0; i < 8; ++i) {
      if (i / 2 == block) continue;
      x.push_back(a[i]);
      y.push_back(b[i]);
    }
    without.push_back(root_mean_square(y) / root_mean_square(x) - 1.0);
  }
  const Estimate wanted = jackknife(change, without);
  CHECK(found.change.low == Approx(wanted.low));
  CHECK(found.change.high == Approx(wanted.high));
  CHECK(found.change_bootstrap.low < change);
  CHECK(found.change_bootstrap.high > change);
  CHECK(found.permutation.exact);
  CHECK(comparison.n == 8);
  CHECK(comparison.seeds == "10-17");
  const std::string text = statement(comparison);
  CHECK_THAT(text,
             contains("dpmpp_2m · karras · zero @ 5 has 14 %") && contains("lower RMSE to the teacher than ipndm"));
  CHECK_THAT(text, contains("better on 5, worse on 1"));
}

TEST_CASE("comparison: the same settings give the same figures, another seed others") {
  std::mt19937_64 generator(1);
  const EvaluationResult result = evaluation_of(
      {row("ipndm", 5, some_errors(64, 1.0, generator)), row("heun", 5, some_errors(64, 0.9, generator))}, "0-63");
  ComparisonSettings other = quick();
  other.seed = 1;
  CHECK(comparison_json(compared(result)) == comparison_json(compared(result)));
  CHECK(compared(result).rows[0].change_bootstrap.low != compared(result, other).rows[0].change_bootstrap.low);
  CHECK(compared(result).rows[0].change.low == compared(result, other).rows[0].change.low);
}

TEST_CASE("comparison: seeds that runs have in common are paired by number, whatever their order") {
  std::mt19937_64 generator(2);
  const std::vector<double> a = some_errors(12, 1.0, generator), b = some_errors(12, 0.8, generator);
  const testing::TemporaryFolder folder;
  make_folders(folder / "one");
  make_folders(folder / "two");
  save(folder / "one", evaluation_of({row("ipndm", 5, a)}, "0-11"));
  // Seeds 20 … 11, 10 … 4 backwards: 4 to 11 are common.
  std::vector<double> mirrored = some_errors(9, 1.0, generator);
  for (int seed = 11; seed >= 4; --seed) mirrored.push_back(b[static_cast<std::size_t>(seed)]);
  std::string seeds = "20,19,18,17,16,15,14,13,12";
  for (int seed = 11; seed >= 4; --seed) seeds += "," + std::to_string(seed);
  save(folder / "two", evaluation_of({row("dpmpp_2m", 5, mirrored)}, seeds));
  const std::vector<std::string> words = {folder / "one", folder / "two"};
  const RowPool pool = load_rows(words);
  const Comparison comparison = compare_rows(pool, choose_rows(pool, words, ""), quick());
  CHECK(comparison.n == 8);
  CHECK(comparison.seeds == "4-11");
  const std::vector<double> x(a.begin() + 4, a.end()), y(b.begin() + 4, b.end());
  CHECK(comparison.rows[0].change.value == Approx(root_mean_square(y) / root_mean_square(x) - 1.0));
  CHECK_THAT(notes(comparison), contains("8 of the 12 seeds of one") && contains("8 of the 17 seeds of two"));
}

TEST_CASE("comparison: rows that are no pairs are refused, with what differs") {
  const testing::TemporaryFolder folder;
  const std::vector<double> errors(8, 0.5);
  const auto refused = [&](const std::function<void(EvaluationResult&)>& change, const std::string& why) {
    EvaluationResult one = evaluation_of({row("ipndm", 5, errors)}, "0-7"), other = one;
    one.conditions = other.conditions = {{"class", "3"}};
    other.samplers[0].sampler = "heun";
    change(other);
    for (const auto& [name, result] : {std::pair{"one", &one}, std::pair{"two", &other}}) {
      make_folders(folder / name);
      save(folder / name, *result);
    }
    INFO(why);
    const std::vector<std::string> words = {folder / "one", folder / "two"};
    try {
      const RowPool pool = load_rows(words);
      (void)compare_rows(pool, choose_rows(pool, words, ""), quick());
      CHECK(why.empty());
    } catch (const UsageError& error) {
      CHECK_THAT(error.what(), contains(why.empty() ? "nothing may be thrown" : why));
    }
  };
  refused([](EvaluationResult&) {}, "");
  refused([](EvaluationResult& other) { other.model_sha256[0] = 'd'; }, "another model");
  refused([](EvaluationResult& other) { other.teacher.sampler = "euler"; }, "another teacher");
  refused([](EvaluationResult& other) { other.conditions["class"] = "4"; }, "other conditions: class 3 there, class 4");
  refused([](EvaluationResult& other) { other.conditions["guidance"] = "2"; }, "guidance 2");
  refused([](EvaluationResult& other) { other.dtype = "bfloat16"; }, "another precision");
  refused([](EvaluationResult& other) { other.seeds = "8-15"; }, "no seed in common");
  EvaluationResult damaged = evaluation_of({row("ipndm", 5, errors), row("heun", 5, errors)}, "0-7");
  damaged.samplers[1].seeds_npz.resize(200);
  CHECK_THROWS_AS(compared(damaged), InputError);
}

TEST_CASE("comparison: results of earlier versions are paired by blocks, and say so") {
  std::mt19937_64 generator(3);
  EvaluationResult result = evaluation_of(
      {row("ipndm", 5, some_errors(32, 1.0, generator)), row("heun", 5, some_errors(32, 0.5, generator))}, "0-31");
  const double by_seed = compared(result).rows[0].change.value, low = compared(result).rows[0].change.low;
  result.samplers[1].seeds_npz.clear();
  const Comparison comparison = compared(result);
  CHECK_FALSE(comparison.by_seed);
  CHECK(comparison.units == 4);
  CHECK(comparison.rows[0].change.value == Approx(by_seed));
  CHECK(comparison.rows[0].change.low == Approx(low));
  CHECK(comparison.rows[0].permutation.exact);
  CHECK_THAT(notes(comparison), contains("holds nothing by seed"));
}

TEST_CASE("comparison: a sample that is not finite is worse than any other, and leaves no RMSE to compare") {
  std::vector<double> bad(8, 0.2);
  bad[3] = std::nan("");
  const Comparison comparison =
      compared(evaluation_of({row("ipndm", 5, std::vector<double>(8, 0.5)), row("heun", 5, bad)}, "0-7"));
  const RowComparison& found = comparison.rows.front();
  CHECK(std::isnan(found.change.value));
  CHECK(found.better == 7);
  CHECK(found.worse == 1);
  CHECK(std::isnan(found.permutation.p));
  CHECK_THAT(statement(comparison), contains("1 samples are not finite"));
}

TEST_CASE("comparison: rows are named by number and by words of their label") {
  const std::vector<double> errors(8, 0.5);
  const testing::TemporaryFolder folder;
  make_folders(folder / "a:b");
  save(folder / "a:b", evaluation_of({row("ipndm", 4, errors), row("ipndm", 5, errors), row("dpmpp_2m", 5, errors),
                                      row("ipndm:order=2", 5, errors)},
                                     "0-7"));
  const std::string run = folder / "a:b";
  const RowPool pool = load_rows({run});
  const auto chosen = [&](const std::vector<std::string>& words, const std::string& against = "") {
    const RowChoice choice = choose_rows(pool, words, against);
    return std::pair{choice.baseline, choice.rows};
  };
  using Places = std::vector<std::size_t>;
  CHECK(chosen({run}) == std::pair{Places{0}, Places{1, 2, 3}});
  CHECK(chosen({run + ":2", run + ":3"}) == std::pair{Places{1}, Places{2}});
  CHECK(chosen({run + ":ipndm", run}) == std::pair{Places{0, 1}, Places{2, 3}});
  CHECK(chosen({run + ":ipndm 5", run}) == std::pair{Places{1}, Places{0, 2, 3}});
  CHECK(chosen({run + ":ipndm · karras · zero @ 4", run + ":DPMPP_2M"}) == std::pair{Places{0}, Places{2}});
  CHECK(chosen({run}, "dpmpp_2m") == std::pair{Places{2}, Places{0, 1, 3}});
  CHECK(chosen({run}, "3") == std::pair{Places{2}, Places{0, 1, 3}});
  CHECK(chosen({run}, run + ":1") == std::pair{Places{0}, Places{1, 2, 3}});
  CHECK_THROWS_WITH(chosen({run + ":9"}), contains("no row 9") && contains("ipndm · karras · zero @ 4"));
  CHECK_THROWS_WITH(chosen({run + ":euler"}), contains("no row has the words 'euler'"));
  CHECK_THROWS_WITH(chosen({run + ":1"}), contains("nothing is left to compare"));
}

TEST_CASE("comparison: of several rows the baseline is the best of a row's NFE, chosen again in each resample") {
  const std::vector<double> good = {0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9},
                            other = {0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.2};
  const std::vector<double> mine(8, 0.3);
  const EvaluationResult result = evaluation_of({row("ipndm", 5, good), row("dpmpp_2m", 5, other),
                                                 row("dpmpp_2m", 6, mine), row("heun", 5, mine), row("euler", 7, mine)},
                                                "0-7", 2);
  const RowPool pool = pool_of(result);
  RowChoice choice;
  choice.baseline = {0, 1, 2};
  choice.rows = {3, 4};
  choice.one_baseline = false;
  ComparisonSettings settings = quick();
  const Comparison comparison = compare_rows(pool, choice, settings);
  REQUIRE(comparison.rows.size() == 1);
  const RowComparison& found = comparison.rows.front();
  CHECK(found.opponents.size() == 2);
  CHECK(found.opponent.label == "ipndm · karras · zero @ 5");
  // Without the first half dpmpp_2m is the best, without the second ipndm: both sides are far above.
  const double first = 0.3 / root_mean_square({0.1, 0.1, 0.1, 0.2}) - 1.0, second = 0.3 / 0.1 - 1.0;
  const Estimate wanted = jackknife(found.change.value, {first, second});
  CHECK(found.change.low == Approx(wanted.low));
  CHECK_THAT(statement(comparison), contains("the lowest of 2 runs of ipndm and dpmpp_2m on karras · zero, ipndm") &&
                                        contains("which favours it"));
  CHECK_THAT(notes(comparison), contains("euler · karras · zero @ 7 is left out"));
}

TEST_CASE("comparison: evaluations saved are read off the opponent's curve, and never beyond it") {
  const auto at = [](double nfe, double factor = 1.0) { return std::vector<double>(8, factor * std::pow(nfe, -2.0)); };
  EvaluationResult result =
      evaluation_of({row("ipndm", 4, at(4)), row("ipndm", 6, at(6)), row("ipndm", 9, at(9)), row("heun", 5, at(7)),
                     row("dpmpp_2m", 5, at(12)), row("euler", 5, at(2)), row("lms", 6, at(6.0))},
                    "0-7");
  const Comparison comparison = compared(result);
  const auto saved = [&](const std::string& name) -> const RowComparison& {
    return *std::find_if(comparison.rows.begin(), comparison.rows.end(),
                         [&](const RowComparison& one) { return one.row.label.starts_with(name); });
  };
  CHECK(saved("heun").saved->value == Approx(2.0));
  CHECK(saved("heun").saved->beyond == 0);
  CHECK(saved("heun").saved->low == Approx(2.0));
  CHECK(saved("lms").saved->value == Approx(0.0).margin(1e-12));
  CHECK(saved("dpmpp_2m").saved->value == Approx(4.0));
  CHECK(saved("dpmpp_2m").saved->beyond == 1);
  CHECK(saved_text(saved("dpmpp_2m")) == "≥ 4.0");
  CHECK_THAT(statement(comparison, saved("dpmpp_2m")),
             contains("saves at least 4.0") && contains("nothing is extrapolated"));
  CHECK(saved("euler").saved->beyond == -1);
  CHECK_THAT(statement(comparison, saved("euler")), contains("costs at least 1.0"));
  CHECK_FALSE(saved("ipndm").saved);
  CHECK(saved("ipndm").no_saving == "it is the opponent's own method");
  result.samplers.erase(result.samplers.begin() + 1, result.samplers.begin() + 3);
  CHECK(compared(result).rows[0].no_saving == "the opponent was run at one number of evaluations only");
}

TEST_CASE("comparison: trainings of one recipe are one row, with both variances") {
  std::mt19937_64 generator(5);
  std::vector<SamplerResult> rows = {row("ipndm", 5, some_errors(32, 1.0, generator))};
  std::vector<double> errors;
  for (int i = 0; i < 4; ++i) {
    rows.push_back(row("plan:seed-" + std::to_string(i) + ".json", 5, some_errors(32, 0.5 + 0.02 * i, generator)));
    rows.back().plan_json = "{\"seed\": " + std::to_string(i) + "}";
    errors.push_back(rows.back().metrics[0].all.value);
  }
  rows.push_back(rows.back());  // the same file in another run
  const EvaluationResult result = evaluation_of(rows, "0-31");
  ComparisonSettings settings = quick();
  settings.training_seeds = true;
  const Comparison comparison = compared(result, settings);
  REQUIRE(comparison.rows.size() == 1);
  const RowComparison& found = comparison.rows.front();
  CHECK(found.row.members.size() == 4);
  const double mean = (errors[0] + errors[1] + errors[2] + errors[3]) / 4.0, theirs = rows[0].metrics[0].all.value;
  CHECK(found.change.value == Approx(mean / theirs - 1.0));
  double sum = 0.0;
  for (const double error : errors) sum += (error - mean) * (error - mean);
  REQUIRE(found.trained);
  CHECK(found.trained->training == Approx(sum / 3.0 / 4.0 / (theirs * theirs)));
  const double half = 0.5 * (found.change.high - found.change.low) / student_t(0.95, 3.0);
  CHECK(found.trained->sampling == Approx(half * half));
  CHECK(found.trained->degrees > 3.0);
  CHECK_THAT(comparison_table(comparison), contains("fitted plan · zero @ 5 (4 trainings)"));
  CHECK_THAT(notes(comparison), contains("counts once"));
  CHECK(compared(result).rows.size() == 5);
  const EvaluationResult alone = evaluation_of({rows[0], rows[1]}, "0-31");
  CHECK_THAT(notes(compared(alone, settings)), contains("`training_seeds` has no effect"));
}

TEST_CASE("comparison: intervals cover the truth, and tests reject as often as they say", "[slow]") {
  // The truth: errors of lognormal samples with a common factor per seed, √E of their squares.
  std::mt19937_64 generator(11);
  std::normal_distribution<double> normal;
  constexpr int kExperiments = 400;
  constexpr int64_t kSeeds = 128;
  int jack = 0, boot = 0;
  std::vector<double> sign, swap, family;
  for (int experiment = 0; experiment < kExperiments; ++experiment) {
    std::vector<std::vector<double>> errors(4);
    for (int64_t i = 0; i < kSeeds; ++i) {
      const double common = 0.4 * normal(generator);
      // The second is 20 % lower than the first; the third and fourth differ from it by chance alone.
      for (std::size_t k = 0; k < 4; ++k)
        errors[k].push_back((k == 1 ? 0.8 : 1.0) * std::exp(common + 0.2 * normal(generator)));
    }
    std::vector<SamplerResult> rows;
    for (std::size_t k = 0; k < 4; ++k) rows.push_back(row("a" + std::to_string(k), 5, errors[k], 8));
    ComparisonSettings settings = quick(399);
    settings.seed = static_cast<uint64_t>(experiment);  // the same resamples each time would err the same way
    const Comparison comparison = compared(evaluation_of(rows, "0-127", 8), settings);
    const RowComparison& lower = comparison.rows[0];
    jack += lower.change.low <= -0.2 && -0.2 <= lower.change.high ? 1 : 0;
    boot += lower.change_bootstrap.low <= -0.2 && -0.2 <= lower.change_bootstrap.high ? 1 : 0;
    double least = 1.0;
    for (std::size_t k : {1, 2}) {
      sign.push_back(comparison.rows[k].sign_p);
      swap.push_back(comparison.rows[k].permutation.p);
      least = std::min(least, comparison.rows[k].permutation_holm);
    }
    family.push_back(least);
  }
  INFO("jackknife " << jack << ", bootstrap " << boot << " of " << kExperiments << "; rejected: sign " << rejected(sign)
                    << ", swap " << rejected(swap) << ", family " << rejected(family));
  // Three standard deviations of a share of 0.95 of 400 are 0.033; those of 0.05 of 800 are 0.023.
  CHECK(jack > 0.915 * kExperiments);
  CHECK(jack < 0.985 * kExperiments);
  // SciPy's BCa covers 91 % of 1,500 such experiments: squares of lognormal errors have heavy tails.
  CHECK(boot > 0.86 * kExperiments);
  CHECK(boot < 0.985 * kExperiments);
  CHECK(rejected(sign) < 0.06);
  CHECK(rejected(swap) < 0.075);
  CHECK(rejected(swap) > 0.027);
  CHECK(rejected(family) < 0.085);
}

TEST_CASE("comparison: the interval over trainings and seeds covers the truth", "[slow]") {
  // Block means of crossed effects: training, seeds, and both together.
  std::mt19937_64 generator(13);
  std::normal_distribution<double> normal;
  constexpr int kExperiments = 2000;
  for (const auto& [training, seeds, both] :
       {std::tuple{1.0, 0.2, 0.2}, std::tuple{0.2, 1.0, 0.2}, std::tuple{0.5, 0.5, 0.5}, std::tuple{0.0, 1.0, 0.3}}) {
    int covered = 0, without_training = 0;
    for (int experiment = 0; experiment < kExperiments; ++experiment) {
      constexpr std::size_t kTrainings = 5, kBlocks = 8;
      std::vector<double> block(kBlocks), mean(kBlocks, 0.0), of_training(kTrainings, 0.0);
      for (double& effect : block) effect = seeds * normal(generator);
      double all = 0.0;
      for (double& one : of_training) {
        const double effect = training * normal(generator);
        for (std::size_t b = 0; b < kBlocks; ++b) {
          const double value = effect + block[b] + both * normal(generator);
          one += value / kBlocks;
          mean[b] += value / kTrainings;
        }
        all += one / kTrainings;
      }
      double sum = 0.0;
      for (const double one : of_training) sum += (one - all) * (one - all);
      std::vector<double> without;
      for (std::size_t b = 0; b < kBlocks; ++b) without.push_back((all * kBlocks - mean[b]) / (kBlocks - 1));
      const CrossedInterval got =
          crossed_interval(all, {sum / (kTrainings - 1) / kTrainings, 0.0}, {kTrainings, 1}, without);
      covered += got.all.low <= 0.0 && 0.0 <= got.all.high ? 1 : 0;
      const Estimate seeds_alone = jackknife(all, without);
      without_training += seeds_alone.low <= 0.0 && 0.0 <= seeds_alone.high ? 1 : 0;
    }
    INFO(training << " " << seeds << " " << both << ": " << covered << ", seeds alone " << without_training);
    CHECK(covered > 0.925 * kExperiments);
    CHECK(covered < 0.995 * kExperiments);
    if (training >= 1.0) CHECK(without_training < 0.6 * kExperiments);
  }
}
