#include "tests/catch_torch.h"

#include "evaluation/evaluation_summary.h"
#include "evaluation/report/html.h"
#include "evaluation/report/report.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/evaluation/made_up_evaluation.h"
#include "tests/evaluation/xml_check.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

using namespace stride;

namespace {

std::vector<std::string> svgs(const std::string& page) {
  std::vector<std::string> out;
  for (std::size_t begin = page.find("<svg"); begin != std::string::npos; begin = page.find("<svg", begin + 1)) {
    out.push_back(page.substr(begin, page.find("</svg>", begin) + 6 - begin));
  }
  return out;
}

std::vector<std::string> lines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

// The fields of one line of CSV, RFC 4180.
std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> out(1);
  bool inside = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && inside && i + 1 < line.size() && line[i + 1] == '"') {
      out.back() += line[++i];
    } else if (line[i] == '"') {
      inside = !inside;
    } else if (line[i] == ',' && !inside) {
      out.emplace_back();
    } else {
      out.back() += line[i];
    }
  }
  return out;
}

struct TemporaryFolder {
  std::string path;
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "stride-report-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
};

}  // namespace

TEST_CASE("report: the page needs nothing else and its drawings are well formed") {
  const std::string page = report_html(made_up::report());
  const auto drawings = svgs(page);
  CHECK(drawings.size() > 10);
  for (const std::string& drawing : drawings) {
    INFO(drawing.substr(0, 300));
    CHECK(xml_fault(drawing) == "");
    CHECK(drawing.find("nan") == std::string::npos);
    CHECK(drawing.find("inf") == std::string::npos);
  }
  for (const char* forbidden : {"<script", "<link", "src=\"http", "url(http", "@import"}) {
    INFO(forbidden);
    CHECK(page.find(forbidden) == std::string::npos);
  }
  for (const char* needed :
       {"<title>", "Quality against network evaluations", "Work and precision", "Where the steps lie",
        "Samples from the same seeds", "All numbers", "How to reproduce this", "stride demo --outdir demo",
        "10000-10511", "data:image/png;base64,iVBOR", "prefers-color-scheme"}) {
    INFO(needed);
    CHECK(page.find(needed) != std::string::npos);
  }
}

TEST_CASE("report: the same data give the same bytes") {
  CHECK((report_html(made_up::report()) == report_html(made_up::report())));
}

TEST_CASE("report: hostile names stay text") {
  ReportData data = made_up::report();
  const std::string hostile = "<script>alert(1)</script>\"'&";
  data.title = hostile;
  data.commands = {hostile};
  data.facts = {{hostile, hostile}};
  data.stages = {{hostile, hostile, 1.0}};
  EvaluationResult& result = data.evaluations[0];
  result.model = result.seeds = result.device = result.dtype = result.features = result.reference = hostile;
  for (SamplerResult& sampler : result.samplers) {
    if (!sampler.is_plan()) sampler.sampler = sampler.schedule = sampler.final = hostile;
    if (sampler.adaptive()) sampler.policy = hostile;
    if (!sampler.plan_json.empty())
      sampler.plan_json = R"({"sigmas": ["<script>", 1], "weights": [["<script>"]], "scale_time": [{"<script>": 1}]})";
  }
  const std::string page = report_html(data);
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find("&lt;script&gt;") != std::string::npos);
  for (const std::string& drawing : svgs(page)) CHECK(xml_fault(drawing) == "");
}

TEST_CASE("report: results survive the run folder bit for bit") {
  const TemporaryFolder folder;
  EvaluationResult result = made_up::evaluation();
  result.samplers[3].metrics[0].all = {std::nan(""), std::nan(""), std::nan("")};
  result.samplers[3].not_finite = 7;
  result.samplers[4].metrics[0].all.value = 0.1 + 0.2;
  for (const auto& [name, bytes] : evaluation_files(result)) write_file_atomic(folder.path + "/" + name, bytes);
  ReportData data = made_up::report();
  write_file_atomic(folder.path + "/report.json", report_json(data));
  const ReportData loaded = load_report({folder.path});
  REQUIRE(loaded.evaluations.size() == 1);
  CHECK(loaded.evaluations[0].samplers[4].metrics[0].all.value == 0.1 + 0.2);
  CHECK(std::isnan(loaded.evaluations[0].samplers[3].metrics[0].all.value));
  CHECK((to_json(loaded.evaluations[0]) == to_json(result)));
  data.evaluations = {result};
  CHECK((report_html(loaded) == report_html(data)));

  SECTION("two runs on the same seeds and teacher share their plots") {
    const TemporaryFolder second;
    EvaluationResult other = result;
    for (const auto& [name, bytes] : evaluation_files(other)) write_file_atomic(second.path + "/" + name, bytes);
    const ReportData both = load_report({folder.path, second.path});
    REQUIRE(both.evaluations.size() == 1);
    CHECK(both.evaluations[0].samplers.size() == 2 * result.samplers.size());
    other.seeds = "0-511";
    write_file_atomic(second.path + "/results.json", to_json(other));
    CHECK(load_report({folder.path, second.path}).evaluations.size() == 2);
  }
  SECTION("damage is an input error that names the file") {
    const std::string path = folder.path + "/results.json";
    const std::string good = read_file(path);
    for (const std::string& bad :
         {std::string("{"), std::string("[]"), std::string("{\"format\": \"stride-evaluation\", \"version\": 1}"),
          std::string("{\"format\": \"stride-evaluation\", \"version\": 9}"), good.substr(0, good.size() / 2)}) {
      write_file_atomic(path, bad);
      try {
        (void)load_report({folder.path});
        FAIL("read " << bad.substr(0, 60));
      } catch (const InputError& error) {
        CHECK(std::string(error.what()).find("results.json") != std::string::npos);
      }
    }
    remove_file(path);
    CHECK_THROWS_AS(load_report({folder.path}), InputError);
    write_file_atomic(path, good);
    write_file_atomic(folder.path + "/strip-teacher.png", "no image");
    CHECK_THROWS_AS(report_html(load_report({folder.path})), InputError);
  }
}

TEST_CASE("report: results.csv has the contract's columns and numbers that read back") {
  EvaluationResult result = made_up::evaluation();
  result.samplers[0].sampler = "lms:order=4,say=\"hi\"";
  result.samplers[0].metrics[0].all.value = 0.1 + 0.2;
  result.samplers[1].metrics[0].all = {std::nan(""), std::nan(""), std::nan("")};
  const auto rows = lines(to_csv(result));
  CHECK(rows.at(0) ==
        "sampler,schedule,final,policy,steps,nfe_mean,nfe_p95,nfe_max,model_evals_mean,metric,value,low,high,n,block,"
        "seconds,peak_bytes");
  // The teacher's one metric, then three of each sampler; all, and 8 blocks.
  CHECK(rows.size() == 1 + (1 + 3 * result.samplers.size()) * 9);
  for (const std::string& row : rows) CHECK(fields(row).size() == 17);
  const auto first = fields(rows.at(10));
  CHECK(first.at(0) == "lms:order=4,say=\"hi\"");
  CHECK(first.at(9) == "rmse");
  CHECK(std::strtod(first.at(10).c_str(), nullptr) == 0.1 + 0.2);
  CHECK(first.at(14) == "all");
  CHECK(fields(rows.at(11)).at(14) == "0");
  CHECK(fields(rows.at(11)).at(11).empty());
  CHECK(fields(rows.at(10 + 27)).at(10).empty());
}

TEST_CASE("report: comparisons pick the best grid at each NFE and say so") {
  const EvaluationResult result = made_up::evaluation();
  const auto rows = plan_comparisons(result);
  REQUIRE(rows.size() == 4);
  for (const PlanComparison& row : rows) {
    CHECK(row.plan->is_plan());
    for (const SamplerResult& sampler : result.samplers) {
      if (!sampler.is_plan() && !sampler.adaptive() && std::llround(sampler.cost.nfe_mean) == row.nfe) {
        CHECK(row.classic->metric("rmse")->all.value <= sampler.metric("rmse")->all.value);
      }
    }
    CHECK(row.classic->sampler == "ipndm");
    CHECK(row.rmse.low < row.rmse.value);
    CHECK(row.rmse.value < row.rmse.high);
    CHECK(row.rmse.value == Approx(0.45 * std::pow(row.nfe, -1.7) / (1.1 * std::pow(row.nfe, -1.6)) - 1).epsilon(0.02));
  }
  const std::string sentence = headline(result);
  INFO(sentence);
  CHECK(sentence.find("At 3, 4, 5 and 6 network evaluations") == 0);
  CHECK(sentence.find("lower RMSE") != std::string::npos);
  const std::string text = comparison_text(result);
  INFO(text);
  CHECK(text.find("ipndm · karras · zero") != std::string::npos);

  EvaluationResult worse = result;
  for (SamplerResult& sampler : worse.samplers) {
    if (!sampler.is_plan()) continue;
    for (double& block : sampler.metrics[0].blocks) block *= 4;
    sampler.metrics[0].all.value *= 4;
  }
  CHECK(headline(worse).find("lower") == std::string::npos);
  CHECK(headline(worse).find("+") != std::string::npos);
}

TEST_CASE("report: an adaptive policy is compared at its own mean NFE") {
  const EvaluationResult result = made_up::evaluation();
  const auto rows = policy_comparisons(result);
  REQUIRE(rows.size() == 2);
  // tol 0.05 takes 6 evaluations on average: there is a grid of exactly 6.
  CHECK(rows[0].policy->cost.nfe_mean == Approx(6.0));
  REQUIRE(rows[0].classic);
  CHECK(rows[0].classic->value == Approx(0.012 / std::sqrt(0.05) / (1.1 * std::pow(6.0, -1.6)) - 1).margin(0.03));
  // tol 0.02 takes 9: no grid reaches that far.
  CHECK(rows[1].policy->cost.nfe_mean == Approx(9.0));
  CHECK_FALSE(rows[1].classic);
}

TEST_CASE("report: numbers for people") {
  CHECK(number_text(0.0374123) == "0.0374");
  CHECK(number_text(9.999) == "10.0");
  CHECK(number_text(0.099999) == "0.100");
  CHECK(number_text(123.4) == "123");
  CHECK(number_text(1234.5) == "1234");
  CHECK(number_text(-0.5) == "−0.500");
  CHECK(number_text(0) == "0");
  CHECK(number_text(std::nan("")) == "–");
  CHECK(number_text(1.234e-6) == "1.23e-06");
  CHECK(change_text(-0.623) == "−62 %");
  CHECK(change_text(0.034) == "+3 %");
  CHECK(change_text(0.004) == "±0 %");
  CHECK(seconds_text(0.00084) == "840 µs");
  CHECK(seconds_text(12.1) == "12.1 s");
  CHECK(bytes_text(400 << 20) == "400 MiB");
}

TEST_CASE("report: base64 agrees with RFC 4648") {
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"},
                                                                    {"\xff\xfe\xfd", "//79"}};
  for (const auto& [bytes, text] : vectors) CHECK(base64(bytes) == text);
  CHECK_THROWS_AS(png_data_uri("GIF89a", "x"), InputError);
}

TEST_CASE("report: a strip holds the samples in order, pixel for pixel") {
  const Tensor images =
      torch::stack({torch::full({1, 2, 2}, -1.0), torch::full({1, 2, 2}, 1.0), torch::full({1, 2, 2}, 5.0)});
  CHECK(torch::equal(to_pixels(images).flatten(1),
                     torch::tensor({{0, 0, 0, 0}, {255, 255, 255, 255}, {255, 255, 255, 255}}, torch::kByte)));
  const std::string strip = png_strip(images, 3);
  CHECK(png_size(strip, "strip") == std::pair<int64_t, int64_t>{8, 2});
  CHECK(strip == png_strip(images, 3));
  CHECK(to_pixels(torch::full({1, 1, 2, 2}, std::nan("")))[0][0][0][0].item<int>() == 0);
  CHECK_THROWS_AS(png_strip(images, 4), UsageError);
  CHECK_THROWS_AS(png_strip(torch::zeros({3, 2}), 1), UsageError);
}
