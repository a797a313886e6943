#include "solvers/registry.h"

#include "framework/error.h"
#include "solvers/named_variants.h"
#include "solvers/solver_list.h"

#include <fmt/format.h>

#include <cctype>

namespace stride {
namespace {

const std::vector<SolverEntry>& entries() {
  static const std::vector<SolverEntry> table{
#define STRIDE_SOLVER(name) solver_##name(),
#include "solvers/solvers.def"
#undef STRIDE_SOLVER
  };
  return table;
}

const SolverEntry* find_entry(const std::string& name) {
  if (const SolverEntry* entry = find_named(entries(), name, folded_name)) return entry;
  const NamedVariant* variant = find_named_variant(name);
  return variant == nullptr ? nullptr : find_entry(variant->solver);
}

const SolverEntry& entry_named(const std::string& name) {
  if (const SolverEntry* entry = find_entry(name)) return *entry;
  std::vector<std::string> known = names_of(entries(), true);
  for (const std::string& variant : named_variant_names()) known.push_back(variant);
  throw unknown_name("solver", name, known, solver_names(), folded_name(name));
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

const NoiseSchedule& timestep_axis(const SolverContext& context, const SolverTraits& traits) {
  if (context.noise_schedule == nullptr)
    throw UsageError(fmt::format(
        "solver '{}' lives on timesteps: give `noise_schedule` linear, scaled_linear or cosine", traits.name));
  return *context.noise_schedule;
}

const std::vector<std::string>& solver_names() {
  static const std::vector<std::string> names = names_of(entries());
  return names;
}

const SolverTraits* find_solver(const std::string& name) {
  const SolverEntry* entry = find_entry(name);
  return entry == nullptr ? nullptr : &entry->card;
}

const SolverTraits& solver_traits(const std::string& name) { return entry_named(name).card; }

std::unique_ptr<Solver> make_solver(const Spec& spec, SolverContext context) {
  return entry_named(spec.name).value(without_variant(spec), context);
}

std::unique_ptr<Solver> make_solver(const std::string& text, SolverContext context) {
  return make_solver(Spec::parse(text), context);
}

}  // namespace stride
