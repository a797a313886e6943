#include "pipeline/familiar/python_file.h"

#include "framework/error.h"
#include "pipeline/embedded.h"

#include <fmt/format.h>

#include <set>
#include <sstream>
#include <string_view>

namespace stride {
namespace {

constexpr std::string_view kDocstring = "\"\"\"";

class Writer final {
 public:
  explicit Writer(const std::map<std::string, std::string>& values) : values_(values) {}

  void add(const std::string& module, bool outermost) {
    const auto file = embedded_file(module + ".py");
    if (!file) throw UsageError(fmt::format("there is no module {} to export", module));
    std::istringstream lines{std::string(*file)};
    std::string line;
    bool begins = true;
    for (bool docstring = !outermost; std::getline(lines, line);) {
      if (docstring) {  // what the module says of itself is not for the file's reader
        const bool one_line = line.starts_with(kDocstring) && line.size() > kDocstring.size();
        docstring = !(one_line && line.ends_with(kDocstring)) && line != kDocstring;
        continue;
      }
      if (line.empty() && !outermost && begins) continue;
      begins = false;
      if (line.starts_with("from ."))
        import(line);
      else if (line.starts_with("import ") && !imports_.insert(line).second)
        continue;
      else
        put(line);
    }
  }

  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  void import(const std::string& line) {
    const std::string module = line.substr(6, line.find(' ', 6) - 6);
    if (modules_.insert(module).second) add(module, false);
  }

  void put(const std::string& line) {
    const auto value = values_.find(line.substr(0, line.find(" = ")));
    const bool third = line.empty() && text_.ends_with("\n\n\n");
    if (!third) text_ += (value == values_.end() ? line : value->first + " = " + value->second) + "\n";
  }

  const std::map<std::string, std::string>& values_;
  std::set<std::string> imports_, modules_;
  std::string text_;
};

}  // namespace

std::string python_file(const std::string& module, const std::map<std::string, std::string>& values,
                        const std::string& comment) {
  Writer writer(values);
  writer.add(module, true);
  return "# " + comment + "\n" + std::move(writer).text();
}

}  // namespace stride
