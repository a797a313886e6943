#include "datasets/images/image_codec.h"
#include "framework/error.h"

#include <fmt/format.h>
#include <webp/decode.h>

namespace stride {

Pixels decode_webp(std::string_view bytes, const std::string& where) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const std::string damaged = fmt::format("{}: is a damaged WebP; restore it or take it out", where);
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK) throw InputError(damaged);
  if (features.has_animation != 0)
    throw InputError(fmt::format("{}: is an animated WebP; save one frame of it or take it out", where));
  check_image_size(features.width, features.height, where);
  Pixels out(features.height, features.width, 3);
  if (WebPDecodeRGBInto(data, bytes.size(), out.values.data(), out.values.size(), features.width * 3) == nullptr)
    throw InputError(damaged);
  return out;
}

}  // namespace stride
