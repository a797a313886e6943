#include "framework/files/seal.h"

#include "framework/error.h"
#include "framework/files/hash.h"
#include "framework/files/json_text.h"
#include "tests/catch_torch.h"

#include <nlohmann/json.hpp>

using namespace stride;

TEST_CASE("seal: a document with its checksum is read back, and any bit of it that changes is found") {
  const nlohmann::ordered_json object = {{"b", {1.5, -0.0, 1e300}}, {"a", "σ \"x\""}, {"n", nullptr}};
  const std::string text = sealed_json(object);
  CHECK(text.find(xxh3_128(object.dump())) != std::string::npos);  // anybody can compute it
  auto back = parse_ordered_json_text(text, "here");
  CHECK(take_seal(back, "here"));
  CHECK(back == object);
  int harmless = 0;
  for (std::size_t i = 0; i < text.size() * 8; ++i) {
    std::string bad = text;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    try {
      auto found = parse_ordered_json_text(bad, "here");
      const bool sealed = take_seal(found, "here");
      // A blank between entries, or the name of the seal itself.
      INFO(bad);
      CHECK(((sealed && found == object) || (!sealed && found.value("a", "") == object.at("a"))));
      ++harmless;
    } catch (const InputError&) {
    }
  }
  CHECK(harmless < 80);
  auto none = parse_ordered_json_text("{\"a\": 1}", "here");
  CHECK_FALSE(take_seal(none, "here"));
  auto number = parse_ordered_json_text("{\"a\": 1, \"xxh3_128\": 5}", "here");
  CHECK_THROWS_AS(take_seal(number, "here"), InputError);
}

TEST_CASE("seal: a TOML text with its checksum in the first line") {
  const std::string text = sealed_toml("[model]\nsigma_min = 0.002\nsigma_max = 80.0\n");
  CHECK(check_toml_seal(text, "card"));
  CHECK_FALSE(check_toml_seal("[model]\n", "card"));
  for (std::size_t cut = 18; cut < text.size(); ++cut)
    CHECK_THROWS_AS(check_toml_seal(text.substr(0, cut), "c"), InputError);
  for (std::size_t i = 18; i < text.size(); ++i) {
    std::string bad = text;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    CHECK_THROWS_AS(check_toml_seal(bad, "card"), InputError);
  }
}
