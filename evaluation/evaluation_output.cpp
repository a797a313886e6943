#include "evaluation/evaluation_output.h"

#include "framework/files/file.h"

namespace stride {

void save_evaluation(const std::string& folder, const EvaluationResult& result) {
  for (const auto& [name, bytes] : evaluation_files(result)) write_file_atomic(folder + "/" + name, bytes);
}

}  // namespace stride
