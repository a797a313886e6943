#include "solvers/registry.h"

#include "framework/error.h"
#include "solvers/named_variants.h"
#include "solvers/solver_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace stride {
namespace {

struct Row {
  const SolverTraits& (*traits)();
  std::unique_ptr<Solver> (*make)(SolverOptions&);
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table{
#define STRIDE_SOLVER(name) {&traits_##name, &make_##name},
#include "solvers/solvers.def"
#undef STRIDE_SOLVER
  };
  return table;
}

}  // namespace

std::string folded_name(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '-')
      out += '_';
    else
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

const NoiseSchedule& SolverOptions::noise_schedule() const {
  if (context_.noise_schedule == nullptr)
    throw UsageError(fmt::format(
        "solver '{}' lives on timesteps: give `noise_schedule` linear, scaled_linear or cosine", spec().name));
  return *context_.noise_schedule;
}

const std::vector<std::string>& solver_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Row& row : rows()) out.push_back(row.traits().name);
    return out;
  }();
  return names;
}

const SolverTraits* find_solver(const std::string& name) {
  const std::string wanted = folded_name(name);
  for (const Row& row : rows()) {
    const SolverTraits& traits = row.traits();
    const auto is_wanted = [&](const std::string& candidate) { return folded_name(candidate) == wanted; };
    if (is_wanted(traits.name) || std::any_of(traits.aliases.begin(), traits.aliases.end(), is_wanted)) return &traits;
  }
  const NamedVariant* variant = find_named_variant(name);
  return variant == nullptr ? nullptr : find_solver(variant->solver);
}

const SolverTraits& solver_traits(const std::string& name) {
  if (const SolverTraits* traits = find_solver(name)) return *traits;
  std::vector<std::string> known = named_variant_names();
  for (const Row& row : rows()) {
    const SolverTraits& traits = row.traits();
    known.push_back(traits.name);
    known.insert(known.end(), traits.aliases.begin(), traits.aliases.end());
  }
  const std::string near = nearest(folded_name(name), known);
  throw UsageError(fmt::format("unknown solver '{}'; {}", name,
                               near.empty() ? fmt::format("there are {}", fmt::join(solver_names(), ", "))
                                            : fmt::format("did you mean '{}'?", near)));
}

std::unique_ptr<Solver> make_solver(const Spec& spec, SolverContext context) {
  const SolverTraits& traits = solver_traits(spec.name);
  const Spec own = without_variant(spec);
  for (const Row& row : rows()) {
    if (&row.traits() != &traits) continue;
    SolverOptions options(own, context);
    std::unique_ptr<Solver> solver = row.make(options);
    options.done();
    return solver;
  }
  throw UsageError("unknown solver '" + spec.name + "'");
}

std::unique_ptr<Solver> make_solver(const std::string& text, SolverContext context) {
  return make_solver(Spec::parse(text), context);
}

}  // namespace stride
