#include "neural/foreign/foreign_call.h"

#include "framework/error.h"
#include "framework/out_of_memory.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

namespace stride {
namespace {

// TorchScript puts its traceback first, and what was wrong on the last line.
constexpr const char* kInterpreter = "The following operation failed in the TorchScript interpreter";

std::string last_line(const std::string& text) {
  std::istringstream lines(text);
  std::string last;
  for (std::string line; std::getline(lines, line);)
    if (line.find_first_not_of(" \t\r^~<-") != std::string::npos && line.find("HERE") == std::string::npos) last = line;
  return last;
}

}  // namespace

std::string foreign_message(const std::exception& error) {
  const auto* const torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch != nullptr ? torch->what_without_backtrace() : error.what();
  if (const auto place = text.find(kInterpreter); place != std::string::npos) return last_line(text.substr(place));
  return text.substr(0, text.find('\n'));
}

void rethrow_foreign(const std::exception& error, const std::string& where, bool ran_out) {
  if (dynamic_cast<const Error*>(&error) != nullptr || is_out_of_memory(error)) throw;
  if (ran_out)
    throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, fmt::format("{}: the network found no memory", where));
  throw c10::Error({__func__, __FILE__, __LINE__},
                   fmt::format("{}: the network failed: {}", where, foreign_message(error)));
}

Tensor checked_answer(Tensor answer, const Tensor& input, const std::string& where) {
  if (!answer.defined() || !answer.is_floating_point())
    throw InputError(fmt::format("{}: the network does not return a floating-point tensor first", where));
  const auto found = answer.sizes(), wanted = input.sizes();
  bool fits = found.size() == wanted.size();
  for (std::size_t i = 0; fits && i < found.size(); ++i)
    fits = found[i] == wanted[i] || (i == 1 && found[i] == 2 * wanted[i]);
  if (!fits)
    throw InputError(
        fmt::format("{}: the network returns [{}] for an input of [{}]; it must have the input's shape, or twice its "
                    "channels where it says its variance too",
                    where, fmt::join(found, ", "), fmt::join(wanted, ", ")));
  return answer;
}

}  // namespace stride
