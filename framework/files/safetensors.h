// The safetensors format: an 8-byte length, a JSON header, raw little-endian tensors. The reader refuses
// whatever is not exactly that, because weights come from anywhere.
// Format: https://github.com/huggingface/safetensors (README, "Format").
#pragma once

#include "framework/files/file_system.h"
#include "framework/tensor.h"

#include <map>
#include <string>
#include <string_view>

namespace stride {

struct Safetensors {
  std::map<std::string, Tensor> tensors;        ///< contiguous, on the CPU
  std::map<std::string, std::string> metadata;  ///< `__metadata__`
};

/// Reads the bytes of a file; `where` names it in messages. dtypes F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL.
/// Throws InputError, naming file and tensor, on anything malformed.
[[nodiscard]] Safetensors parse_safetensors(std::string_view bytes, const std::string& where);

/// The bytes of a file, the same for the same contents. Tensors may live anywhere and be strided. Throws
/// UsageError on a dtype that the format lacks or the name `__metadata__`.
[[nodiscard]] std::string format_safetensors(const std::map<std::string, Tensor>& tensors,
                                             const std::map<std::string, std::string>& metadata = {});

/// Reads a file. A non-empty `sha256` must be the file's. Throws InputError.
[[nodiscard]] Safetensors read_safetensors_file(const std::string& path, const std::string& sha256 = "",
                                                FileSystem& files = posix_file_system());

/// read_safetensors_file without the metadata.
[[nodiscard]] std::map<std::string, Tensor> read_safetensors(const std::string& path, const std::string& sha256 = "",
                                                             FileSystem& files = posix_file_system());

/// Writes with write_file_atomic.
void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {},
                       FileSystem& files = posix_file_system());

}  // namespace stride
