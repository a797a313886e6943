#include "framework/named.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {

UsageError unknown_name(const std::string& what, const std::string& name, const std::vector<std::string>& known,
                        const std::vector<std::string>& listed, const std::string& compared) {
  const std::string near = nearest(compared.empty() ? name : compared, known);
  return UsageError(fmt::format(
      "unknown {} '{}'; {}", what, name,
      near.empty() ? fmt::format("there are {}", fmt::join(listed, ", ")) : fmt::format("did you mean '{}'?", near)));
}

}  // namespace stride
