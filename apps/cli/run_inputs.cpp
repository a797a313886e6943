#include "apps/cli/run_inputs.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_place.h"
#include "framework/files/json_text.h"
#include "framework/files/seal.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace stride {

RunInputs::RunInputs(const std::string& folder) : folder_(folder) {
  const std::string path = folder + "/manifest.json";
  auto manifest = parse_ordered_json_text(read_file(path), path);
  (void)take_seal(manifest, path);
  const auto inputs = JsonPlace<nlohmann::ordered_json>(manifest, path).find("inputs");
  if (!inputs) return;
  for (const auto& input : inputs->list()) inputs_.push_back({input.at("path").text(), input.at("sha256").text()});
}

void RunInputs::add(const std::string& path, const std::string& sha256) {
  const auto found =
      std::find_if(inputs_.begin(), inputs_.end(), [&](const InputFile& input) { return input.path == path; });
  if (found == inputs_.end()) {
    inputs_.push_back({path, sha256});
  } else if (found->sha256 != sha256) {
    throw InputError(
        fmt::format("{}{} has changed since the run began (SHA-256 {:.8}… then, {:.8}… now): bring the old one back, "
                    "or start a new run",
                    folder_.empty() ? "" : fmt::format("`resume` {}: ", folder_), path, found->sha256, sha256));
  }
}

}  // namespace stride
