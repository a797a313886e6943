// stride inspect: what a file holds.
#include "apps/cli/command.h"
#include "apps/cli/streams.h"
#include "evaluation/inspect.h"
#include "framework/files/printable.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

std::string cell(const Json& value) {
  if (value.is_string()) {
    std::string text = value.get<std::string>();
    while (text.ends_with('\n')) text.pop_back();
    return printable(text, Lines::escaped);
  }
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& element : value) out += (out.empty() ? "" : ", ") + cell(element);
  return value.empty() || value[0].is_array() ? "[" + out + "]" : out;
}

std::string lines(const Json& object, const std::string& indent) {
  std::size_t width = 0;
  for (const auto& [name, value] : object.items()) width = std::max(width, name.size());
  std::string out;
  for (const auto& [key, value] : object.items()) {
    const std::string name = printable(key, Lines::escaped);
    if (value.is_object()) {
      out += indent + name + "\n" + lines(value, indent + "  ");
      continue;
    }
    const std::string text = cell(value);
    out += fmt::format("{}{:{}}  {}\n", indent, name, width, text);
  }
  return out;
}

class InspectCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    if (context.arguments().size() != 1) throw UsageError("stride inspect needs one file or folder");
    const std::string& path = context.arguments()[0];
    if (context.dry_run()) return context.plan({{"reads", path}});
    const Json out = inspect(path);
    context.print(lines(out, ""));
    if (context.json()) write_result(out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return ExitCode::ok;
  }

 private:
  CommandInfo info_{.name = "inspect",
                    .summary = "what a file holds: card, weights, samples, images, store, plan, run folder",
                    .arguments = "FILE",
                    .example =
                        "stride inspect runs/20260131T120000Z-sample-0badcafe/samples.h5\n"
                        "prints the shape, the seeds, the solver and simple statistics"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_inspect() { return std::make_unique<InspectCommand>(); }

}  // namespace stride
