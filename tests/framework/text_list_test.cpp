// Lists between commas.
#include "framework/text_list.h"

#include "framework/error.h"
#include "framework/spec.h"
#include "tests/catch_torch.h"

using namespace stride;

TEST_CASE("text list: items come without the blanks around them, empty ones too") {
  using Items = std::vector<std::string>;
  CHECK(split_list("a,b") == Items{"a", "b"});
  CHECK(split_list(" 14.6,\t6.3 , 0\n") == Items{"14.6", "6.3", "0"});
  CHECK(split_list("one two, three") == Items{"one two", "three"});
  CHECK(split_list("") == Items{""});
  CHECK(split_list(",a,") == Items{"", "a", ""});
}

TEST_CASE("text list: numbers are read strictly, and the item that is none is named") {
  CHECK(parse_numbers("14.6, 6.3, 0", "`sigmas`") == std::vector<double>{14.6, 6.3, 0.0});
  CHECK(parse_integers("32, 64", "`channels`") == std::vector<int64_t>{32, 64});
  for (const char* text : {"", "1,", "1,,2", "1 2", "1,x"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_numbers(text, "`sigmas`"), UsageError);
    CHECK_THROWS_AS(parse_integers(text, "`channels`"), UsageError);
  }
  try {
    (void)parse_numbers("1, x", "`sigmas`");
    FAIL("x was read");
  } catch (const UsageError& error) {
    CHECK(std::string(error.what()).find("`sigmas`") != std::string::npos);
    CHECK(std::string(error.what()).find("'x'") != std::string::npos);
  }
}

TEST_CASE("text list: a spec's options are such a list") {
  const Spec spec = Spec::parse("plan: a b.json , x = 1,y=2");
  CHECK(spec.argument == "a b.json");
  CHECK(spec.text() == "plan:a b.json,x=1,y=2");
  for (const char* text : {"name:", "name:,x=1", "name:x=1,", "name:x=1,a", "name:=1"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(Spec::parse(text), UsageError);
  }
}
