// The tables of fields.h as Python reads them: for signatures, help() and the type stubs.
#include "python/bindings/bindings.h"
#include "python/bindings/fields.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/named.h"
#include "pipeline/seeds.h"

#include <fmt/format.h>
#include <pybind11/stl.h>

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace stride {
namespace {

struct Shown {
  std::string type, standard;
};

Shown shown(bool value) { return {"bool", value ? "True" : "False"}; }
Shown shown(int64_t value) { return {"int", fmt::format("{}", value)}; }
Shown shown(uint64_t value) { return {"int", fmt::format("{}", value)}; }
Shown shown(double value) { return {"float", fmt::format("{}", value)}; }
Shown shown(const std::string& value) { return {"str", value.empty() ? "None" : fmt::format("\"{}\"", value)}; }
Shown shown(const Tensor&) { return {"torch.Tensor", "None"}; }
Shown shown(at::Device) { return {"torch.device | str", "None"}; }
Shown shown(at::ScalarType) { return {"torch.dtype | str", "None"}; }
Shown shown(const std::map<std::string, Tensor>&) { return {"dict[str, torch.Tensor]", "None"}; }
Shown shown(const LabelChoice&) { return {"int | str | torch.Tensor", "None"}; }
Shown shown(const Seeds& value) { return {"Seeds", fmt::format("\"{}\"", format_seeds(value.numbers()))}; }
Shown shown(const Plan&) { return {"Plan", "None"}; }
Shown shown(const PolicyChoice&) { return {"Policy", "None"}; }
Shown shown(const std::vector<int64_t>& value) {
  std::string all;
  for (const int64_t each : value) all += fmt::format("{}{}", all.empty() ? "" : ", ", each);
  return {"int | Sequence[int]", value.empty() ? "None" : "(" + all + ")"};
}
Shown shown(const std::vector<double>&) { return {"Grid", "None"}; }
Shown shown(const std::vector<std::string>& value) {
  return {"str | Sequence[str]", value.empty() ? "None" : fmt::format("\"{}\"", value.front())};
}
template <typename T>
Shown shown(const std::optional<T>& value) {
  return value ? shown(*value) : Shown{shown(T{}).type, "None"};
}

using Row = std::tuple<std::string, std::string, std::string, std::string>;

template <class Settings>
std::vector<Row> rows() {
  const Settings standard;
  std::vector<Row> out;
  Fields<Settings>::visit([&](const char* name, auto member, const char* what) {
    Shown of = shown(standard.*member);
    if (std::string(name) == "batch" && of.standard == "64") of.standard = "256";
    out.emplace_back(name, of.type, of.standard, what);
  });
  return out;
}

}  // namespace

void bind_field_list(py::module_& module) {
  module.def(
      "fields",
      [] {
        return std::map<std::string, std::vector<Row>>{{"SampleSettings", rows<SampleSettings>()},
                                                       {"RecordSettings", rows<RecordSettings>()},
                                                       {"FitSettings", rows<FitSettings>()},
                                                       {"EvaluateSettings", rows<EvaluateSettings>()},
                                                       {"PredictorTraining", rows<PredictorTraining>()},
                                                       {"ExampleOptions", rows<ExampleOptions>()}};
      },
      "Of each struct of settings: (name, type, default, what it is).");
}

}  // namespace stride
