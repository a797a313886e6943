#include "framework/batch_state.h"
#include "framework/error.h"
#include "framework/history.h"
#include "framework/spec.h"

#include "tests/catch_torch.h"

namespace stride {

TEST_CASE("state: slots lead with one B", "[state]") {
  CHECK_THROWS_WITH(BatchState({at::zeros({3, 2}), at::zeros({4})}), contains("slot 1"));
  CHECK_THROWS_WITH(BatchState({at::zeros({})}), contains("no batch dimension"));
  const BatchState state({at::arange(6).view({3, 2}), at::arange(3)});
  const BatchState picked = state.select(at::tensor({2, 0}, at::kLong));
  CHECK(picked[0].equal(at::tensor({4, 5, 0, 1}, at::kLong).view({2, 2})));
  CHECK(picked[1].equal(at::tensor({2, 0}, at::kLong)));
  CHECK(BatchState::concat(picked, state)[1].equal(at::tensor({2, 0, 0, 1, 2}, at::kLong)));
}

TEST_CASE("state: where chooses rows and keeps NaN on its own side", "[state]") {
  const Tensor nan = at::full({2, 2}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  const BatchState a({at::ones({2, 2}, at::kDouble)});
  const Tensor keep = at::tensor({1, 0}, at::kLong).to(at::kBool);
  CHECK(BatchState::where(keep, a, BatchState({nan}))[0][0].equal(at::ones({2}, at::kDouble)));
  CHECK(BatchState::where(keep, a, BatchState({nan}))[0][1].isnan().all().item<bool>());
}

TEST_CASE("state: copy_from writes into the same storage, clone does not share it", "[state]") {
  const BatchState target({at::zeros({2})});
  const BatchState copy = target.clone();
  const void* address = target[0].data_ptr();
  target.copy_from(BatchState({at::ones({2})}));
  CHECK(target[0].data_ptr() == address);
  CHECK(target[0].equal(at::ones({2})));
  CHECK(copy[0].equal(at::zeros({2})));
}

TEST_CASE("state: copy_from may copy a state's own tensors to other places of it", "[state]") {
  const auto full = [](double v) { return at::full({2}, v, at::kDouble); };
  const BatchState state({full(1.0), full(2.0), full(3.0)});
  state.copy_from(BatchState({full(0.0), state[0], state[1]}));
  for (std::size_t i = 0; i < 3; ++i) CHECK(state[i].equal(full(static_cast<double>(i))));
  state.copy_from(BatchState({state[2], state[0], state[1]}));
  CHECK(state[0].equal(full(2.0)));
  CHECK(state[1].equal(full(0.0)));
  CHECK(state[2].equal(full(1.0)));
}

TEST_CASE("state: history is newest first, counts per row, forgets the oldest and changes capacity", "[state]") {
  const Tensor x = at::zeros({2, 1}, at::kDouble);
  const auto entry = [&](double v) {
    return HistoryEntry{at::full({2}, v, at::kDouble), at::full_like(x, v), at::full_like(x, -v)};
  };
  History history = History::empty(2, x);
  CHECK(history.count().equal(at::zeros({2}, at::kLong)));
  CHECK(history[0].sigma.equal(at::ones({2}, at::kDouble)));
  for (const double v : {1.0, 2.0, 3.0}) history = history.push(entry(v));
  CHECK(history.count().equal(at::full({2}, 2, at::kLong)));
  CHECK(history[0].denoised[0].item<double>() == 3.0);
  CHECK(history[1].slope[1].item<double>() == -2.0);
  const History again = History::from_state(history.state(), x);
  CHECK(again[1].sigma.equal(history[1].sigma));
  CHECK(history.resized(1, x).capacity() == 1);
  CHECK(history.resized(1, x).count().equal(at::ones({2}, at::kLong)));
  CHECK(history.resized(3, x).count().equal(at::full({2}, 2, at::kLong)));
  CHECK(history.resized(3, x)[2].denoised.equal(x));
  CHECK(History::empty(0, x).state().empty());
  CHECK(History::from_state({}, x).capacity() == 0);
}

TEST_CASE("spec: names with options", "[spec]") {
  const Spec spec = Spec::parse("ddim: eta = 0.5 ,clip=yes");
  CHECK(spec.name == "ddim");
  CHECK(spec.options.at("eta") == "0.5");
  CHECK(Spec::parse(spec.text()).options == spec.options);
  CHECK(Spec::parse("plan:a/b.json").argument == "a/b.json");
  CHECK(Spec::parse("plan:a.json,x=1").options.at("x") == "1");
  for (const char* bad : {"", ":", ":a=1", "a:b=1,b=2", "a:b=1,", "a:=1", "a:b=1,c"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(Spec::parse(bad), UsageError);
  }
  for (const char* bad : {"1e", "nan", "inf", " 1", "1 ", "0x1", ""})
    CHECK_THROWS_AS(parse_number(bad, "n"), UsageError);
  CHECK(nearest("karas", {"karras", "linear"}) == "karras");
  CHECK(nearest("zzzzz", {"karras", "linear"}).empty());
}

}  // namespace stride
