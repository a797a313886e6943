// Options of a `NAME:key=value` text, each declared once: how it is read, what is said when it is wrong, and how it is
// listed all follow from here.
#pragma once

#include "framework/card.h"
#include "framework/spec.h"

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace stride {

/// Which numbers an option takes. Made by the functions below; finite numbers only, unless or_infinite().
class Bounds final {
 public:
  [[nodiscard]] Bounds at_most(double high) const;
  [[nodiscard]] Bounds below(double high) const;
  [[nodiscard]] Bounds or_infinite() const;

  [[nodiscard]] bool contains(double value) const noexcept;
  /// "1 … 3", "at least 0", "above 0 and below 1"; empty where every number will do.
  [[nodiscard]] std::string text() const;
  /// What a value must do, for messages: "lie in 1 … 3", "be at least 0".
  [[nodiscard]] std::string demand() const;

  friend Bounds any_number();
  friend Bounds at_least(double low);
  friend Bounds above(double low);
  friend Bounds in_range(double low, double high);

 private:
  std::optional<double> low_ = {}, high_ = {};
  bool low_open_ = false, high_open_ = false, infinite_ = false;
};
[[nodiscard]] Bounds any_number();
[[nodiscard]] Bounds at_least(double low);
[[nodiscard]] Bounds above(double low);
[[nodiscard]] Bounds in_range(double low, double high);  ///< both ends included

/// The value of a text, or a UsageError that begins with `where`.
[[nodiscard]] double number_within(const std::string& text, const Bounds& bounds, const std::string& where);
[[nodiscard]] int64_t integer_within(const std::string& text, const Bounds& bounds, const std::string& where);
[[nodiscard]] bool flag_of(const std::string& text, const std::string& where);
[[nodiscard]] std::size_t choice_of(const std::string& text, const std::vector<std::string>& words,
                                    const std::string& where);

/// How a value is written.
[[nodiscard]] std::string written(double value);
[[nodiscard]] std::string written(int64_t value);
template <class V>
[[nodiscard]] std::string written(const std::optional<V>& value) {
  return value ? written(*value) : std::string();
}

/// One option, bound to a member of T.
template <class T>
struct OptionRow {
  OptionInfo info;
  std::function<void(T&, const std::string& text, const std::string& where)> set;
  std::function<std::string(const T&)> show;  ///< the member's value as it would be written
  std::string also = {};                      ///< another key under which it is read
  std::function<bool(const T&)> fits = {};    ///< whether it has a meaning beside the others; empty: always
  std::string owner = {};                     ///< the option that it belongs to, for the message

  /// The default as it is listed, where the member's value would not say it: "N/2".
  [[nodiscard]] OptionRow listed_as(const std::string& text) const {
    OptionRow out = *this;
    out.show = [text](const T&) { return text; };
    return out;
  }
  [[nodiscard]] OptionRow also_as(const std::string& key) const {
    OptionRow out = *this;
    out.also = key;
    return out;
  }
  /// Refused, where it is given, unless `holds` of the options; `text` says when that is: "variant=edm".
  template <class Holds>
  [[nodiscard]] OptionRow belongs_to(const std::string& text, Holds holds) const {
    OptionRow out = *this;
    out.fits = std::move(holds);
    out.owner = text;
    return out;
  }
};

/// Members that hold a V, or a V where one was given.
template <class F, class V>
concept Holds = std::same_as<F, V> || std::same_as<F, std::optional<V>>;

template <class T, Holds<double> F>
[[nodiscard]] OptionRow<T> number(const std::string& name, F T::*member, const Bounds& bounds,
                                  const std::string& summary) {
  return {{.name = name, .allowed = bounds.text(), .summary = summary},
          [=](T& out, const std::string& text, const std::string& where) {
            out.*member = number_within(text, bounds, where);
          },
          [=](const T& from) { return written(from.*member); }};
}

template <class T, Holds<int64_t> F>
[[nodiscard]] OptionRow<T> integer(const std::string& name, F T::*member, const Bounds& bounds,
                                   const std::string& summary) {
  return {{.name = name, .allowed = bounds.text(), .summary = summary},
          [=](T& out, const std::string& text, const std::string& where) {
            out.*member = integer_within(text, bounds, where);
          },
          [=](const T& from) { return written(from.*member); }};
}

/// true or false; 1, 0, yes and no are read too.
template <class T>
[[nodiscard]] OptionRow<T> flag(const std::string& name, bool T::*member, const std::string& summary) {
  return {{.name = name, .choices = {"true", "false"}, .summary = summary},
          [=](T& out, const std::string& text, const std::string& where) { out.*member = flag_of(text, where); },
          [=](const T& from) { return std::string(from.*member ? "true" : "false"); }};
}

/// One of `words`, each with the value that it stands for.
template <class T, class V>
[[nodiscard]] OptionRow<T> choice(const std::string& name, V T::*member,
                                  const std::type_identity_t<std::vector<std::pair<std::string, V>>>& words,
                                  const std::string& summary) {
  std::vector<std::string> names;
  for (const auto& [word, value] : words) names.push_back(word);
  return {{.name = name, .choices = names, .summary = summary},
          [=](T& out, const std::string& text, const std::string& where) {
            out.*member = words[choice_of(text, names, where)].second;
          },
          [=](const T& from) {
            for (const auto& [word, value] : words)
              if (value == from.*member) return word;
            return std::string();
          }};
}

/// Any text; empty by default. `form` says how it is written, for lists: "LOW-HIGH".
template <class T>
[[nodiscard]] OptionRow<T> text_option(const std::string& name, std::string T::*member, const std::string& form,
                                       const std::string& summary) {
  return {{.name = name, .allowed = form, .summary = summary},
          [=](T& out, const std::string& text, const std::string&) { out.*member = text; },
          [=](const T& from) { return from.*member; }};
}

/// What comes first and has no key; without it there is nothing to make. `summary` says what it is.
template <class T>
[[nodiscard]] OptionRow<T> argument(const std::string& form, std::string T::*member, const std::string& summary) {
  return {{.name = form, .summary = summary, .argument = true},
          [=](T& out, const std::string& text, const std::string&) { out.*member = text; },
          [](const T&) { return std::string(); }};
}

/// The texts that `spec` gives for `keys` (each with its second key, where it has one), one per key. Throws UsageError
/// on a key that nobody knows ("did you mean") and on an argument that is missing or not wanted.
[[nodiscard]] std::vector<std::optional<std::string>> given_options(
    const Spec& spec, const std::string& what, const std::vector<std::pair<OptionInfo, std::string>>& keys);
/// "solver 'heun'": what messages begin with.
[[nodiscard]] std::string place_of(const Spec& spec, const std::string& what);
[[noreturn]] void throw_option(const std::string& place, const std::string& text);

/// The options that something takes, read together into a T. The defaults are those of T{}, or of with().
template <class T>
class Options final {
 public:
  [[nodiscard]] const T& defaults() const noexcept { return defaults_; }
  [[nodiscard]] Options with(T defaults) const {
    Options out = *this;
    out.defaults_ = std::move(defaults);
    return out;
  }
  /// What must hold of the options together; `text` says it in a message.
  template <class Holds>
  [[nodiscard]] Options check(Holds holds, std::string text) const {
    Options out = *this;
    out.rules_.emplace_back(std::move(holds), std::move(text));
    return out;
  }

  /// One option of T, or of a base of it.
  template <class U>
  void add(const OptionRow<U>& row) {
    rows_.push_back({row.info, row.set, row.show, row.also, row.fits, row.owner});
  }
  /// The options, defaults and rules of a base of T.
  template <class U>
  void add(const Options<U>& part) {
    static_cast<U&>(defaults_) = part.defaults_;
    for (const auto& row : part.rows_) add(row);
    for (const auto& rule : part.rules_) rules_.emplace_back(rule);
  }

  /// `what` names the kind of thing in messages: "solver". Throws UsageError on an option that is unknown or wrong.
  [[nodiscard]] T read(const Spec& spec, const std::string& what) const {
    std::vector<std::pair<OptionInfo, std::string>> keys;
    for (const auto& row : rows_) keys.emplace_back(row.info, row.also);
    const auto texts = given_options(spec, what, keys);
    const std::string place = place_of(spec, what);
    T out = defaults_;
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (texts[i]) rows_[i].set(out, *texts[i], place + ": " + rows_[i].info.name);
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (texts[i] && rows_[i].fits && !rows_[i].fits(out))
        throw_option(place, rows_[i].info.name + " belongs to " + rows_[i].owner);
    for (const auto& [holds, text] : rules_)
      if (!holds(out)) throw_option(place, text);
    return out;
  }

  /// For lists.
  [[nodiscard]] std::vector<OptionInfo> infos() const {
    std::vector<OptionInfo> out;
    for (const auto& row : rows_) {
      out.push_back(row.info);
      out.back().fallback = row.show(defaults_);
    }
    return out;
  }

 private:
  template <class U>
  friend class Options;

  T defaults_ = {};
  std::vector<OptionRow<T>> rows_ = {};
  std::vector<std::pair<std::function<bool(const T&)>, std::string>> rules_ = {};
};

/// `parts`: options of T and of its bases, and Options of its bases.
template <class T, class... Parts>
[[nodiscard]] Options<T> options(const Parts&... parts) {
  Options<T> out;
  (out.add(parts), ...);
  return out;
}

/// For what takes none.
struct NoOptions {};

}  // namespace stride
