// The stages of a piece of work that may take several processes.
#pragma once

#include "evaluation/report/report.h"

#include <cstddef>
#include <string>
#include <vector>

namespace stride {

/// Stages come in one order. Each is noted when it ends, in a file, and a later process takes it from there.
class StageNotes final {
 public:
  /// With what earlier processes noted. Throws InputError where the file is damaged.
  explicit StageNotes(std::string path);

  /// Whether an earlier process ended the stage that comes next, and its `result` is there: then it is passed over.
  [[nodiscard]] bool passes_over(const std::string& result);
  /// Notes the stage that comes next. Without a summary it was stopped, and a later process ends it. A stage that
  /// `goes_on` from what an earlier process left has taken the seconds of both. Throws as write_file_atomic.
  const ReportStage& note(const std::string& name, const std::string& summary, double seconds, bool goes_on = false);

  [[nodiscard]] const std::vector<ReportStage>& all() const noexcept { return stages_; }

 private:
  std::string path_;
  std::vector<ReportStage> stages_;
  std::size_t next_ = 0;
};

}  // namespace stride
