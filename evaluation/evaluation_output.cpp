#include "evaluation/evaluation_output.h"

#include "framework/files/file.h"

namespace stride {

void save_evaluation(const std::string& folder, const EvaluationResult& result) {
  const std::string last = "results.json";
  const auto files = evaluation_files(result);
  for (const auto& [name, bytes] : files)
    if (name != last) write_file_atomic(folder + "/" + name, bytes);
  write_file_atomic(folder + "/" + last, files.at(last));
}

}  // namespace stride
