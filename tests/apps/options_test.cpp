// The option table: command line, --config, --set and what they end up as.
#include "apps/cli/flag_names.h"
#include "apps/commands/commands.h"
#include "framework/error.h"
#include "pipeline/seeds.h"
#include "tests/catch_torch.h"

#include <functional>
#include <set>

namespace stride {
namespace {

OptionTable table() {
  return {{.name = "steps", .kind = ValueKind::integer, .fallback = "18", .key = "sampling.steps"},
          {.name = "rtol", .kind = ValueKind::number, .key = "sampling.rtol"},
          {.name = "solver", .fallback = "heun", .key = "sampling.solver", .repeatable = true},
          {.name = "final", .fallback = "zero", .key = "sampling.final", .choices = {"zero", "sigma_min"}},
          {.name = "seeds", .fallback = "0-3", .key = "run.seeds"},
          {.name = "tf32", .kind = ValueKind::flag, .key = "run.tf32"},
          {.name = "quiet", .kind = ValueKind::flag, .letter = 'q'}};
}

OptionValues from_line(const std::vector<std::string>& words) {
  OptionValues values(table());
  apply_command_line(values, words);
  return values;
}

OptionValues from_config(const std::string& text) {
  OptionValues values(table());
  apply_config(values, parse_config(text, "test.toml"), "sample");
  return values;
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("options: defaults, and typed values from the command line") {
  const OptionValues none = from_line({});
  CHECK(none.integer("steps") == 18);
  CHECK_FALSE(none.given("steps"));
  CHECK_FALSE(none.has("rtol"));
  CHECK(none.list("solver") == std::vector<std::string>{"heun"});
  CHECK_FALSE(none.flag("tf32"));

  const OptionValues values =
      from_line({"--steps", "7", "--rtol=1e-3", "--solver", "euler", "--solver", "lms:order=3", "-q", "FILE"});
  CHECK(values.integer("steps") == 7);
  CHECK(values.given("steps"));
  CHECK(values.number("rtol") == 1e-3);
  CHECK(values.list("solver") == std::vector<std::string>{"euler", "lms:order=3"});
  CHECK(values.flag("quiet"));
  CHECK(values.arguments() == std::vector<std::string>{"FILE"});
  CHECK(from_line({"--rtol", "-2"}).number("rtol") == -2.0);
}

TEST_CASE("options: the command line refuses what it does not know") {
  struct Row {
    std::vector<std::string> words;
    std::string says;
  };
  const std::vector<Row> rows = {{{"--stesp", "3"}, "did you mean --steps?"},
                                 {{"--step", "3"}, "unknown option --step"},  // no abbreviation
                                 {{"--steps"}, "steps"},
                                 {{"--steps", "3.5"}, "--steps"},
                                 {{"--steps", "three"}, "three"},
                                 {{"--steps", "3", "--steps", "4"}, "takes one"},
                                 {{"--rtol", "1e-3x"}, "1e-3x"},
                                 {{"--final", "one"}, "zero, sigma_min"},
                                 {{"--quiet=yes"}, "quiet"},
                                 {{"-x"}, "-x"}};
  for (const Row& row : rows) {
    INFO(row.words.front() << " " << row.words.size());
    CHECK_THROWS_AS(from_line(row.words), UsageError);
    const std::string message = message_of([&] { (void)from_line(row.words); });
    INFO(message);
    CHECK(message.find(row.says) != std::string::npos);
  }
}

TEST_CASE("options: TOML and JSON configurations are typed by the table") {
  const std::string toml =
      "command = \"sample\"\n[sampling]\nsteps = 5\nrtol = 1\nsolver = [\"euler\", \"heun\"]\n[run]\nseeds = 7\ntf32 = "
      "true\n";
  const std::string json =
      R"({"command": "sample", "sampling": {"steps": 5, "rtol": 1, "solver": ["euler", "heun"]}, "run": {"seeds": 7, "tf32": true}})";
  for (const std::string& text : {toml, json}) {
    const OptionValues values = from_config(text);
    CHECK(values.integer("steps") == 5);
    CHECK(values.number("rtol") == 1.0);
    CHECK(values.list("solver").size() == 2);
    CHECK(values.text("seeds") == "7");
    CHECK(values.flag("tf32"));
  }
  CHECK(from_config("sampling.steps = 4").integer("steps") == 4);
}

TEST_CASE("options: a configuration with a mistake is refused with its place") {
  struct Row {
    std::string text;
    ExitCode code;
    std::string says;
  };
  const std::vector<Row> rows = {{"[sampling]\nstep = 5", ExitCode::usage, "did you mean 'sampling.steps'"},
                                 {"[other]\nthing = 5", ExitCode::usage, "other.thing"},
                                 {"[sampling]\nsteps = \"5\"", ExitCode::usage, "an integer"},
                                 {"[sampling]\nsteps = 5.0", ExitCode::usage, "an integer"},
                                 {"[sampling]\nsteps = [5]", ExitCode::usage, "not a list"},
                                 {"[sampling]\nrtol = true", ExitCode::usage, "a number"},
                                 {"[run]\ntf32 = 1", ExitCode::usage, "true or false"},
                                 {"[sampling]\nfinal = \"end\"", ExitCode::usage, "zero, sigma_min"},
                                 {"[sampling]\nsteps = 1979-05-27", ExitCode::usage, "no option value"},
                                 {"command = \"record\"", ExitCode::usage, "stride record"},
                                 {"quiet = true", ExitCode::usage, "quiet"},
                                 {"[sampling\nsteps = 5", ExitCode::bad_input, "line 1"},
                                 {"[sampling]\nsteps = 5\nsteps = 6", ExitCode::bad_input, "line 3"},
                                 {"{\"sampling\": {\"steps\": 5", ExitCode::bad_input, "not valid JSON"}};
  for (const Row& row : rows) {
    INFO(row.text);
    try {
      (void)from_config(row.text);
      FAIL("nothing was thrown");
    } catch (const Error& error) {
      INFO(error.what());
      CHECK(exit_code(error.kind()) == row.code);
      CHECK(std::string(error.what()).find("test.toml") != std::string::npos);
      CHECK(std::string(error.what()).find(row.says) != std::string::npos);
    }
  }
}

TEST_CASE("options: --set is typed, and an unknown key is an error") {
  OptionValues values(table());
  apply_set(values, "sampling.steps=9");
  apply_set(values, "run.seeds=1-2");
  apply_set(values, "sampling.solver=[\"euler\", \"ddim\"]");
  CHECK(values.integer("steps") == 9);
  CHECK(values.text("seeds") == "1-2");
  CHECK(values.list("solver") == std::vector<std::string>{"euler", "ddim"});
  apply_set(values, "sampling.solver=lms");
  CHECK(values.list("solver") == std::vector<std::string>{"lms"});
  CHECK_THROWS_AS(apply_set(values, "sampling.stepz=9"), UsageError);
  CHECK_THROWS_AS(apply_set(values, "sampling.steps=nine"), UsageError);
  CHECK_THROWS_AS(apply_set(values, "sampling.steps"), UsageError);
  CHECK_THROWS_AS(apply_set(values, "=9"), UsageError);
}

TEST_CASE("options: the resolved configuration reads back as itself") {
  OptionValues values = from_line({"--rtol", "2", "--solver", "plan:a \"b\"\\c.json", "--tf32", "--seeds", "0-9,20"});
  const std::string toml = values.to_toml("sample");
  INFO(toml);
  OptionValues again(table());
  apply_config(again, parse_config(toml, "again"), "sample");
  CHECK(again.to_toml("sample") == toml);
  CHECK(again.number("rtol") == 2.0);
  CHECK(again.list("solver") == values.list("solver"));
  CHECK(toml.find("quiet") == std::string::npos);
}

TEST_CASE("options: every command's table is consistent") {
  for (const auto& command : make_commands()) {
    const CommandInfo& info = command->info();
    INFO(info.name);
    OptionValues values(full_table(info));
    std::set<std::string> keys;
    for (const Option& option : values.table()) {
      INFO(option.name);
      CHECK_FALSE(option.help.empty());
      if (!option.key.empty()) CHECK(keys.insert(option.key).second);
    }
    CHECK_FALSE(info.summary.empty());
    CHECK(info.example.find("stride " + info.name) != std::string::npos);
    OptionValues again(full_table(info));
    apply_config(again, parse_config(values.to_toml(info.name), "again"), info.name);
    CHECK(again.to_toml(info.name) == values.to_toml(info.name));
    const std::string help = command_help(info, 80);
    for (const Option& option : values.table()) CHECK(help.find("--" + option.name) != std::string::npos);
  }
}

TEST_CASE("options: fields in a library's message become options, other words stay") {
  const std::set<std::string> options = {"sigma-min", "steps"};
  CHECK(with_flags("`sigma_min` must be below `sigma_max`; give `steps`", options) ==
        "--sigma-min must be below `sigma_max`; give --steps");
  CHECK(with_flags("`steps`", options) == "--steps");
  CHECK(with_flags("`stride stats` and `steps", options) == "`stride stats` and `steps");
  CHECK(with_flags("no field, ``, `a`", options) == "no field, ``, `a`");
  CHECK(with_flags("", options).empty());
}

TEST_CASE("options: seeds are lists of numbers and ranges") {
  CHECK(parse_seeds("5") == std::vector<int64_t>{5});
  CHECK(parse_seeds("0-3,100") == std::vector<int64_t>{0, 1, 2, 3, 100});
  CHECK(parse_seeds("7,3-4") == std::vector<int64_t>{7, 3, 4});
  CHECK(parse_seeds(" 7 , 3-4") == std::vector<int64_t>{7, 3, 4});
  // Another program's largest seed is a seed, and a range may end there.
  CHECK(parse_seeds("9223372036854775807") == std::vector<int64_t>{INT64_MAX});
  CHECK(parse_seeds("9223372036854775805-9223372036854775807,0") ==
        std::vector<int64_t>{INT64_MAX - 2, INT64_MAX - 1, INT64_MAX, 0});
  for (const char* text : {"", "a", "1,", ",1", "-3", "3-1", "1,1", "0-5,3", "1.5", "1 2", "0-", "99999999999999999999",
                           "0-999999999999"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_seeds(text), UsageError);
  }
  for (const char* text : {"0-63,100", "5", "1,3,5-7", "7,3-4", "9223372036854775806-9223372036854775807,0"})
    CHECK(format_seeds(parse_seeds(text)) == text);
}

}  // namespace stride
