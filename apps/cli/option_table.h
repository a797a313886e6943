// What a subcommand's options look like, and the typed values they end up with.
#pragma once

#include "pipeline/familiar/config_document.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stride {

/// What an option's value names as a place for results: looked at before the work (apps/cli/outputs.h).
enum class Writes { nothing, file, folder, new_folder };

/// One option of one command. Written with designated initialisers:
///   {.name = "steps", .kind = ValueKind::integer, .fallback = "18", .value = "N", .help = "intervals of the grid",
///    .group = "Sampling", .key = "sampling.steps"}
struct Option {
  std::string name;  ///< after the two dashes
  ValueKind kind = ValueKind::text;
  std::string fallback = {};              ///< default as text; empty: none (a flag's default is false)
  std::string value = "VALUE";            ///< what --help calls the value
  std::string help = {};                  ///< one line, lower case, no full stop
  std::string group = "Options";          ///< heading in --help
  std::string key = {};                   ///< key.path in --config, --set and config.toml; empty: command line only
  bool repeatable = false;                ///< may be given several times; values keep their order
  std::vector<std::string> choices = {};  ///< the only values allowed; empty: any
  char letter = 0;                        ///< one-letter form, 0: none
  bool may_change = false;                ///< --resume accepts another value than the first run's
  Writes writes = Writes::nothing;        ///< whether the value names an output
};
using OptionTable = std::vector<Option>;

/// `a`, then `b`.
[[nodiscard]] OptionTable operator+(OptionTable a, const OptionTable& b);

/// Where a value came from; later ones win.
enum class ValueSource { fallback, config, set, command_line };

/// The values of all options of one command, checked against its table.
class OptionValues final {
 public:
  explicit OptionValues(OptionTable table);

  [[nodiscard]] const OptionTable& table() const noexcept { return table_; }
  /// Whether the table has such an option.
  [[nodiscard]] bool knows(const std::string& name) const { return values_.contains(name); }
  /// True if there is a value: given, or a default.
  [[nodiscard]] bool has(const std::string& name) const;
  /// True if somebody gave it: in a file, with --set or on the command line.
  [[nodiscard]] bool given(const std::string& name) const;
  /// True if somebody wants it so: given, and not the default that a configuration with every setting (config.toml,
  /// --print-config) merely repeats.
  [[nodiscard]] bool asked(const std::string& name) const;

  /// Typed access. Asking for an option that the table does not have, or with another type than the
  /// table's, is a std::logic_error; asking for one without a value a UsageError that names the option.
  [[nodiscard]] const std::string& text(const std::string& name) const;
  [[nodiscard]] std::string text_or(const std::string& name, const std::string& otherwise) const;
  [[nodiscard]] int64_t integer(const std::string& name) const;
  [[nodiscard]] double number(const std::string& name) const;
  [[nodiscard]] bool flag(const std::string& name) const;
  [[nodiscard]] const std::vector<std::string>& list(const std::string& name) const;

  /// All values as text, whatever the kind; none where there is no value.
  [[nodiscard]] const std::vector<std::string>& values(const std::string& name) const {
    return values_.at(name).values;
  }

  /// The words that belong to no option.
  [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }

  /// Throws UsageError when a value does not fit the option's kind or choices.
  void set(const std::string& name, std::vector<std::string> values, ValueSource source, const std::string& where);
  void set_arguments(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }

  /// Sentences for the reader of a run about its configuration, shown once there is a log.
  void note(std::string sentence) { notes_.push_back(std::move(sentence)); }
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }

  /// Every option that has a key and a value, as TOML: what --print-config prints and config.toml holds.
  /// Reading it back gives the same values.
  [[nodiscard]] std::string to_toml(const std::string& command) const;

 private:
  struct Value {
    std::vector<std::string> values;
    ValueSource source = ValueSource::fallback;
  };
  [[nodiscard]] const Option& option(const std::string& name) const;
  [[nodiscard]] const Value& value(const std::string& name, ValueKind kind) const;

  OptionTable table_;
  std::map<std::string, Value> values_;
  std::vector<std::string> arguments_;
  std::vector<std::string> notes_;
};

/// Reads the settings of a `--config` file into `values`. Unknown keys and values of the wrong type are UsageErrors
/// that name the key and the file. Another project's settings take the place of Stride's keys.
void apply_config(OptionValues& values, const ConfigDocument& config, const std::string& command);

/// One `--set key.path=value`, typed by the table.
void apply_set(OptionValues& values, const std::string& assignment);

/// Parses `words` (without program and command) into `values`: exact names only. An unknown option is a
/// UsageError with 'did you mean'.
void apply_command_line(OptionValues& values, const std::vector<std::string>& words);

/// The grouped help of a table, `width` columns wide.
[[nodiscard]] std::string options_help(const OptionTable& table, int width);

}  // namespace stride
