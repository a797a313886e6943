#include "framework/files/hash.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

using namespace stride;

// The expected values are those of coreutils' sha256sum (also FIPS 180-4's example) and xxHash's xxh128sum.
TEST_CASE("hash: known answers") {
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(xxh3_128("") == "99aa06d3014798d86001c324468d497f");
  CHECK(xxh3_128("abc") == "06b05ab6733a618578af5f94892f3950");
}

TEST_CASE("hash: a file gives what its bytes give, also over many pieces") {
  const testing::TemporaryFolder folder;
  std::string bytes(3'500'001, 'x');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 7);
  write_file_atomic(folder / "data", bytes);
  CHECK(sha256_file(folder / "data") == sha256(bytes));
  CHECK(xxh3_128_file(folder / "data") == xxh3_128(bytes));
  CHECK_THROWS_AS(sha256_file(folder / "none"), InputError);
}
