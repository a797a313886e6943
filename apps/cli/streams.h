// Standard input, output and error: there whatever the caller closed, and written without exceptions.
#pragma once

#include <string_view>

namespace stride {

/// Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed, so that no file of the run ends up as one of
/// them. Writing to one that stands in for a closed one fails, as it would have. A reader that goes away ends no run:
/// SIGPIPE is ignored. Call before anything else.
void open_standard_streams();

/// Results, on standard output. What could not be written shows in results_written().
void write_result(std::string_view text);
/// Whether all results have reached standard output, or a reader that went away because it had enough.
[[nodiscard]] bool results_written();

/// Messages, on standard error. There is nobody to tell where that fails.
void write_message(std::string_view text);

/// Columns of the terminal that `descriptor` is; `otherwise` where it is none.
[[nodiscard]] int terminal_width(int descriptor, int otherwise);

}  // namespace stride
