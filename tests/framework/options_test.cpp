// Options are said once: what is read, what is refused and what is listed come from one declaration.
#include "framework/named.h"

#include "tests/catch_torch.h"

#include <limits>

namespace stride {
namespace {

enum class Kind { round, square };

struct Common {
  double eta = 1.0;
};

struct Wanted : Common {
  int64_t order = 3;
  Kind kind = Kind::square;
  bool exact = false;
  double most = std::numeric_limits<double>::infinity();
  std::optional<double> edge = {};
  std::string path;
};

Options<Wanted> declared() {
  const auto common = options<Common>(number("eta", &Common::eta, at_least(0), "noise"));
  return options<Wanted>(common, integer("order", &Wanted::order, in_range(1, 3), "order").also_as("degree"),
                         choice("kind", &Wanted::kind,
                                {{"round", Kind::round}, {"square", Kind::square}, {"block", Kind::square}}, "form"),
                         flag("exact", &Wanted::exact, "exactly"),
                         number("most", &Wanted::most, above(0).or_infinite(), "the largest"),
                         number("edge", &Wanted::edge, above(0).at_most(1), "where the edge is")
                             .belongs_to("kind=square", [](const Wanted& read) { return read.kind == Kind::square; }))
      .check([](const Wanted& read) { return !read.exact || read.order > 1; }, "exact needs an order above 1");
}

Wanted read(const std::string& text) { return declared().read(Spec::parse(text), "thing"); }

}  // namespace

TEST_CASE("options: what is not given keeps its default, of a base too", "[options]") {
  const Wanted nothing = read("x");
  CHECK(nothing.eta == 1.0);
  CHECK(nothing.order == 3);
  CHECK(nothing.kind == Kind::square);
  CHECK_FALSE(nothing.edge.has_value());
  const Wanted all = read("x:eta=0.5,order=2,kind=round,exact=yes,most=inf");
  CHECK(all.eta == 0.5);
  CHECK(all.order == 2);
  CHECK(all.kind == Kind::round);
  CHECK(all.exact);
  CHECK(all.most == std::numeric_limits<double>::infinity());
  CHECK(read("x:degree=1").order == 1);
  CHECK(read("x:degree=1,order=2").order == 2);
  Wanted other;
  other.order = 1;
  CHECK(declared().with(other).read(Spec::parse("x"), "thing").order == 1);
}

TEST_CASE("options: a message says what, where, and what would do", "[options]") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"x:eta=-1", "thing 'x': eta must be at least 0, not -1"},
      {"x:order=4", "thing 'x': order must lie in 1 … 3, not 4"},
      {"x:order=1.5", "thing 'x': order must be a whole number, not '1.5'"},
      {"x:eta=one", "thing 'x': eta must be a finite number, not 'one'"},
      {"x:eta=inf", "thing 'x': eta must be a finite number, not 'inf'"},
      {"x:edge=0", "thing 'x': edge must be above 0 and at most 1, not 0"},
      {"x:kind=oval", "thing 'x': kind must be round, square or block, not 'oval'"},
      {"x:exact=perhaps", "thing 'x': exact must be true or false, not 'perhaps'"},
      {"x:kind=round,edge=0.5", "thing 'x': edge belongs to kind=square"},
      {"x:exact=1,order=1", "thing 'x': exact needs an order above 1"},
      {"x:ordre=1", "thing 'x' has no option 'ordre'; did you mean 'order'?"},
      {"x:colour=1", "thing 'x' has no option 'colour'; it takes eta, degree, order, kind, exact, most, edge"},
      {"x:a.json", "thing 'x': 'a.json' is not key=value"}};
  for (const auto& [text, message] : rows) {
    CAPTURE(text);
    CHECK_THROWS_WITH(read(text), message);
  }
  CHECK_THROWS_WITH(options<NoOptions>().read(Spec::parse("x:a=1"), "thing"),
                    "thing 'x' has no option 'a'; it takes none");
}

TEST_CASE("options: an argument comes first and must be there", "[options]") {
  const auto with_file = options<Wanted>(argument("FILE", &Wanted::path, "the file"), declared());
  CHECK(with_file.read(Spec::parse("x:a.json,order=1"), "thing").path == "a.json");
  CHECK_THROWS_WITH(with_file.read(Spec::parse("x:order=1"), "thing"), "thing 'x': give the file: x:FILE");
  CHECK(with_file.infos().front().text() == "FILE");
}

TEST_CASE("options: they are listed as they are declared", "[options]") {
  CHECK(options_text(declared().infos()) ==
        "eta=1 (at least 0), order=3 (1 … 3), kind=square|round|block, exact=false|true, most=inf (above 0), "
        "edge=… (above 0 and at most 1)");
  CHECK(integer("n", &Wanted::order, at_least(0), "").listed_as("N/2").show({}) == "N/2");
  CHECK(any_number().text().empty());
  CHECK(above(0).below(1).text() == "above 0 and below 1");
  CHECK(at_least(0).below(1).text() == "at least 0 and below 1");
}

TEST_CASE("named: a name or alias leads to its row, another one gets the nearest", "[options]") {
  const std::vector<Named<Card, int>> rows{{{.name = "karras", .aliases = {"Karras"}}, 1}, {{.name = "linear"}, 2}};
  CHECK(named("grid", "Karras", rows).value == 1);
  CHECK(find_named(rows, "karas") == nullptr);
  CHECK(names_of(rows) == std::vector<std::string>{"karras", "linear"});
  CHECK_THROWS_WITH(named("grid", "karas", rows), "unknown grid 'karas'; did you mean 'karras'?");
  CHECK_THROWS_WITH(named("grid", "zzzzz", rows), "unknown grid 'zzzzz'; there are karras, linear");
}

}  // namespace stride
