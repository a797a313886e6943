// Settings in the text of a PNG, where A1111 and ComfyUI leave them.
#pragma once

#include <string>
#include <string_view>

namespace stride {

/// Whether these bytes begin as a PNG does.
[[nodiscard]] bool is_png(std::string_view bytes) noexcept;

/// The text under `parameters` (A1111), else under `prompt` (ComfyUI), from the file's tEXt and iTXt chunks; the
/// picture itself is not looked at. Throws InputError, naming `where`, on a file that is cut or damaged, and on one
/// without such text or with packed text alone.
[[nodiscard]] std::string png_settings_text(std::string_view bytes, const std::string& where);

}  // namespace stride
