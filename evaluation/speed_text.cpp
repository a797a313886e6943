// What was measured, in words.
#include "evaluation/speed.h"

#include "evaluation/text_table.h"
#include "framework/dtype_name.h"
#include "pipeline/device_info.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;
using Align = TextTable::Align;

Json json_of(const Spread& spread) { return {{"median", spread.median}, {"low", spread.low}, {"high", spread.high}}; }
Json json_of(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

std::string milli(double value) { return fmt::format("{:.4g}", value); }
std::string range(const Spread& spread, int digits) {
  return fmt::format("{:.{}f}–{:.{}f}", spread.low, digits, spread.high, digits);
}
std::string count(const std::optional<double>& value) { return value ? fmt::format("{:.1f}", *value) : "–"; }
std::string mega(int64_t bytes) { return fmt::format("{:.0f}", static_cast<double>(bytes) / 1e6); }

std::string pools_text(const std::vector<PoolRow>& pools) {
  TextTable table({{"solver"},
                   {"policy"},
                   {"way"},
                   {"at once", Align::right},
                   {"samples", Align::right},
                   {"mean NFE", Align::right},
                   {"ratio", Align::right},
                   {"range", Align::right},
                   {"ms", Align::right},
                   {"floor ms", Align::right}});
  for (const PoolRow& row : pools)
    table.add({row.solver, row.policy, row.way + (row.stepwise.empty() ? "" : ": " + row.stepwise),
               fmt::format("{}", row.batch), fmt::format("{}", row.samples), fmt::format("{:.2f}", row.nfe_mean),
               fmt::format("{:.3f}", row.ratio.median), range(row.ratio, 3), milli(row.ms.median),
               milli(row.floor_ms)});
  return table.text();
}

std::string peers_text(const std::vector<PeerRow>& peers) {
  TextTable table({{"beside"},
                   {"its network"},
                   {"batch", Align::right},
                   {"ms", Align::right},
                   {"over Stride's", Align::right},
                   {"range", Align::right}});
  for (const PeerRow& row : peers) {
    const std::string name = row.solver.empty() ? row.name : fmt::format("{} at {:.4g} NFE", row.name, row.nfe);
    if (row.error.empty())
      table.add({name, row.variant, fmt::format("{}", row.batch), milli(row.ms.median),
                 fmt::format("{:.2f}", row.ratio.median), range(row.ratio, 2)});
    else
      table.add({name, row.variant, fmt::format("{}", row.batch), "–", "–", row.error});
  }
  return table.text();
}

}  // namespace

std::string speed_text(const Speed& speed) {
  TextTable floors({{"network alone, batch", Align::right},
                    {"ms", Align::right},
                    {"range", Align::right},
                    {"launches", Align::right},
                    {"MB", Align::right}});
  for (const FloorRow& row : speed.floors)
    floors.add({fmt::format("{}", row.batch), milli(row.ms.median), range(row.ms, 3), count(row.launches),
                mega(row.peak_bytes)});
  TextTable rows({{"solver"},
                  {"batch", Align::right},
                  {"NFE", Align::right},
                  {"ratio", Align::right},
                  {"range", Align::right},
                  {"ms", Align::right},
                  {"floor ms", Align::right},
                  {"launches/step", Align::right},
                  {"MB", Align::right}});
  std::string reasons;
  for (const SpeedRow& row : speed.rows) {
    rows.add({row.solver + (row.stepwise.empty() ? "" : " *"), fmt::format("{}", row.batch), fmt::format("{}", row.nfe),
              fmt::format("{:.3f}", row.ratio.median), range(row.ratio, 3), milli(row.ms.median), milli(row.floor_ms),
              count(row.launches), mega(row.peak_bytes)});
    if (!row.stepwise.empty()) reasons += fmt::format("* {}: step by step: {}\n", row.solver, row.stepwise);
  }
  std::string out = floors.text();
  if (!speed.peers.empty()) out += "\n" + peers_text(speed.peers);
  if (!speed.rows.empty()) out += "\n" + rows.text();
  if (!speed.pools.empty()) out += "\n" + pools_text(speed.pools);
  return out + (reasons.empty() ? "" : "\n" + reasons);
}

std::string speed_json(const Speed& speed, const SpeedSettings& settings, bool tf32) {
  const std::string dtype = dtype_name(settings.dtype);
  Json out = {{"device", settings.device.is_cuda() ? device_name(settings.device.index()) : "cpu"},
              {"dtype", dtype},
              {"tf32", tf32},
              {"rounds", settings.rounds},
              {"complete", speed.complete},
              {"floors", Json::array()},
              {"rows", Json::array()}};
  for (const FloorRow& row : speed.floors)
    out["floors"].push_back({{"batch", row.batch},
                             {"dtype", dtype},
                             {"ms", row.ms.median},
                             {"ms_range", json_of(row.ms)},
                             {"launches", json_of(row.launches)},
                             {"peak_bytes", row.peak_bytes}});
  for (const SpeedRow& row : speed.rows) {
    Json one = {{"solver", row.solver},
                {"batch", row.batch},
                {"dtype", dtype},
                {"ratio", row.ratio.median},
                {"ms", row.ms.median},
                {"floor_ms", row.floor_ms},
                {"nfe", row.nfe},
                {"steps", row.steps},
                {"ratio_range", json_of(row.ratio)},
                {"ms_range", json_of(row.ms)},
                {"launches_per_step", json_of(row.launches)},
                {"peak_bytes", row.peak_bytes}};
    if (!row.stepwise.empty()) one["stepwise"] = row.stepwise;
    out["rows"].push_back(std::move(one));
  }
  if (!speed.pools.empty()) out["pools"] = Json::array();
  for (const PoolRow& row : speed.pools) {
    Json one = {{"solver", row.solver},
                {"policy", row.policy},
                {"way", row.way},
                {"batch", row.batch},
                {"dtype", dtype},
                {"samples", row.samples},
                {"nfe_mean", row.nfe_mean},
                {"ratio", row.ratio.median},
                {"ratio_range", json_of(row.ratio)},
                {"ms", row.ms.median},
                {"ms_range", json_of(row.ms)},
                {"floor_ms", row.floor_ms}};
    if (!row.stepwise.empty()) one["stepwise"] = row.stepwise;
    out["pools"].push_back(std::move(one));
  }
  if (!speed.peers.empty()) out["peers"] = Json::array();
  for (const PeerRow& row : speed.peers) {
    Json one = {{"name", row.name}, {"variant", row.variant}, {"batch", row.batch}, {"dtype", dtype}, {"nfe", row.nfe}};
    if (!row.solver.empty()) one["solver"] = row.solver;
    if (row.error.empty()) {
      one["ms"] = row.ms.median;
      one["ms_range"] = json_of(row.ms);
      one["ratio"] = row.ratio.median;
      one["ratio_range"] = json_of(row.ratio);
    } else {
      one["error"] = row.error;
    }
    out["peers"].push_back(std::move(one));
  }
  return out.dump();
}

}  // namespace stride
