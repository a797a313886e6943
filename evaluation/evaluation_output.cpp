#include "evaluation/evaluation_output.h"

#include "framework/files/file.h"
#include "framework/files/hash.h"

namespace stride {

void save_evaluation(const std::string& folder, const EvaluationResult& result) {
  for (const auto& [name, bytes] : evaluation_files(result)) {
    const std::string path = folder + "/" + name;
    // Each sampler adds its own files beside the results; those of the others lie there since it was theirs.
    const bool beside = !name.starts_with("results.");
    if (beside && file_exists(path) && xxh3_128_file(path) == xxh3_128(bytes)) continue;
    write_file_atomic(path, bytes);
  }
}

}  // namespace stride
