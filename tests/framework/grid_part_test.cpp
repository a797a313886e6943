// Parts of grids, and lists of levels as models bring them.
#include "framework/error.h"
#include "framework/grids/flow_time.h"
#include "framework/grids/noise_schedule.h"
#include "framework/grids/time_grid.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <fstream>

namespace stride {
namespace {

using Levels = std::vector<double>;

Levels levels(const std::string& grid, int64_t steps = 8, Final final = Final::zero,
              const NoiseSchedule* schedule = nullptr) {
  GridRequest request;
  request.steps = steps;
  request.final = final;
  request.noise_schedule = schedule;
  return make_grid(Spec::parse(grid), request).sigmas();
}

Levels cut(const Levels& from, std::ptrdiff_t begin, std::ptrdiff_t end) {
  return {from.begin() + begin, from.begin() + end + 1};
}

}  // namespace

TEST_CASE("grid: a part of a grid has the grid's own levels", "[grid]") {
  for (const char* name : {"karras:rho=5", "exponential", "kl_optimal"}) {
    INFO(name);
    const std::string grid = name;
    const char* more = grid.find(':') == std::string::npos ? ":" : ",";
    const auto part = [&](const std::string& text) { return levels(grid + more + text); };
    const Levels all = levels(grid);
    REQUIRE(all.size() == 9);
    CHECK(part("last=3") == cut(all, 5, 8));
    CHECK(part("last=8") == all);
    CHECK(part("last=50") == all);
    CHECK(part("part=2-5") == cut(all, 2, 5));
    CHECK(part("part=2-") == cut(all, 2, 8));
    CHECK(part("part=0-99") == all);
    CHECK(part("last=6,part=1-4") == cut(all, 3, 6));
    Levels jump = cut(all, 2, 5);
    jump.back() = 0.0;
    CHECK(part("part=2-5,jump=true") == jump);
    CHECK(part("part=2-5,jump=false") == cut(all, 2, 5));
    CHECK(part("jump=true") == all);
    CHECK_THROWS_WITH(part("part=5-5"), contains("no interval"));
    CHECK_THROWS_WITH(part("part=8-"), contains("no interval"));
    CHECK_THROWS_WITH(part("part=5"), contains("part is FROM-TO"));
    CHECK_THROWS_WITH(part("part=-3"), contains("part is FROM-TO"));
    CHECK_THROWS_WITH(part("part=a-3"), contains("part"));
    CHECK_THROWS_WITH(part("last=0"), contains("last must be at least 1"));
    CHECK_THROWS_WITH(part("jump=maybe"), contains("jump must be"));
  }
  // What leaves a level out does so first: other projects cut what they get.
  const Levels dropped = levels("karras:drop_next_to_last=true", 8);
  CHECK(levels("karras:drop_next_to_last=true,last=3", 8) == cut(dropped, 5, 8));
  const Levels positive = levels("karras", 8, Final::sigma_min);
  Levels ends = cut(positive, 5, 8);
  CHECK(levels("karras:last=3", 8, Final::sigma_min) == ends);
  ends.back() = 0.0;
  CHECK(levels("karras:last=3,jump=true", 8, Final::sigma_min) == ends);
}

TEST_CASE("grid: the lists that few-step models bring are levels, flow times or timesteps", "[grid]") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "turbo.txt";
  const NoiseSchedule latent = make_noise_schedule(Spec::parse("scaled_linear"));
  std::ofstream(path) << "# Turbo: four steps\n999, 749, 499, 249 # and 0\n";
  const Levels turbo = levels("custom:" + path + ",as=timestep", 4, Final::zero, &latent);
  CHECK(turbo == Levels{latent.sigma(999), latent.sigma(749), latent.sigma(499), latent.sigma(249), 0.0});
  CHECK(turbo == levels("trailing", 4, Final::zero, &latent));
  CHECK(levels("custom:" + path + ",as=timestep", 4, Final::sigma_min, &latent).size() == 4);
  CHECK_THROWS_WITH(levels("custom:" + path + ",as=timestep"), contains("noise_schedule"));
  CHECK_THROWS_WITH(levels("custom:" + path + ",as=flow_t"), contains("flow time 999"));
  std::ofstream(path) << R"({"sigmas": [1.0, 0.75, 0.5, 0.25, 0.0], "note": "flow times"})";
  const Levels flow = levels("custom:" + path + ",as=flow_t");
  CHECK(flow == Levels{flow_sigma(flow_start(0.75)), 3.0, 1.0, 1.0 / 3.0, 0.0});
  CHECK(levels("custom:" + path) == Levels{1.0, 0.75, 0.5, 0.25, 0.0});
  std::ofstream(path) << "[1.5e3, 0.5]";
  CHECK_THROWS_WITH(levels("custom:" + path + ",as=timestep", 4, Final::zero, &latent), contains("not in 0 ... 999"));
  for (const char* text : {R"({"levels": [1, 0]})", R"({"sigmas": []})", R"({"sigmas": ["a"]})", "{", "# nothing"}) {
    INFO(text);
    std::ofstream(path) << text;
    CHECK_THROWS_AS(levels("custom:" + path), InputError);
  }
}

}  // namespace stride
