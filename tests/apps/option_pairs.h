// Every pair of a command's options, tried through the whole command: none is ignored in silence. A command's settings
// are named here by hand; its option table says which of them there must be.
#pragma once

#include "apps/cli/command.h"
#include "apps/commands/commands.h"
#include "apps/program.h"
#include "framework/files/hash.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stride::testing {

using Words = std::vector<std::string>;

/// Standard output and error go to files while this lives.
class Quiet final {
 public:
  Quiet(const std::string& out, const std::string& err) : out_(dup(1)), err_(dup(2)) {
    std::fflush(nullptr);
    to(out, 1);
    to(err, 2);
  }
  ~Quiet() {
    std::fflush(nullptr);
    dup2(out_, 1);
    dup2(err_, 2);
    close(out_);
    close(err_);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  static void to(const std::string& path, int descriptor) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(file, descriptor);
    close(file);
  }
  int out_, err_;
};

/// An option with a value that changes something, and with what it cannot be without.
struct PairSetting {
  std::string name;                                          ///< unique among the settings
  std::string option;                                        ///< that it is about
  std::vector<std::pair<std::string, std::string>> options;  ///< in full; a flag has no value
};

/// One command: how it is run small, and how its options go together.
struct PairCommand {
  std::string name;
  Words base = {};  ///< what every run has; `{out}` at the start of a word is a new folder
  std::vector<PairSetting> settings = {};
  /// Options that are no part of pairs, and why.
  std::map<std::string, std::string> aside = {};
  /// Settings that alone change nothing that is looked at, and why.
  std::map<std::string, std::string> idle = {};
  /// Pairs in which one adds nothing to the other, and why.
  std::map<std::set<std::string>, std::string> known = {};
  /// What a run gave, as text that is equal for equal results; `out` is its folder, `printed` its standard output.
  std::function<std::string(const std::string& out, const std::string& printed)> result = {};
};

struct PairOutcome {
  int code = 0;
  std::string said, result;
  [[nodiscard]] bool warned() const { return said.find("warning: ") != std::string::npos; }
  [[nodiscard]] bool refused() const { return code == 2; }
};

class PairRunner final {
 public:
  /// Files that options name lie in `folder`; a word `@name` is the file `name` there, and so is what follows an `@`
  /// within a word.
  PairRunner(PairCommand command, const TemporaryFolder& folder) : command_(std::move(command)), folder_(folder) {}

  [[nodiscard]] PairOutcome operator()(const Words& more) const {
    const std::string out = folder_ / fmt::format("{}-{}", command_.name, runs_++);
    Words words = {command_.name};
    for (const Words* part : {&command_.base, &more})
      for (const std::string& word : *part)
        words.push_back(word.starts_with("{out}") ? out + word.substr(5) : in_place(word));
    PairOutcome outcome;
    {
      const Quiet quiet(folder_ / "out.txt", folder_ / "err.txt");
      outcome.code = run_program(words);
    }
    if (outcome.code == 4) outcome.code = 0;  // samples that did not end well are a result too
    outcome.said = slurp(folder_ / "err.txt");
    if (outcome.code == 0) outcome.result = command_.result(out, slurp(folder_ / "out.txt"));
    std::filesystem::remove_all(out);
    return outcome;
  }

  /// Each setting alone: it changes the result, is refused, or a warning says that it does nothing.
  void alone() {
    plain_ = (*this)({});
    INFO(command_.name << ": " << plain_.said);
    REQUIRE(plain_.code == 0);
    REQUIRE_FALSE(plain_.result.empty());
    REQUIRE((*this)({}).result == plain_.result);
    for (const PairSetting& setting : command_.settings) {
      const PairOutcome outcome = (*this)(words_of(setting));
      INFO(command_.name << ", " << setting.name << ": " << outcome.said);
      CHECK((outcome.code == 0 || outcome.refused()));
      const bool idle = command_.idle.contains(setting.name);
      CHECK((outcome.refused() || idle || outcome.result != plain_.result || says(outcome, setting)));
      if (idle) CHECK(outcome.result == plain_.result);
      alone_[setting.name] = outcome;
    }
  }

  /// Every pair whose place in the list is `part` modulo `parts`. Call alone() before.
  void pairs(std::size_t part = 0, std::size_t parts = 1) {
    std::size_t place = 0;
    for (std::size_t i = 0; i < command_.settings.size(); ++i)
      for (std::size_t j = i + 1; j < command_.settings.size(); ++j)
        if (place++ % parts == part) pair(command_.settings[i], command_.settings[j]);
  }

  /// Options of the table that neither a setting nor `aside` names, and names that the table does not have.
  void covers_the_table() const {
    const auto commands = make_commands();
    const auto found = std::find_if(commands.begin(), commands.end(),
                                    [&](const auto& one) { return one->info().name == command_.name; });
    REQUIRE(found != commands.end());
    std::set<std::string> table, named;
    for (const Option& option : full_table((*found)->info())) table.insert(option.name);
    for (const PairSetting& setting : command_.settings) named.insert(setting.option);
    for (const auto& [option, why] : command_.aside) named.insert(option);
    for (const std::string& option : table) {
      INFO("stride " << command_.name << " --" << option << ": say in tests/apps how it goes with the others");
      CHECK(named.contains(option));
    }
    for (const std::string& option : named) {
      INFO("stride " << command_.name << " has no --" << option);
      CHECK(table.contains(option));
    }
  }

 private:
  [[nodiscard]] std::string in_place(const std::string& word) const {
    const auto at = word.find('@');
    return at == std::string::npos || word.find("@", at + 1) != std::string::npos || std::isdigit(word[at + 1]) != 0
               ? word
               : word.substr(0, at) + (folder_ / word.substr(at + 1));
  }

  // Both, none when they want different values of one option.
  static std::optional<Words> together(const PairSetting& a, const PairSetting& b) {
    std::map<std::string, std::string> all(a.options.begin(), a.options.end());
    for (const auto& [option, value] : b.options)
      if (!all.emplace(option, value).second && all.at(option) != value) return std::nullopt;
    Words words;
    for (const auto& [option, value] : all) {
      words.push_back(option);
      if (!value.empty()) words.push_back(value);
    }
    return words;
  }
  static Words words_of(const PairSetting& setting) { return *together(setting, setting); }
  static bool says(const PairOutcome& outcome, const PairSetting& setting) {
    return outcome.warned() && outcome.said.find("--" + setting.option) != std::string::npos;
  }

  void pair(const PairSetting& a, const PairSetting& b) {
    const auto words = together(a, b);
    const auto contains = [](const PairSetting& outer, const PairSetting& inner) {
      return std::all_of(inner.options.begin(), inner.options.end(), [&](const auto& option) {
        return std::find(outer.options.begin(), outer.options.end(), option) != outer.options.end();
      });
    };
    if (!words || contains(a, b) || contains(b, a) || command_.known.contains({a.name, b.name})) return;
    const PairOutcome both = (*this)(*words);
    INFO(
        fmt::format("stride {}: {} and {} ({}): {}", command_.name, a.name, b.name, fmt::join(*words, " "), both.said));
    CHECK((both.code == 0 || both.refused()));
    if (both.code != 0) return;
    for (const auto& [one, other] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      // `other` does nothing beside `one`: somebody must say so, unless it does nothing by itself.
      const PairOutcome& without = alone_.at(one->name);
      if (without.code != 0 || both.result != without.result) continue;
      const bool idle = command_.idle.contains(other->name) || says(alone_.at(other->name), *other);
      INFO("--" << other->option << " changes nothing beside --" << one->option);
      CHECK((idle || says(both, *other) || says(both, *one)));
    }
  }

  PairCommand command_;
  const TemporaryFolder& folder_;
  PairOutcome plain_;
  std::map<std::string, PairOutcome> alone_;
  mutable int runs_ = 0;
};

/// The commands: option_pairs_sampling.cpp and option_pairs_fitting.cpp write their files into `folder`.
[[nodiscard]] std::vector<PairCommand> sampling_pairs(const TemporaryFolder& folder);
[[nodiscard]] std::vector<PairCommand> fitting_pairs(const TemporaryFolder& folder);
[[nodiscard]] std::vector<PairCommand> reading_pairs(const TemporaryFolder& folder);

/// Options that every command has, and why they are no part of pairs.
[[nodiscard]] std::map<std::string, std::string> common_aside();
/// The same with those of commands that compute.
[[nodiscard]] std::map<std::string, std::string> computing_aside();

/// A digest of tensors in the order of their names, or of text.
[[nodiscard]] std::string digest(const std::map<std::string, at::Tensor>& tensors);

}  // namespace stride::testing
