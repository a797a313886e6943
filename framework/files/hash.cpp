#include "framework/files/hash.h"

#include "framework/error.h"
#include "framework/files/file.h"

#include <openssl/evp.h>

#include <array>
#include <memory>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace stride {
namespace {

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * size);
  for (std::size_t i = 0; i < size; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

std::string hexadecimal(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return hexadecimal(canonical.digest, sizeof canonical.digest);
}

class Sha256 final {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    require(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(std::string_view bytes) { require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1); }
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    require(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
    return hexadecimal(digest.data(), size);
  }

 private:
  static void require(bool worked) {
    if (!worked) throw ResourceError("libcrypto cannot compute SHA-256: out of memory, or a provider that lacks it");
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

uint64_t xxh3_64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string xxh3_128(std::string_view bytes) { return hexadecimal(XXH3_128bits(bytes.data(), bytes.size())); }

struct Xxh3Hash::State {
  XXH3_state_t xxh3;
};

// XXH3's state wants an alignment of 64, which `new` gives to types that say so.
Xxh3Hash::Xxh3Hash() : state_(std::make_unique<State>()) { (void)XXH3_128bits_reset(&state_->xxh3); }
Xxh3Hash::~Xxh3Hash() = default;

void Xxh3Hash::add(std::string_view bytes) {
  (void)XXH3_128bits_update(&state_->xxh3, bytes.data(), bytes.size());
  bytes_ += bytes.size();
}

std::string Xxh3Hash::text() const { return hexadecimal(XXH3_128bits_digest(&state_->xxh3)); }

std::string xxh3_128_file(const std::string& path, FileSystem& files) {
  Xxh3Hash hash;
  read_in_pieces(
      path, [&](std::string_view piece) { hash.add(piece); }, files);
  return hash.text();
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

std::string sha256_file(const std::string& path, FileSystem& files) {
  Sha256 hash;
  read_in_pieces(
      path, [&](std::string_view piece) { hash.add(piece); }, files);
  return hash.finish();
}

}  // namespace stride
