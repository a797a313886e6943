#include "pipeline/store_path.h"

#include "datasets/store/trajectory_store.h"
#include "framework/error.h"

#include <fmt/format.h>

namespace stride {

std::string find_store(const std::string& path) {
  if (is_trajectory_store(path)) return path;
  const std::string inside = path + "/" + kStoreFolder;
  if (is_trajectory_store(inside)) return inside;
  throw InputError(fmt::format("{}: no trajectory store here; `stride record` makes one", path));
}

}  // namespace stride
