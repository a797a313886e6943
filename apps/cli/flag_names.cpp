#include "apps/cli/flag_names.h"

#include <algorithm>

namespace stride {

std::string with_flags(const std::string& message, const std::set<std::string>& options) {
  std::string out;
  std::size_t at = 0;
  while (at < message.size()) {
    const std::size_t open = message.find('`', at);
    const std::size_t close = open == std::string::npos ? open : message.find('`', open + 1);
    if (close == std::string::npos) break;
    std::string name = message.substr(open + 1, close - open - 1);
    std::replace(name.begin(), name.end(), '_', '-');
    if (options.contains(name)) {
      out += message.substr(at, open - at) + "--" + name;
    } else {
      out += message.substr(at, close + 1 - at);
    }
    at = close + 1;
  }
  return out + message.substr(at);
}

}  // namespace stride
