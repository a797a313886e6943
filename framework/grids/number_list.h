// Lists of numbers in text files.
#pragma once

#include <string>
#include <vector>

namespace stride {

/// The numbers of a text file, separated by blanks, commas, semicolons or line ends; brackets are ignored, so that a
/// JSON array and Python's list are read too. Throws InputError, naming `what`, the file and the entry.
[[nodiscard]] std::vector<double> read_numbers(const std::string& path, const std::string& what);

}  // namespace stride
