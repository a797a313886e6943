#include "pipeline/toml_reader.h"

#include "framework/error.h"
#include "tests/catch_torch.h"

namespace stride {

TEST_CASE("toml: characters outside ASCII stand in texts and comments only") {
  const auto read = [](const std::string& text) { return parse_toml_text(text, "run.toml"); };
  CHECK(read("\xEF\xBB\xBF# gr\xC3\xBC\xC3\x9F\na = \"\xC3\xA9\"").contains("a"));
  CHECK(read("a = '''\n\xC3\xA9'''\nb = \"\"\"x\"\"\"\"\" # \xC3\xA9\n").contains("b"));
  CHECK(read("a = \"\"\"x \\\n  y\"\"\" # \xC3\xA9").contains("a"));
  // Where the text ends matters to what stands behind it.
  CHECK(read("a = [\"\"\"x\"\"\"\", \"\xC3\xA9\"]").contains("a"));
  CHECK(read("a = [\"\"\"x\"\"\"\"\", \"\xC3\xA9\"]").contains("a"));

  const auto refuses = [&](const std::string& text, const std::string& why) {
    CAPTURE(text);
    CHECK_THROWS_WITH(read(text), contains("run.toml, line 2: " + why));
  };
  const std::string outside = "not valid TOML: a character outside ASCII, which only";
  refuses("a = 1\n\xC3\xA9 = 2", outside);
  refuses("a = 1\nb\xC2\xA0= 2", outside);
  refuses("a = 1\n[t\xD2\x80]", outside);
  refuses("a = \"\"\"x\"\"\"\"\n\xC3\xA9 = \"\"", outside);
  refuses("a = 1\nb = \"\\\xC3\xA9\"", "a character outside ASCII right after a backslash");
  refuses("a = \"\"\"x \\\n\xC3\xA9\"\"\"", "a character outside ASCII right after a backslash");
  refuses("a = 1\nb = " + std::string(200, '['), "nested more than");
}

}  // namespace stride
