// The one way to read JSON.
#include "framework/files/json_text.h"
#include "framework/error.h"
#include "tests/catch_torch.h"

#include <nlohmann/json.hpp>

namespace stride {

TEST_CASE("json text: what is wrong is said with its place", "[json]") {
  const auto json = parse_json_text(R"({"b": [1, 2.5, "x", null, true], "a": {}})", "f");
  CHECK(json.at("b").at(1) == 2.5);
  CHECK(parse_ordered_json_text(R"({"b": 1, "a": 2})", "f").dump() == R"({"b":1,"a":2})");
  struct Row {
    std::string text, says;
  };
  for (const Row& row :
       {Row{"", "f, line 1: not valid JSON"}, Row{"{\"a\": 1,\n \"b\" 2}", "f, line 2: not valid JSON"},
        Row{"[1,\n\n1e999]", "f, line 3: the number 1e999 is too large"}, Row{"[-1e999]", "number -1e999"},
        Row{"[1] 2", "f, line 1: not valid JSON"}, Row{"[\"\xff\"]", "f, line 1: not valid JSON"},
        Row{"[NaN]", "not valid JSON"}, Row{std::string(65, '[') + std::string(65, ']'), "f: nested more than 64"},
        Row{std::string(100'000, '['), "f: nested more than 64"}}) {
    INFO(row.text.substr(0, 80));
    try {
      (void)parse_json_text(row.text, "f");
      FAIL("nothing was thrown");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::input);
      CHECK_THAT(error.what(), contains(row.says));
    }
    CHECK_THROWS_AS(parse_ordered_json_text(row.text, "f"), InputError);
  }
  CHECK_NOTHROW(parse_json_text(std::string(64, '[') + std::string(64, ']'), "f"));
}

}  // namespace stride
