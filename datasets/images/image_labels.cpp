#include "datasets/images/image_labels.h"

#include "framework/error.h"
#include "framework/files/json_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace stride {
namespace {

constexpr int64_t kMaxClasses = 1'000'000;

std::string first_folder(const std::string& name, std::size_t from) {
  const std::size_t slash = name.find('/', from);
  return slash == std::string::npos ? "" : name.substr(from, slash - from);
}

}  // namespace

ImageLabels labels_of_folders(const std::vector<std::string>& names, const std::string& where) {
  static const std::set<std::string> kParts = {"train", "training", "test", "testing", "val", "valid", "validation"};
  std::map<std::string, int64_t> classes;
  for (std::size_t from = 0;; from += classes.begin()->first.size() + 1) {
    classes.clear();
    for (const std::string& name : names) classes.emplace(first_folder(name, from), 0);
    if (classes.size() == 1 && !classes.begin()->first.empty()) continue;
    if (classes.size() <= 1) return {};
    const auto outside = std::find_if(names.begin(), names.end(),
                                      [&](const std::string& name) { return first_folder(name, from).empty(); });
    if (outside != names.end())
      throw InputError(
          fmt::format("{}: \"{}\" has no class: it lies beside the folders that are classes. Move it into "
                      "one of them, or leave out all labels (`unconditional`)",
                      where, *outside));
    const bool parts =
        std::all_of(classes.begin(), classes.end(), [&](const auto& entry) { return kParts.count(entry.first) > 0; });
    if (parts)
      throw InputError(fmt::format("{}: its folders are parts of a set, not classes: name one of them, as in {}/{}",
                                   where, where, names.back().substr(0, from) + classes.rbegin()->first));
    ImageLabels out;
    for (auto& [name, index] : classes) {
      index = out.classes++;
      out.class_names.push_back(name);
    }
    for (const std::string& name : names) out.labels.push_back(classes.at(first_folder(name, from)));
    return out;
  }
}

ImageLabels labels_of_json(std::string_view json, const std::vector<std::string>& names, const std::string& where) {
  const auto root = parse_json_text(json, where);
  if (!root.is_object()) throw InputError(where + ": is not a JSON object");
  const auto list = root.find("labels");
  if (list == root.end() || list->is_null()) return {};
  if (!list->is_array()) throw InputError(where + ": \"labels\" must be a list of [name, class], or null");
  std::map<std::string, int64_t> classes;
  for (const auto& entry : *list) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number_integer() ||
        entry[1].get<int64_t>() < 0 || entry[1].get<int64_t>() >= kMaxClasses)
      throw InputError(fmt::format("{}: the label {} is not [name, whole number from 0]", where,
                                   entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
    classes[entry[0].get<std::string>()] = entry[1].get<int64_t>();
  }
  ImageLabels out;
  for (const std::string& name : names) {
    const auto found = classes.find(name);
    if (found == classes.end())
      throw InputError(fmt::format("{}: lists no label for \"{}\"; add one, or leave out all labels (`unconditional`)",
                                   where, name));
    out.labels.push_back(found->second);
    out.classes = std::max(out.classes, found->second + 1);
  }
  return out;
}

}  // namespace stride
