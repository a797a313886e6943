#include "evaluation/report/stage_notes.h"

#include "framework/files/file.h"

#include <utility>

namespace stride {

StageNotes::StageNotes(std::string path) : path_(std::move(path)) {
  if (!file_exists(path_)) return;
  ReportData earlier;
  read_report_json(earlier, read_file(path_), path_);
  stages_ = std::move(earlier.stages);
}

bool StageNotes::passes_over(const std::string& result) {
  if (next_ >= stages_.size() || stages_[next_].summary.empty() || !file_exists(result)) return false;
  ++next_;
  return true;
}

const ReportStage& StageNotes::note(const std::string& name, const std::string& summary, double seconds, bool goes_on) {
  if (next_ == stages_.size()) stages_.emplace_back();
  ReportStage& stage = stages_[next_++];
  stage = {name, summary, goes_on ? stage.seconds + seconds : seconds};
  ReportData data;
  data.stages = stages_;
  write_file_atomic(path_, report_json(data));
  return stage;
}

}  // namespace stride
