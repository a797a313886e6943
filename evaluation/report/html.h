// Pieces of an HTML page.
#pragma once

#include "evaluation/report/svg.h"

#include <string>
#include <utility>
#include <vector>

namespace stride {

/// Standard base64 with padding (RFC 4648 §4).
[[nodiscard]] std::string base64(const std::string& bytes);

/// `data:image/png;base64,…`. Throws InputError, naming `where`, on bytes that do not start as a PNG file does.
[[nodiscard]] std::string png_data_uri(const std::string& png, const std::string& where);

/// Width and height in the header of a PNG file. Throws InputError, naming `where`, as above.
[[nodiscard]] std::pair<int64_t, int64_t> png_size(const std::string& png, const std::string& where);

/// `<tag class="…">text</tag>` with the text escaped.
[[nodiscard]] std::string element(const std::string& tag, const std::string& text, const std::string& css_class = "");

/// The text escaped, `words` in backquotes as code.
[[nodiscard]] std::string with_code(const std::string& text);

/// A two-column list of names and values, both escaped.
[[nodiscard]] std::string fact_list(const std::vector<std::pair<std::string, std::string>>& facts);

/// A cell that may carry markup of its own making.
struct HtmlCell {
  std::string html;  ///< escaped by whoever made it
  std::string css_class;
};
struct HtmlColumn {
  std::string title;
  std::string css_class;  ///< of title and cells, e.g. "number"
  std::string hint;       ///< tooltip of the title
};

/// A table in a container that scrolls sideways on narrow screens. A row with a single cell spans the table: a heading.
[[nodiscard]] std::string html_table(const std::vector<HtmlColumn>& columns,
                                     const std::vector<std::vector<HtmlCell>>& rows, const std::string& css_class = "");

}  // namespace stride
