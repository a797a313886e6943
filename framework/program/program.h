// A run on a fixed grid as straight-line code: what is left of a sampler once its arithmetic on times is done.
#pragma once

#include "framework/controller.h"
#include "framework/models/network_denoiser.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stride {

/// Most methods give values that are linear in x, in what the model says and in the noise, with weights that follow
/// from the levels alone. On a grid that all rows share, a whole run of such a method is a list of operations on values
/// of a sample's shape, which lie in numbered slots. Weights are float64.
struct Program {
  struct Term {
    int slot;
    double weight;
  };
  /// The sum of the terms, into `out` (−1: into no slot) and, times `input_scale`, into the network's input.
  struct Combine {
    int out;
    std::vector<Term> terms;
    std::optional<double> input_scale = {};
  };
  /// The network on its input: into `out`, and without the condition into `unconditional` (−1: no guidance).
  struct Forward {
    double time;
    int out, unconditional;
  };
  /// The denoiser on the slot `at`, under guidance, bounds and masks.
  struct Evaluate {
    double sigma;
    int at, out, unconditional;
  };
  /// Unit normals: NoiseDraw.
  struct Draw {
    double from, to;
    int64_t step, drawn, draw;
    NoiseKind kind;
    int out;
  };
  /// The step's iteration ended with these changes (LastChanges) at `x`: rows that it left unsolved are marked.
  struct Watch {
    int before;  ///< −1: nothing is known of it
    int last, x;
  };
  /// A step has ended: x lies in `x`.
  struct StepEnd {
    int x;
    int denoised;           ///< where the step's first evaluation lies; −1: nobody asked for it
    std::vector<int> dead;  ///< slots that nothing will read
  };
  using Operation = std::variant<Combine, Forward, Evaluate, Draw, Watch, StepEnd>;

  std::vector<Operation> operations;
  int slots = 0;               ///< how many there are; the start lies in slot 0
  bool networks = false;       ///< made of Forward; else of Evaluate
  int64_t steps = 0;           ///< the last jump included
  int64_t nfe = 0, draws = 0;  ///< per row
  int64_t model_evals = 0;
};

/// What a program is made from.
struct ProgramSource {
  const Solver& solver;  ///< with its tables, if it has any, on the CPU
  const Term& term;
  const StepController& controller;  ///< on_grid
  Tensor grid;                       ///< float64 `[N + 1]`
  Guidance guidance = {};
  /// The denoiser's own where it is one and may be taken apart: its scalings, and linear guidance, become weights.
  const NetworkDenoiser* network = nullptr;
  bool keep_denoised = false;  ///< each step's first evaluation is wanted (StepEnd::denoised)
};

struct ProgramOrReason {
  std::optional<Program> program;
  std::string reason;  ///< why there is none: as a clause, "its steps are not linear in …"
};

/// Runs the solver once on symbols to see what it does, and checks on numbers that the program does the same.
[[nodiscard]] ProgramOrReason make_program(const ProgramSource& source);

}  // namespace stride
