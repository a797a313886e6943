#include "datasets/files/npz.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <array>
#include <bit>

namespace stride {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

// CRC-32 of zip: polynomial 0xEDB88320, reflected.
constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? (value >> 1) ^ 0xEDB88320U : value >> 1;
    table[i] = value;
  }
  return table;
}

uint32_t crc32(const std::string& bytes) {
  static constexpr auto kTable = crc_table();
  uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(c)) & 0xFFU] ^ (crc >> 8);
  return crc ^ 0xFFFFFFFFU;
}

const char* descr(at::ScalarType type) {
  switch (type) {
    case at::kByte:
      return "|u1";
    case at::kInt:
      return "<i4";
    case at::kLong:
      return "<i8";
    case at::kFloat:
      return "<f4";
    case at::kDouble:
      return "<f8";
    default:
      throw UsageError("a .npy file here holds uint8, int32, int64, float32 or float64");
  }
}

template <class Integer>
void put(std::string& out, Integer value) {
  for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
}

// 1980-01-01, so that the same arrays give the same bytes.
constexpr uint16_t kTime = 0;
constexpr uint16_t kDate = (1U << 5) | 1U;
constexpr uint16_t kVersion = 20;

void put_common(std::string& out, uint32_t crc, uint32_t size, const std::string& name) {
  put<uint16_t>(out, kVersion);
  put<uint16_t>(out, 0);  // flags
  put<uint16_t>(out, 0);  // stored
  put(out, kTime);
  put(out, kDate);
  put(out, crc);
  put(out, size);
  put(out, size);
  put(out, static_cast<uint16_t>(name.size()));
  put<uint16_t>(out, 0);  // extra field
}

}  // namespace

std::string npy_bytes(const Tensor& values) {
  const Tensor data = values.cpu().contiguous();
  std::string shape;
  for (const int64_t extent : data.sizes()) shape += fmt::format("{}, ", extent);
  if (data.dim() > 1) shape.resize(shape.size() - 2);
  if (data.dim() == 1) shape.pop_back();
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr(data.scalar_type()), shape);
  constexpr std::size_t kPrefix = 10, kAlign = 64;
  header.append((kAlign - (kPrefix + header.size() + 1) % kAlign) % kAlign, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  put(out, static_cast<uint16_t>(header.size()));
  out += header;
  out.append(static_cast<const char*>(data.const_data_ptr()), data.nbytes());
  return out;
}

std::string npz_bytes(const std::vector<std::pair<std::string, Tensor>>& arrays) {
  constexpr std::size_t kLargest = 0xFFFF0000U;
  std::string out, directory;
  for (const auto& [key, values] : arrays) {
    const std::string name = key + ".npy";
    const std::string bytes = npy_bytes(values);
    if (out.size() + bytes.size() > kLargest)
      throw UsageError("an .npz file of more than 4 GiB: save fewer samples to one file");
    const auto offset = static_cast<uint32_t>(out.size());
    const uint32_t crc = crc32(bytes);
    put<uint32_t>(out, 0x04034B50U);
    put_common(out, crc, static_cast<uint32_t>(bytes.size()), name);
    out += name + bytes;
    put<uint32_t>(directory, 0x02014B50U);
    put<uint16_t>(directory, kVersion);
    put_common(directory, crc, static_cast<uint32_t>(bytes.size()), name);
    put<uint16_t>(directory, 0);  // comment
    put<uint16_t>(directory, 0);  // disk
    put<uint16_t>(directory, 0);  // internal attributes
    put<uint32_t>(directory, 0);  // external attributes
    put(directory, offset);
    directory += name;
  }
  const auto start = static_cast<uint32_t>(out.size());
  out += directory;
  put<uint32_t>(out, 0x06054B50U);
  put<uint32_t>(out, 0);  // disks
  put(out, static_cast<uint16_t>(arrays.size()));
  put(out, static_cast<uint16_t>(arrays.size()));
  put(out, static_cast<uint32_t>(directory.size()));
  put(out, start);
  put<uint16_t>(out, 0);
  return out;
}

}  // namespace stride
