// libpng's classic interface: its simplified one applies gamma, and Pillow does not.
#include "datasets/images/image_codec.h"
#include "framework/error.h"

#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

namespace stride {
namespace {

struct Reading {
  std::string_view left;
  png_structp png = nullptr;
  png_infop info = nullptr;
  char message[160] = "out of memory";
};

void on_error(png_structp png, png_const_charp text) {
  auto* reading = static_cast<Reading*>(png_get_error_ptr(png));
  std::snprintf(reading->message, sizeof reading->message, "%s", text);
  std::longjmp(png_jmpbuf(png), 1);
}

void on_warning(png_structp, png_const_charp) {}

void take(png_structp png, png_bytep to, std::size_t size) {
  auto* reading = static_cast<Reading*>(png_get_io_ptr(png));
  if (size > reading->left.size()) png_error(png, "the file ends early");
  std::memcpy(to, reading->left.data(), size);
  reading->left.remove_prefix(size);
}

// libpng leaves these functions by longjmp: nothing in them has a destructor.
bool read_header(Reading& reading) {
  if (setjmp(png_jmpbuf(reading.png)) != 0) return false;
  png_set_read_fn(reading.png, &reading, take);
  png_set_user_limits(reading.png, 0x7fffffff, 0x7fffffff);  // check_image_size names the image
  png_read_info(reading.png, reading.info);
  return true;
}

bool choose_pixels(Reading& reading) {
  if (setjmp(png_jmpbuf(reading.png)) != 0) return false;
  png_set_strip_16(reading.png);
  png_set_palette_to_rgb(reading.png);
  if (png_get_color_type(reading.png, reading.info) == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(reading.png);
  png_set_strip_alpha(reading.png);
  (void)png_set_interlace_handling(reading.png);
  png_read_update_info(reading.png, reading.info);
  return true;
}

bool read_rows(Reading& reading, png_bytep* rows) {
  if (setjmp(png_jmpbuf(reading.png)) != 0) return false;
  png_read_image(reading.png, rows);
  png_read_end(reading.png, nullptr);
  return true;
}

}  // namespace

Pixels decode_png(std::string_view bytes, const std::string& where) {
  Reading reading;
  reading.left = bytes;
  const auto fail = [&](const char* reason) {
    throw InputError(fmt::format("{}: is a damaged PNG ({}); restore it or take it out", where, reason));
  };
  const struct Closer {
    Reading& reading;
    ~Closer() { png_destroy_read_struct(&reading.png, &reading.info, nullptr); }
  } closer{reading};
  reading.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, on_error, on_warning);
  if (reading.png != nullptr) reading.info = png_create_info_struct(reading.png);
  if (reading.info == nullptr) throw ResourceError("libpng: " + std::string(reading.message));
  if (!read_header(reading)) fail(reading.message);
  const int64_t width = png_get_image_width(reading.png, reading.info);
  const int64_t height = png_get_image_height(reading.png, reading.info);
  check_image_size(width, height, where);
  if (!choose_pixels(reading)) fail(reading.message);
  const int64_t channels = png_get_channels(reading.png, reading.info);
  if (png_get_rowbytes(reading.png, reading.info) != static_cast<std::size_t>(width * channels) ||
      (channels != 1 && channels != 3))
    fail("an unknown kind of pixel");
  Pixels out(height, width, channels);
  std::vector<png_bytep> rows(static_cast<std::size_t>(height));
  for (std::size_t y = 0; y < rows.size(); ++y)
    rows[y] = out.values.data() + y * static_cast<std::size_t>(width * channels);
  if (!read_rows(reading, rows.data())) fail(reading.message);
  return out;
}

}  // namespace stride
