// Bogacki–Shampine 3(2): Bogacki & Shampine 1989, Applied Mathematics Letters 2(4), 321–325.
#include "solvers/shared/runge_kutta.h"

namespace stride {

SolverEntry solver_bosh3() {
  return runge_kutta_entry(
      {.name = "bosh3",
       .aliases = {"Bosh3", "bogacki-shampine_4s"},
       .reference =
           "Bogacki & Shampine 1989, Appl. Math. Lett. 2(4) 321-325: c = 0, 1/2, 3/4, 1; b = 2/9, 1/3, 4/9, 0; "
           "b* = 7/24, 1/4, 1/3, 1/8",
       .summary = "third order with an embedded second-order method",
       .also = {"torchdiffeq", "diffrax", "RES4LYF"}});
}

}  // namespace stride
