#include "framework/options.h"

#include "framework/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stride {
namespace {

void require(const Bounds& bounds, double value, const std::string& where) {
  if (!bounds.contains(value)) throw UsageError(fmt::format("{} must {}, not {}", where, bounds.demand(), value));
}

// "a", "a or b", "a, b or c".
std::string alternatives(const std::vector<std::string>& words) {
  if (words.size() < 2) return words.empty() ? std::string() : words.front();
  return fmt::format("{} or {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

[[noreturn]] void throw_unknown_key(const std::string& place, const std::string& key,
                                    const std::vector<std::string>& known) {
  const std::string near = nearest(key, known);
  const std::string help = known.empty()  ? "it takes none"
                           : near.empty() ? fmt::format("it takes {}", fmt::join(known, ", "))
                                          : fmt::format("did you mean '{}'?", near);
  throw UsageError(fmt::format("{} has no option '{}'; {}", place, key, help));
}

}  // namespace

Bounds any_number() { return {}; }

Bounds at_least(double low) {
  Bounds out;
  out.low_ = low;
  return out;
}

Bounds above(double low) {
  Bounds out = at_least(low);
  out.low_open_ = true;
  return out;
}

Bounds in_range(double low, double high) { return at_least(low).at_most(high); }

Bounds Bounds::at_most(double high) const {
  Bounds out = *this;
  out.high_ = high;
  return out;
}

Bounds Bounds::below(double high) const {
  Bounds out = at_most(high);
  out.high_open_ = true;
  return out;
}

Bounds Bounds::or_infinite() const {
  Bounds out = *this;
  out.infinite_ = true;
  return out;
}

bool Bounds::contains(double value) const noexcept {
  if (!std::isfinite(value) && !(infinite_ && value > 0.0)) return false;
  if (low_ && !(low_open_ ? value > *low_ : value >= *low_)) return false;
  return !high_ || (high_open_ ? value < *high_ : value <= *high_);
}

std::string Bounds::text() const {
  if (low_ && high_ && !low_open_ && !high_open_) return fmt::format("{} … {}", *low_, *high_);
  std::string out;
  if (low_) out = fmt::format("{} {}", low_open_ ? "above" : "at least", *low_);
  if (high_) out += fmt::format("{}{} {}", out.empty() ? "" : " and ", high_open_ ? "below" : "at most", *high_);
  return out;
}

std::string Bounds::demand() const {
  const std::string said = text();
  if (said.empty()) return "be a finite number";
  return (said.find("…") == std::string::npos ? "be " : "lie in ") + said;
}

double number_within(const std::string& text, const Bounds& bounds, const std::string& where) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double value = text == "inf" && bounds.contains(infinity) ? infinity : parse_number(text, where);
  require(bounds, value, where);
  return value;
}

int64_t integer_within(const std::string& text, const Bounds& bounds, const std::string& where) {
  const int64_t value = parse_integer(text, where);
  require(bounds, static_cast<double>(value), where);
  return value;
}

bool flag_of(const std::string& text, const std::string& where) {
  if (text == "true" || text == "1" || text == "yes") return true;
  if (text == "false" || text == "0" || text == "no") return false;
  throw UsageError(fmt::format("{} must be true or false, not '{}'", where, text));
}

std::size_t choice_of(const std::string& text, const std::vector<std::string>& words, const std::string& where) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found == words.end()) throw UsageError(fmt::format("{} must be {}, not '{}'", where, alternatives(words), text));
  return static_cast<std::size_t>(found - words.begin());
}

std::string written(double value) { return fmt::format("{}", value); }

std::string written(int64_t value) { return fmt::format("{}", value); }

std::string OptionInfo::text() const {
  if (argument) return name;
  if (choices.empty())
    return fmt::format("{}={}{}", name, fallback.empty() ? "…" : fallback,
                       allowed.empty() ? "" : fmt::format(" ({})", allowed));
  std::vector<std::string> words = choices;
  std::stable_partition(words.begin(), words.end(), [this](const std::string& word) { return word == fallback; });
  return fmt::format("{}={}", name, fmt::join(words, "|"));
}

std::string options_text(const std::vector<OptionInfo>& options) {
  std::vector<std::string> texts;
  for (const OptionInfo& option : options) texts.push_back(option.text());
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string place_of(const Spec& spec, const std::string& what) { return fmt::format("{} '{}'", what, spec.name); }

void throw_option(const std::string& place, const std::string& text) {
  throw UsageError(fmt::format("{}: {}", place, text));
}

std::vector<std::optional<std::string>> given_options(const Spec& spec, const std::string& what,
                                                      const std::vector<std::pair<OptionInfo, std::string>>& keys) {
  const std::string place = place_of(spec, what);
  std::vector<std::optional<std::string>> texts;
  std::vector<std::string> known;
  bool takes_argument = false;
  for (const auto& [info, also] : keys) {
    texts.emplace_back();
    if (info.argument) {
      takes_argument = true;
      if (spec.argument.empty()) throw_option(place, fmt::format("give {}: {}:{}", info.summary, spec.name, info.name));
      texts.back() = spec.argument;
      continue;
    }
    for (const std::string& key : {also, info.name}) {
      if (key.empty()) continue;
      known.push_back(key);
      if (const auto found = spec.options.find(key); found != spec.options.end()) texts.back() = found->second;
    }
  }
  if (!takes_argument && !spec.argument.empty())
    throw_option(place, fmt::format("'{}' is not key=value", spec.argument));
  for (const auto& [key, value] : spec.options)
    if (std::find(known.begin(), known.end(), key) == known.end()) throw_unknown_key(place, key, known);
  return texts;
}

}  // namespace stride
