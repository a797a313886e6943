// Classes of images that are stored as files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stride {

struct ImageLabels {
  std::vector<int64_t> labels;           ///< one per image, or empty without labels
  std::vector<std::string> class_names;  ///< one per class; empty where classes are numbers only
  int64_t classes = 0;                   ///< 0 without labels
};

/// Classes by folder. Folders that hold everything are passed over; of what is left the first folder of a name is its
/// class, in the order of their bytes; images in one folder have no labels. `where` names the set. Throws InputError
/// for an image beside the class folders, and for folders that are parts of a set (train, test) and no classes.
[[nodiscard]] ImageLabels labels_of_folders(const std::vector<std::string>& names, const std::string& where);

/// Classes by EDM's dataset.json: {"labels": [["00000/img00000000.png", 6], …]} or {"labels": null}. Throws InputError
/// for an image that it does not list and for labels that are no whole numbers from 0.
[[nodiscard]] ImageLabels labels_of_json(std::string_view json, const std::vector<std::string>& names,
                                         const std::string& where);

}  // namespace stride
