#include "framework/grids/own_grids.h"

#include "framework/error.h"

#include <fmt/format.h>

namespace stride {

TimeGrid make_grid(const Spec& spec, const GridRequest& request, const OwnGrids* own) {
  if (own == nullptr || !own->contains(spec.name)) return make_grid(spec, request);
  if (request.steps < 1) throw UsageError(fmt::format("schedule '{}': needs at least one step", spec.name));
  return TimeGrid(own->at(spec.name)(spec, request));
}

}  // namespace stride
