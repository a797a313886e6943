#include "solvers/checks/check_solver.h"

#include "solvers/checks/orders.h"

#include <fmt/format.h>

#include <utility>

namespace stride {
namespace {

CheckedClaim order_claim(const std::string& name, std::optional<double> claim, const std::function<double()>& measure) {
  if (!claim) return {name, true, false, "no claim"};
  const double order = measure();
  return {name, meets(order, *claim), true, fmt::format("{:.2f} measured, {:g} claimed", order, *claim)};
}

}  // namespace

std::vector<CheckedClaim> check_solver(const Solver& solver, const PropertyRun& run,
                                       const std::function<void(const std::string&)>& before) {
  using Property = std::string (*)(const Solver&, const PropertyRun&);
  static constexpr std::pair<const char*, Property> kProperties[] = {
      {"nfe", check_nfe}, {"purity", check_purity}, {"batches", check_batches},
      {"nan", check_nan}, {"dtypes", check_dtypes}, {"noise", check_noise}};
  const SolverTraits& traits = solver.traits();
  std::vector<CheckedClaim> out;
  const auto add = [&](const std::string& name, const std::function<CheckedClaim()>& look) {
    if (before) before(name);
    out.push_back(look());
  };
  add("order",
      [&] { return order_claim("order", traits.order, [&] { return measured_order(solver, true, run.device); }); });
  add("start_order", [&] {
    return order_claim("start_order", traits.start_order, [&] { return measured_order(solver, false, run.device); });
  });
  add("strong_order", [&] {
    return order_claim("strong_order", traits.strong_order, [&] { return measured_strong_order(solver, run.device); });
  });
  for (const auto& [name, property] : kProperties) {
    add(name, [&, name = name, property = property] {
      if (std::string(name) == "nfe" && !traits.nfe) return CheckedClaim{name, true, false, "no claim"};
      const std::string wrong = property(solver, run);
      return CheckedClaim{name, wrong.empty(), true, wrong};
    });
  }
  return out;
}

}  // namespace stride
