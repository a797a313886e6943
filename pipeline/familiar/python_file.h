// A file of Python for people who do not have Stride, made of a module of python/stride/exported.
#pragma once

#include <map>
#include <string>

namespace stride {

/// The module and, in place of its imports from its own folder, what these modules hold; a line `KEY = …` becomes
/// `KEY = value` for each of `values`. `comment` is the first line.
[[nodiscard]] std::string python_file(const std::string& module, const std::map<std::string, std::string>& values,
                                      const std::string& comment);

}  // namespace stride
