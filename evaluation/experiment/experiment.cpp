#include "evaluation/experiment/experiment.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/spec.h"
#include "pipeline/toml_entries.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

bool is_name(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

std::string required_name(TomlReader& reader, const std::string& key) {
  const auto text = reader.text(key);
  if (!text) reader.fail(key, "is needed");
  if (!is_name(*text)) reader.fail(key, "must be a name of letters, digits, - and _");
  return *text;
}

// By their place in the file, which the library forgets.
std::vector<std::pair<std::string, const toml::node*>> in_order(const toml::table& table) {
  std::vector<std::pair<std::string, const toml::node*>> out;
  for (const auto& [key, node] : table) out.emplace_back(std::string(key.str()), &node);
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return a.second->source().begin.line < b.second->source().begin.line;
  });
  return out;
}

std::string at_line(const std::string& where, const toml::node& node) {
  return fmt::format("{}, line {}", where, node.source().begin.line);
}

void read_zip(const toml::node& node, Experiment& out) {
  const auto* lists = node.as_array();
  const std::string place = at_line(out.where, node);
  if (lists == nullptr)
    throw InputError(place + ": axes.zip must be a list of lists of axes, such as [[\"solver\", \"schedule\"]]");
  for (const toml::node& list : *lists) {
    std::vector<std::string>& names = out.zip.emplace_back();
    if (const auto* array = list.as_array()) {
      for (const toml::node& name : *array) {
        if (const auto* text = name.as_string()) names.push_back(text->get());
      }
    }
    if (names.size() < 2) throw InputError(place + ": axes.zip holds a list that is not of two axes or more");
  }
}

void read_axes(const toml::table& table, Experiment& out) {
  for (const auto& [name, node] : in_order(table)) {
    if (name == "zip") {
      read_zip(*node, out);
      continue;
    }
    if (!is_name(name))
      throw InputError(
          fmt::format("{}: the axis '{}' needs a name of letters, digits, - and _", at_line(out.where, *node), name));
    std::vector<ConfigEntry> entries;
    append_entries(toml::table{{name, *node}}, "", at_line(out.where, *node), entries);
    if (entries.size() != 1 || !entries[0].array || entries[0].values.empty())
      throw InputError(fmt::format("{}: axes.{} must be a list of values", at_line(out.where, *node), name));
    ExperimentAxis& axis = out.axes.emplace_back(ExperimentAxis{name, {}});
    for (const ConfigValue& value : entries[0].values) {
      if (std::find(axis.values.begin(), axis.values.end(), value.text) != axis.values.end())
        throw UsageError(fmt::format("{}: axes.{} holds {} twice", at_line(out.where, *node), name, value.text));
      axis.values.push_back(value.text);
    }
  }
}

ExperimentStage read_stage(const toml::table& table, const std::string& where) {
  TomlReader reader(table, where, "stage");
  ExperimentStage out;
  const auto command = reader.text("command");
  if (!command) reader.fail("command", "is needed: what `stride` is to run");
  out.command = *command;
  out.name = table.contains("name") ? required_name(reader, "name") : out.command;
  out.needs = reader.texts("needs").value_or(std::vector<std::string>{});
  out.axes = reader.texts("axes").value_or(std::vector<std::string>{});
  toml::table settings = table;
  for (const char* own : {"name", "command", "needs", "axes"}) settings.erase(own);
  append_entries(settings, "", at_line(where, table), out.settings);
  return out;
}

bool on_off(TomlReader& reader, const std::string& key, bool otherwise) {
  const toml::node* node = reader.node(key);
  if (node == nullptr) return otherwise;
  if (node->as_boolean() == nullptr) reader.fail(key, "must be true or false");
  return node->as_boolean()->get();
}

// One text, or a list of them.
std::vector<std::string> one_or_more(TomlReader& reader, const std::string& key) {
  const toml::node* node = reader.node(key);
  if (node == nullptr) reader.fail(key, "is needed");
  if (const auto* text = node->as_string()) return {text->get()};
  return *reader.texts(key);
}

// What tables and figures have in common.
template <class Output>
Output read_head(TomlReader& reader) {
  Output out;
  out.name = required_name(reader, "name");
  out.title = reader.text("title").value_or("");
  out.from = required_name(reader, "from");
  out.only = reader.texts("only").value_or(std::vector<std::string>{});
  return out;
}

ExperimentTable read_table(const toml::table& table, const std::string& where) {
  TomlReader reader(table, where, "table");
  auto out = read_head<ExperimentTable>(reader);
  out.rows = one_or_more(reader, "rows");
  out.columns = reader.text("columns").value_or("");
  out.values = one_or_more(reader, "value");
  out.digits = static_cast<int>(std::clamp<int64_t>(reader.integer("digits").value_or(3), 1, 17));
  reader.done();
  return out;
}

ExperimentFigure read_figure(const toml::table& table, const std::string& where) {
  TomlReader reader(table, where, "figure");
  auto out = read_head<ExperimentFigure>(reader);
  out.x = required_name(reader, "x");
  out.y = required_name(reader, "y");
  out.series = one_or_more(reader, "series");
  out.x_log = on_off(reader, "x_log", false);
  out.y_log = on_off(reader, "y_log", true);
  reader.done();
  return out;
}

[[noreturn]] void unknown(const Experiment& in, const std::string& place, const std::string& what,
                          const std::string& name, const std::vector<std::string>& known) {
  const std::string guess = nearest(name, known);
  throw UsageError(fmt::format("{}: {} names '{}', which is no {}{}", in.where, place, name, what,
                               guess.empty()
                                   ? known.empty() ? "" : fmt::format("; there are {}", fmt::join(known, ", "))
                                   : fmt::format("; did you mean '{}'?", guess)));
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void check_axes(const Experiment& in, const std::vector<std::string>& axes) {
  std::vector<std::string> taken;
  for (const auto& list : in.zip) {
    std::size_t length = 0;
    for (const std::string& name : list) {
      if (!holds(axes, name)) unknown(in, "axes.zip", "axis", name, axes);
      if (holds(taken, name)) throw UsageError(fmt::format("{}: axes.zip has {} twice", in.where, name));
      taken.push_back(name);
      const auto axis =
          std::find_if(in.axes.begin(), in.axes.end(), [&](const auto& each) { return each.name == name; });
      if (length != 0 && axis->values.size() != length)
        throw UsageError(fmt::format("{}: axes.zip steps {} together, of {} and {} values", in.where,
                                     fmt::join(list, ", "), length, axis->values.size()));
      length = axis->values.size();
    }
  }
}

// Every name that is used, and that stages stand after what they need.
void check(Experiment& in) {
  std::vector<std::string> axes, stages;
  for (const ExperimentAxis& axis : in.axes) axes.push_back(axis.name);
  check_axes(in, axes);
  for (const ExperimentStage& stage : in.stages) {
    if (holds(stages, stage.name))
      throw UsageError(fmt::format("{}: there are two stages '{}'; give one another `name`", in.where, stage.name));
    if (holds(axes, stage.name))
      throw UsageError(
          fmt::format("{}: '{}' is an axis and a stage; give the stage another `name`", in.where, stage.name));
    stages.push_back(stage.name);
  }
  for (const ExperimentStage& stage : in.stages) {
    const std::string place = "stage " + stage.name;
    for (const std::string& name : stage.needs)
      if (!holds(stages, name) || name == stage.name) unknown(in, place + ": needs", "other stage", name, stages);
    for (const std::string& name : stage.axes)
      if (!holds(axes, name)) unknown(in, place + ": axes", "axis", name, axes);
    std::vector<std::string> known = axes;
    known.insert(known.end(), stage.needs.begin(), stage.needs.end());
    for (const ConfigEntry& entry : stage.settings) {
      for (const ConfigValue& value : entry.values) {
        for (const std::string& name : names_in_braces(value.text))
          if (!holds(known, name))
            unknown(in, fmt::format("{}: {}", place, entry.key),
                    holds(stages, name) ? "stage that it `needs`" : "axis, nor a stage that it `needs`", name, known);
      }
    }
  }
  for (const auto& table : in.tables)
    if (!holds(stages, table.from)) unknown(in, "table " + table.name + ": from", "stage", table.from, stages);
  for (const auto& figure : in.figures)
    if (!holds(stages, figure.from)) unknown(in, "figure " + figure.name + ": from", "stage", figure.from, stages);
  std::vector<ExperimentStage> sorted;
  std::vector<std::string> placed;
  while (sorted.size() < in.stages.size()) {
    const std::size_t before = sorted.size();
    for (const ExperimentStage& stage : in.stages) {
      const auto ready = [&](const std::string& name) { return holds(placed, name); };
      if (holds(placed, stage.name) || !std::all_of(stage.needs.begin(), stage.needs.end(), ready)) continue;
      sorted.push_back(stage);
      placed.push_back(stage.name);
    }
    if (sorted.size() == before)
      throw UsageError(fmt::format("{}: stages need each other in a circle, without a first one", in.where));
  }
  in.stages = std::move(sorted);
}

}  // namespace

std::vector<std::string> names_in_braces(const std::string& text) {
  std::vector<std::string> out;
  (void)with_values(text, [&](const std::string& name) {
    out.push_back(name);
    return std::string();
  });
  return out;
}

Experiment parse_experiment(const std::string& text, const std::string& where) {
  const toml::table root = parse_toml_text(text, where);
  Experiment out;
  out.where = where;
  TomlReader reader(root, where, "");
  const toml::table* head = reader.table("experiment");
  if (head == nullptr) throw InputError(fmt::format("{}: there is no [experiment] with a name", where));
  TomlReader about(*head, where, "experiment");
  out.name = required_name(about, "name");
  out.out = about.text("out").value_or("runs/" + out.name);
  about.done();
  if (const toml::table* axes = reader.table("axes")) read_axes(*axes, out);
  for (const toml::table* stage : reader.tables("stage")) out.stages.push_back(read_stage(*stage, where));
  for (const toml::table* table : reader.tables("table")) out.tables.push_back(read_table(*table, where));
  for (const toml::table* figure : reader.tables("figure")) out.figures.push_back(read_figure(*figure, where));
  reader.done();
  if (out.stages.empty()) throw InputError(fmt::format("{}: there is no [[stage]], nothing to run", where));
  check(out);
  return out;
}

Experiment read_experiment(const std::string& path) { return parse_experiment(read_file(path), path); }

}  // namespace stride
