#include "pipeline/embedded.h"

namespace stride {

std::optional<std::string_view> embedded_file(const std::string& name) {
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.name == name) return file.bytes;
  }
  return std::nullopt;
}

}  // namespace stride
