#include "framework/files/printable.h"

#include "tests/catch_torch.h"

using namespace stride;

TEST_CASE("printable: what a terminal would act upon is shown, and everything else is left alone") {
  CHECK(printable("plain, σ₀ = 80 · 日本 \xf0\x9f\x8e\xb2\t.", Lines::escaped) ==
        "plain, σ₀ = 80 · 日本 \xf0\x9f\x8e\xb2\t.");
  CHECK(printable("a\x1b[31mred\x07\x7f", Lines::kept) == "a\\x1b[31mred\\x07\\x7f");
  CHECK(printable("one\ntwo\r\n", Lines::kept) == "one\ntwo\\r\n");
  CHECK(printable("one\ntwo\r", Lines::escaped) == "one\\ntwo\\r");
  CHECK(printable(std::string("a\0b", 3), Lines::kept) == "a\\x00b");
  CHECK(printable("\xc2\x9b"
                  "31m",
                  Lines::kept) == "\\u009b31m");  // CSI in one character
  CHECK(printable("a\xe2\x80\xae"
                  "cba\xe2\x80\xa8z",
                  Lines::kept) == "a\\u202ecba\\u2028z");  // right to left, line
  for (const char* broken : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80"}) {
    const std::string shown = printable(broken, Lines::kept);
    INFO(shown);
    CHECK(shown.substr(0, 2) == "\\x");
    CHECK(printable(shown, Lines::escaped) == shown);
  }
}
