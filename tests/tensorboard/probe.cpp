// Writes event files for event_files.py, which opens them with TensorBoard.
//
//   stride_event_probe FOLDER REQUESTS.json
//
// A request is a list [kind, tag, step, …] and becomes one call: ["scalar", tag, step, value], ["histogram", tag, step,
// values, limits], ["tensor", tag, step, values, limits], a histogram of a float32 tensor on its way through two
// dimensions, and ["image", tag, step, FILE, height, width, channels]. ["reopen"] starts another file beside the one so
// far. The files' paths are printed, a line each.
#include "apps/tensorboard/event_file.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <iostream>

namespace stride {
namespace {

using nlohmann::json;
using Numbers = std::vector<double>;

void answer(EventFile& events, const json& wanted) {
  const std::string kind = wanted.at(0), tag = wanted.at(1);
  const int64_t step = wanted.at(2);
  if (kind == "scalar") return events.scalar(tag, step, wanted.at(3).get<double>());
  if (kind == "image")
    return events.image(tag, step, read_file(wanted.at(3)), wanted.at(4), wanted.at(5), wanted.at(6));
  const auto values = wanted.at(3).get<Numbers>(), limits = wanted.at(4).get<Numbers>();
  if (kind == "histogram") return events.histogram(tag, step, values, limits);
  if (kind != "tensor") throw std::invalid_argument("no such kind: " + kind);
  events.histogram(tag, step, at::tensor(values, at::kDouble).to(at::kFloat).view({2, -1}).t(), limits);
}

int run(const std::string& folder, const std::string& requests) {
  std::optional<EventFile> events;
  for (const json& wanted : json::parse(read_file(requests))) {
    if (wanted.at(0) == "reopen") {
      events.reset();
      continue;
    }
    if (!events) std::cout << events.emplace(folder).path() << '\n';
    answer(*events, wanted);
  }
  if (events) events->flush();
  return 0;
}

}  // namespace
}  // namespace stride

int main(int count, char** words) {
  try {
    if (count != 3) throw std::invalid_argument("usage: stride_event_probe FOLDER REQUESTS.json");
    return stride::run(words[1], words[2]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
