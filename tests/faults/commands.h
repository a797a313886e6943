// Every command that writes, in a setting so small that a run takes a fraction of a second.
#pragma once

#include "tests/faults/runs.h"
#include "tests/temporary_folder.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stride::testing {

/// A command as the suites of this folder run it.
struct Case {
  std::string name;
  Words words;
  std::vector<Words> before = {};         ///< what must have run in the folder
  std::string folder = "run";             ///< its run folder; empty: it has none
  std::vector<std::string> outputs = {};  ///< further files and folders that it writes
};

[[nodiscard]] const std::vector<Case>& cases();
[[nodiscard]] const Case& case_named(const std::string& name);

/// A folder with everything that a case needs, made once a program.
[[nodiscard]] const std::string& template_of(const Case& one);

/// A copy of template_of, in memory where there is room.
class Scene final {
 public:
  explicit Scene(const Case& one);
  [[nodiscard]] const std::string& folder() const { return place_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return place_ + "/" + name; }
  /// The case's own command.
  [[nodiscard]] Run command() const;
  /// What a person does after a failure: --resume where there is something to resume, else the command again.
  [[nodiscard]] Run again() const;

 private:
  const Case& case_;
  TemporaryFolder folder_;
  std::string place_;
};

/// Path (relative) to content, of all that a command leaves in view: no locks, no temporaries.
using View = std::map<std::string, std::string>;
[[nodiscard]] View view_of(const std::string& folder);

/// What two undisturbed runs agree in, and nothing else, is what every other run is held to.
class Undisturbed final {
 public:
  explicit Undisturbed(const Case& one);
  /// The first difference of the results in `folder`, in words; empty where there is none. With `more`, files beside
  /// them are no difference.
  [[nodiscard]] std::string difference(const std::string& folder, bool more = false) const;
  [[nodiscard]] const Ended& ended() const { return ended_; }
  [[nodiscard]] const View& files() const { return first_; }

 private:
  const Case& case_;
  Ended ended_;
  View first_, second_;
};
[[nodiscard]] const Undisturbed& undisturbed(const Case& one);

/// What is wrong with what is in view after a run that did not end well; empty: nothing. `verify` finds no damage, and
/// what says 'done' is there only with everything else.
[[nodiscard]] std::string wrong_in_view(const Case& one, const std::string& folder);
/// Runs it again and compares with undisturbed runs: what is wrong, or nothing.
[[nodiscard]] std::string wrong_after_retry(const Case& one, const Scene& scene);

}  // namespace stride::testing
