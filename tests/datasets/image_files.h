// Small images, and files of them.
#pragma once

#include "datasets/images/pixels.h"
#include "datasets/images/png.h"
#include "framework/files/file.h"

#include <ATen/ATen.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <string>

namespace stride::testing {

inline Pixels some_pixels(int64_t height, int64_t width, int64_t channels, unsigned seed) {
  std::mt19937 random(seed);
  Pixels out(height, width, channels);
  for (uint8_t& value : out.values) value = static_cast<uint8_t>(random());
  return out;
}

inline std::string png_of(Pixels pixels) {
  return encode_png(at::from_blob(pixels.values.data(), {pixels.height, pixels.width, pixels.channels}, at::kByte));
}

inline std::string jpeg_of(const Pixels& pixels) {
  const tjhandle handle = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  tjCompress2(handle, pixels.values.data(), static_cast<int>(pixels.width), 0, static_cast<int>(pixels.height),
              TJPF_RGB, &bytes, &size, TJSAMP_420, 90, 0);
  const std::string out(reinterpret_cast<char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(handle);
  return out;
}

inline std::string webp_of(const Pixels& pixels) {
  uint8_t* bytes = nullptr;
  const std::size_t size =
      WebPEncodeLosslessRGB(pixels.values.data(), static_cast<int>(pixels.width), static_cast<int>(pixels.height),
                            static_cast<int>(pixels.width) * 3, &bytes);
  const std::string out(reinterpret_cast<char*>(bytes), size);
  WebPFree(bytes);
  return out;
}

/// A ustar archive.
inline std::string tar_of(const std::map<std::string, std::string>& files) {
  std::string out;
  for (const auto& [name, bytes] : files) {
    std::string header(512, '\0');
    std::memcpy(header.data(), name.data(), name.size());
    std::snprintf(header.data() + 124, 12, "%011lo", static_cast<unsigned long>(bytes.size()));
    header[156] = '0';
    std::memcpy(header.data() + 257, "ustar\00000", 8);
    std::memset(header.data() + 148, ' ', 8);
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<uint8_t>(c);
    std::snprintf(header.data() + 148, 7, "%06o", sum);
    out += header + bytes + std::string((512 - bytes.size() % 512) % 512, '\0');
  }
  return out + std::string(1024, '\0');
}

inline void write_files(const std::string& folder, const std::map<std::string, std::string>& files) {
  for (const auto& [name, bytes] : files) {
    const std::string path = folder + "/" + name;
    make_folders(path.substr(0, path.find_last_of('/')));
    write_file_atomic(path, bytes);
  }
}

}  // namespace stride::testing
