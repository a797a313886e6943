#include "evaluation/solver_page.h"

#include "framework/error.h"
#include "pipeline/embedded.h"
#include "solvers/named_variants.h"
#include "solvers/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace stride {
namespace {

using Json = nlohmann::json;

constexpr const char* kHead = R"(# Solvers

Written by `stride list solvers`, as Markdown, from the solvers' traits: change those, not this page.

- **order**: of the error before the last jump, on the probability flow, with a history of exact evaluations; **own start**: as a run begins. **strong order**: of a path's error, on one Brownian tree; for a solver that draws no noise of its own, under a stochastic term. In brackets, what the order suite measured on flows whose answer is known (`docs/results/orders.json`).
- **error estimate**: the order of the local error that it estimates; with one, a solver runs under the adaptive policies.
- **NFE**: calls of the denoiser, of a step and of a run of 10 steps whose last is the jump to σ = 0.
- **options**: the first value of a choice is the default, and what a number may be is in brackets; [Options](#options) says what each does.
- Names are read without regard to case, and with spaces, `-` and `_` alike.
- **reference**: the paper with its equation, algorithm or table; where we know no number for it, the equation itself. There x' is the next state, D the denoised image, eps = (x − D)/σ, d(x) the drift; h = ln(σ/σ') in equations with e^−h or e^−z, else σ' − σ; phi_1(z) = (e^z − 1)/z, phi_2(z) = (e^z − 1 − z)/z²; dpmpp_3m's d1 and d2 are the first and second difference quotients of D.
)";

std::string title(const std::string& family) {
  std::string out = family;
  out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  return out;
}

std::string row(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (std::string cell : cells) {
    for (std::size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2) cell.replace(at, 1, "\\|");
    out += ' ' + (cell.empty() ? "–" : cell) + " |";
  }
  return out + '\n';
}

std::string table(const std::vector<std::string>& titles) {
  std::string rule = "|";
  for (std::size_t i = 0; i < titles.size(); ++i) rule += "---|";
  return '\n' + row(titles) + rule + '\n';
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

class Page final {
 public:
  Page() {
    const auto kept = embedded_file("orders.json");
    if (kept) measured_ = Json::parse(*kept);
  }

  [[nodiscard]] std::string text() const {
    std::string out = kHead;
    for (const std::string& family : families()) {
      std::string numbers = table({"solver", "order", "own start", "strong order", "error estimate", "NFE of a step",
                                   "NFE of 10 steps", "noise of its own"});
      std::string words = table({"solver", "what it is", "also called", "options", "who else has it", "reference"});
      for (const std::string& name : solver_names()) {
        const SolverTraits& traits = solver_traits(name);
        if (traits.family != family) continue;
        // As it is made without options; what is learned needs a file, and shows what all of its kind claim.
        numbers += family == "learned" ? number_row(name, traits) : number_row(name);
        for (const std::string& options : traits.variants) numbers += number_row(name + ":" + options);
        words += row({code(name), traits.summary, fmt::format("{}", fmt::join(also_called(traits), ", ")),
                      code(options_text(traits.options)), fmt::format("{}", fmt::join(traits.also, ", ")),
                      traits.reference});
      }
      out += "\n## " + title(family) + '\n' + numbers + words;
    }
    return out + "\n## Options\n" + option_rows();
  }

 private:
  // What each option does, and who takes it; solvers that say the same of one share a row.
  [[nodiscard]] static std::string option_rows() {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> takers;
    for (const std::string& name : solver_names())
      for (const OptionInfo& option : solver_traits(name).options)
        takers[{option.text(), option.summary}].push_back(code(name));
    std::string out = table({"option", "what it does", "solvers"});
    for (const auto& [option, names] : takers)
      out += row({code(option.first), option.second, fmt::format("{}", fmt::join(names, ", "))});
    return out;
  }

  // In the order in which people meet them; a new one comes last.
  [[nodiscard]] static std::vector<std::string> families() {
    std::vector<std::string> out{"one-step", "multistep", "stochastic"};
    for (const std::string& name : solver_names()) {
      const std::string& family = solver_traits(name).family;
      if (std::find(out.begin(), out.end(), family) == out.end()) out.push_back(family);
    }
    return out;
  }

  template <class T>
  [[nodiscard]] std::string claim(const std::string& spec, const char* key, const std::optional<T>& value) const {
    if (!value) return {};
    const auto measured = measured_.value(spec, Json::object()).value(key, Json());
    return measured.is_null() ? fmt::format("{}", *value)
                              : fmt::format("{} ({:.2f})", *value, measured.template get<double>());
  }

  [[nodiscard]] std::string number_row(const std::string& spec) const {
    return number_row(spec, make_solver(spec, {&schedule_})->traits());
  }

  [[nodiscard]] std::string number_row(const std::string& spec, const SolverTraits& traits) const {
    return row({code(spec), claim(spec, "order", traits.order), claim(spec, "start_order", traits.start_order),
                claim(spec, "strong_order", traits.strong_order),
                traits.error_order ? fmt::format("{}", *traits.error_order) : "",
                fmt::format("{}", traits.nfe(11, false) - traits.nfe(10, false)),
                fmt::format("{}", traits.nfe(10, true)), traits.stochastic ? "yes" : "no"});
  }

  Json measured_ = Json::object();
  NoiseSchedule schedule_ = make_noise_schedule(Spec::parse("linear"));
};

}  // namespace

std::string solver_page() { return Page().text(); }

}  // namespace stride
