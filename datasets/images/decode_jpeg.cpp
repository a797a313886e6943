#include "datasets/images/image_codec.h"
#include "framework/error.h"

#include <fmt/format.h>
#include <turbojpeg.h>

#include <memory>

namespace stride {

Pixels decode_jpeg(std::string_view bytes, const std::string& where) {
  const std::unique_ptr<void, int (*)(tjhandle)> handle(tjInitDecompress(), tjDestroy);
  if (handle == nullptr) throw ResourceError("libjpeg-turbo: out of memory");
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto check = [&](int result) {
    if (result == 0) return;
    throw InputError(fmt::format("{}: is a damaged JPEG ({}); restore it, save it anew or take it out", where,
                                 tjGetErrorStr2(handle.get())));
  };
  int width = 0, height = 0, subsampling = 0, space = 0;
  check(tjDecompressHeader3(handle.get(), data, bytes.size(), &width, &height, &subsampling, &space));
  check_image_size(width, height, where);
  if (space == TJCS_CMYK || space == TJCS_YCCK)
    throw InputError(fmt::format("{}: is a CMYK JPEG; convert it to RGB or take it out", where));
  const bool grey = space == TJCS_GRAY;
  Pixels out(height, width, grey ? 1 : 3);
  // The exact transform is libjpeg's and Pillow's default; a file of thousands of scans would take hours.
  constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  check(tjDecompress2(handle.get(), data, bytes.size(), out.values.data(), width, 0, height,
                      grey ? TJPF_GRAY : TJPF_RGB, kFlags));
  return out;
}

}  // namespace stride
