// statistics_probe FILE.json: paired tests, intervals and curves of the cases in FILE, as one JSON object. For
// paired_statistics.py.
#include "datasets/metrics/bootstrap.h"
#include "datasets/metrics/distributions.h"
#include "datasets/metrics/paired_tests.h"
#include "evaluation/comparison/nfe_curve.h"
#include "framework/files/file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>

namespace {

using namespace stride;
using Json = nlohmann::json;
using Doubles = std::vector<double>;

Json answer(const Json& cases) {
  Json out = {{"sign", Json::array()}, {"t", Json::array()},    {"permutation", Json::array()},
              {"bca", Json::array()},  {"holm", Json::array()}, {"nfe", Json::array()}};
  for (const Json& one : cases.at("sign")) out["sign"].push_back(sign_test(one[0], one[1]));
  for (const Json& one : cases.at("t")) out["t"].push_back(student_t(one[0], one[1].get<double>()));
  for (const Json& one : cases.at("permutation")) {
    const PermutationTest test =
        permutation_test(one.at("differences").get<Doubles>(), one.at("draws"), one.at("seed"));
    out["permutation"].push_back({{"p", test.p}, {"error", test.error}, {"exact", test.exact}});
  }
  for (const Json& one : cases.at("bca")) {
    const Estimate got = bca_interval(one.at("all"), one.at("resampled").get<Doubles>(),
                                      one.at("without").get<Doubles>(), one.at("level"));
    out["bca"].push_back({got.low, got.high});
  }
  for (const Json& one : cases.at("holm")) out["holm"].push_back(holm(one.get<Doubles>()));
  for (const Json& one : cases.at("nfe")) {
    std::vector<std::pair<double, double>> points;
    for (const Json& point : one.at("points")) points.emplace_back(point[0], point[1]);
    const CurveNfe at = nfe_at(points, one.at("error"));
    out["nfe"].push_back({at.nfe, at.beyond});
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::invalid_argument("statistics_probe FILE.json");
    fmt::print("{}\n", answer(Json::parse(read_file(argv[1]))).dump());
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
