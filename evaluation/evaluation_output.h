// The results of an evaluation as files of its run folder.
#pragma once

#include "evaluation/evaluation_result.h"

#include <string>

namespace stride {

/// Writes evaluation_files into `folder`, which exists: the images and what each seed came to, results.csv, and last
/// results.json, which lists the others with their checksums. Throws as write_file_atomic.
void save_evaluation(const std::string& folder, const EvaluationResult& result);

}  // namespace stride
