// An experiment as a file: axes, stages that run commands over them, and the tables and figures to make of the results.
//
//   [experiment]
//   name = "few-steps"                      # out = "runs/few-steps"
//   [axes]
//   nfe = [4, 5, 6]
//   [[stage]]
//   name = "fit"
//   command = "fit"
//   fit.nfe = "{nfe}"
//   [[stage]]
//   name = "compare"
//   command = "evaluate"
//   needs = ["fit"]
//   sampling.solver = ["ipndm", "plan:{fit}/plan.json"]
//   sampling.nfe = "{nfe}"
//   [[table]]
//   name = "rmse"
//   from = "compare"
//   rows = ["sampler"]
//   columns = "nfe"
//   value = "rmse"
#pragma once

#include "pipeline/familiar/config_document.h"

#include <optional>
#include <string>
#include <vector>

namespace stride {

/// A name, and the values that `{name}` stands for in turn.
struct ExperimentAxis {
  std::string name;
  std::vector<std::string> values;
};

/// A command with settings by their keys, run once for each combination of the axes that its settings name.
struct ExperimentStage {
  std::string name, command;
  std::vector<std::string> needs = {};     ///< stages that must have run; `{name}` is such a run's folder
  std::vector<std::string> axes = {};      ///< axes that it runs over besides those that its settings name
  std::vector<ConfigEntry> settings = {};  ///< with `{axis}` and `{stage}` in their values
};

/// Results by row and column; more than one in a place are a mean over what tells them apart.
struct ExperimentTable {
  std::string name, title;
  std::string from;                    ///< a stage
  std::vector<std::string> rows;       ///< fields that tell rows apart
  std::string columns;                 ///< the field across; empty: one column
  std::vector<std::string> values;     ///< metrics, or numbers of the command's results
  std::vector<std::string> only = {};  ///< `field=value`: which results take part
  int digits = 3;
};

/// A plot of one number over another, a line for each value of `series`.
struct ExperimentFigure {
  std::string name, title, from, x, y;
  std::vector<std::string> series;
  std::vector<std::string> only = {};
  bool x_log = false, y_log = true;
};

struct Experiment {
  std::string name, out;
  std::vector<ExperimentAxis> axes;           ///< in the order of the file
  std::vector<std::vector<std::string>> zip;  ///< names of axes that step together, each axis in one list at most
  std::vector<ExperimentStage> stages;        ///< each after those that it needs
  std::vector<ExperimentTable> tables;
  std::vector<ExperimentFigure> figures;
  std::string where;  ///< the file, for messages
};

/// Throws InputError on text that is not such a file, UsageError, with the nearest name, on names that nobody declared,
/// axes of a zip that differ in length, and stages that need each other in a circle. `where` names it in messages.
[[nodiscard]] Experiment parse_experiment(const std::string& text, const std::string& where);

/// The same of a file; `out` is `runs/NAME` where the file says none.
[[nodiscard]] Experiment read_experiment(const std::string& path);

/// The names in braces in `text`, in their order: "plan:{fit}/plan.json" names fit; `{{` is a brace.
[[nodiscard]] std::vector<std::string> names_in_braces(const std::string& text);

/// `text` with each name in braces replaced by `value_of(name)`.
template <class ValueOf>
[[nodiscard]] std::string with_values(const std::string& text, const ValueOf& value_of) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool doubled = at + 1 < text.size() && text[at + 1] == text[at] && (text[at] == '{' || text[at] == '}');
    const std::size_t end = text[at] == '{' && !doubled ? text.find('}', at) : std::string::npos;
    if (end != std::string::npos) {
      out += value_of(text.substr(at + 1, end - at - 1));
      at = end;
    } else {
      out += text[at];
      at += doubled ? 1 : 0;
    }
  }
  return out;
}

}  // namespace stride
