// The report: evaluations as one HTML file that needs nothing else.
#pragma once

#include "evaluation/evaluation_result.h"

#include <string>
#include <utility>
#include <vector>

namespace stride {

/// A stage of the work behind the evaluations, e.g. of `stride demo`.
struct ReportStage {
  std::string name;
  std::string summary;
  double seconds = 0;
};

/// Everything the page shows. The same data give the same bytes.
struct ReportData {
  std::string title = "Stride evaluation";
  std::string created;                                     ///< UTC, when the work was done (not when the page was made)
  std::vector<std::pair<std::string, std::string>> facts;  ///< machine and versions
  std::vector<ReportStage> stages;
  std::vector<std::string> commands;          ///< to reproduce it, as typed in a shell
  std::vector<EvaluationResult> evaluations;  ///< one section each
  std::vector<std::string> apart;             ///< of each evaluation: why it is not drawn with the first; empty: it is
};

/// The page. No script, no request: style, drawings and images are inside. Reads from 360 px up, light or dark as the
/// browser is. Throws InputError on images that are not PNG.
[[nodiscard]] std::string report_html(const ReportData& data);

/// The plots of a metric over NFE as files for a paper, name and bytes: rmse.svg, .pdf, .csv (data), fd.svg, …; those
/// of a second evaluation are 2-rmse.svg, ….
[[nodiscard]] std::vector<std::pair<std::string, std::string>> report_figures(const ReportData& data);

/// What run folders hold: results, images, command.txt and manifest.json (report.json, with the stages, where there is
/// one). Runs that can be compared share a section: why_apart (evaluation/joined_results.h) says which. Throws
/// InputError, naming the file, on a folder without results and on damaged files.
[[nodiscard]] ReportData load_report(const std::vector<std::string>& run_folders);

/// report.json: title, time, facts, stages and commands; the evaluations have files of their own.
[[nodiscard]] std::string report_json(const ReportData& data);
/// Reads report_json into `data`. Throws InputError, naming `where`.
void read_report_json(ReportData& data, const std::string& text, const std::string& where);

}  // namespace stride
