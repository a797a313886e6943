// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include "datasets/images/image_codec.h"
#include "datasets/images/image_sources.h"
#include "framework/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace stride {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);

// What follows "'key':" in the header, a Python dict that NumPy always writes the same way.
std::string_view value_of(std::string_view header, const std::string& key) {
  const std::size_t at = header.find("'" + key + "':");
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + key.size() + 3);
  return rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
}

std::vector<int64_t> shape_of(std::string_view text) {
  std::vector<int64_t> shape;
  for (std::size_t at = 1; at < text.size() && text[at] != ')';) {
    int64_t extent = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), extent);
    if (error != std::errc() || extent < 0 || shape.size() == 8) return {};
    shape.push_back(extent);
    at = static_cast<std::size_t>(end - text.data());
    while (at < text.size() && (text[at] == ',' || text[at] == ' ')) ++at;
  }
  return shape;
}

}  // namespace

bool is_npy(std::string_view bytes) noexcept { return bytes.starts_with(kMagic); }

Pixels decode_npy(std::string_view bytes, const std::string& where) {
  const std::string_view all = bytes;
  const auto fail = [&](const std::string& what) { throw InputError(fmt::format("{}: {}", where, what)); };
  constexpr std::size_t kShort = 10, kLong = 12;
  if (bytes.size() < kLong) fail("is a truncated .npy file; get it again");
  const bool long_header = bytes[6] != 1;
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 8, long_header ? 4 : 2);
  const std::size_t start = long_header ? kLong : kShort;
  if (length > bytes.size() - start) fail("is a truncated .npy file; get it again");
  const std::string_view header = all.substr(start, length);
  const std::string_view values = all.substr(start + length);

  const std::string_view type = value_of(header, "descr");
  if (!type.starts_with("'|u1'"))
    fail(fmt::format("is an array of type {}; pixels are uint8 ('|u1'). Latents of an encoder are no pixels",
                     type.substr(0, type.find(','))));
  if (!value_of(header, "fortran_order").starts_with("False")) fail("is in Fortran order; save it in C order");
  const std::vector<int64_t> shape = shape_of(value_of(header, "shape"));
  const auto is_channels = [](int64_t extent) { return extent == 1 || extent == 3; };
  const bool last = shape.size() == 2 || (shape.size() == 3 && is_channels(shape[2]));
  const bool first = !last && shape.size() == 3 && is_channels(shape[0]);
  if (!last && !first)
    fail(fmt::format("is an array [{}]; an image is [H, W], [H, W, C] or [C, H, W]", fmt::join(shape, ", ")));
  const int64_t height = shape[first ? 1 : 0], width = shape[first ? 2 : 1];
  const int64_t channels = shape.size() == 2 ? 1 : shape[first ? 0 : 2];
  check_image_size(width, height, where);
  if (values.size() != static_cast<std::size_t>(height * width * channels))
    fail(fmt::format("promises [{}] values and holds {}; get it again", fmt::join(shape, ", "), values.size()));
  Pixels out(height, width, channels);
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t p = 0; p < height * width; ++p)
      out.values[static_cast<std::size_t>(p * channels + c)] =
          static_cast<uint8_t>(values[static_cast<std::size_t>(first ? c * height * width + p : p * channels + c)]);
  return out;
}

}  // namespace stride
