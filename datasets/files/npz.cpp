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

class Crc32 final {
 public:
  void add(std::string_view bytes) {
    static constexpr auto kTable = crc_table();
    for (const char c : bytes) crc_ = kTable[(crc_ ^ static_cast<uint8_t>(c)) & 0xFFU] ^ (crc_ >> 8);
  }
  [[nodiscard]] uint32_t value() const { return crc_ ^ 0xFFFFFFFFU; }

 private:
  uint32_t crc_ = 0xFFFFFFFFU;
};

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

std::string npy_header(at::ScalarType type, at::IntArrayRef extents) {
  std::string shape;
  for (const int64_t extent : extents) shape += fmt::format("{}, ", extent);
  if (extents.size() > 1) shape.resize(shape.size() - 2);
  if (extents.size() == 1) shape.pop_back();
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr(type), shape);
  constexpr std::size_t kPrefix = 10, kAlign = 64;
  header.append((kAlign - (kPrefix + header.size() + 1) % kAlign) % kAlign, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  put(out, static_cast<uint16_t>(header.size()));
  return out + header;
}

NpzArray whole(const std::string& name, const Tensor& values) {
  const Tensor data = values.cpu().contiguous();
  return {name, data.scalar_type(), data.sizes().vec(), [data](const NpzSink& take) {
            take({static_cast<const char*>(data.const_data_ptr()), data.nbytes()});
          }};
}

}  // namespace

std::string npy_bytes(const Tensor& values) {
  const NpzArray array = whole("", values);
  std::string out = npy_header(array.type, array.shape);
  array.values([&](std::string_view piece) { out += piece; });
  return out;
}

bool fits_npz(uint64_t bytes) { return bytes <= 0xFFFF0000U; }

void write_npz(const std::vector<NpzArray>& arrays, const NpzSink& take) {
  uint64_t size = 0;
  const NpzSink write = [&](std::string_view piece) {
    take(piece);
    size += piece.size();
  };
  std::string directory;
  for (const NpzArray& array : arrays) {
    const std::string name = array.name + ".npy", header = npy_header(array.type, array.shape);
    uint64_t bytes = header.size();
    Crc32 crc;
    crc.add(header);
    array.values([&](std::string_view piece) {
      crc.add(piece);
      bytes += piece.size();
    });
    if (!fits_npz(size + bytes)) throw UsageError("an .npz file of more than 4 GiB: save fewer samples to one file");
    const auto offset = static_cast<uint32_t>(size);
    std::string entry;
    put<uint32_t>(entry, 0x04034B50U);
    put_common(entry, crc.value(), static_cast<uint32_t>(bytes), name);
    write(entry + name + header);
    array.values(write);
    put<uint32_t>(directory, 0x02014B50U);
    put<uint16_t>(directory, kVersion);
    put_common(directory, crc.value(), static_cast<uint32_t>(bytes), name);
    put<uint16_t>(directory, 0);  // comment
    put<uint16_t>(directory, 0);  // disk
    put<uint16_t>(directory, 0);  // internal attributes
    put<uint32_t>(directory, 0);  // external attributes
    put(directory, offset);
    directory += name;
  }
  const auto start = static_cast<uint32_t>(size);
  std::string end = directory;
  put<uint32_t>(end, 0x06054B50U);
  put<uint32_t>(end, 0);  // disks
  put(end, static_cast<uint16_t>(arrays.size()));
  put(end, static_cast<uint16_t>(arrays.size()));
  put(end, static_cast<uint32_t>(directory.size()));
  put(end, start);
  put<uint16_t>(end, 0);
  write(end);
}

std::string npz_bytes(const std::vector<std::pair<std::string, Tensor>>& arrays) {
  std::vector<NpzArray> all;
  for (const auto& [name, values] : arrays) all.push_back(whole(name, values));
  std::string out;
  write_npz(all, [&](std::string_view piece) { out += piece; });
  return out;
}

}  // namespace stride
