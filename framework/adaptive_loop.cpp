#include "framework/adaptive_loop.h"

#include <ATen/ATen.h>

namespace stride {

bool run_to_ends(const AdaptiveLoop& loop, RunState active,
                 const std::function<void(RunState ended, Tensor places)>& retire) {
  Tensor places = at::arange(active.batch(), active.index.options());
  const auto leave = [&](const Tensor& which) {
    if (which.numel() > 0) retire(active.select(which), places.index_select(0, which));
  };
  bool stopped = false;
  for (int64_t attempt = 1; places.numel() > 0 && attempt <= loop.max_steps; ++attempt) {
    stopped = loop.stop && loop.stop();
    if (stopped) break;
    active = loop.step(active);
    if (attempt % loop.poll_every != 0) continue;
    const Tensor running = active.running();
    if (running.all().item<bool>()) continue;
    if (!loop.compact && running.any().item<bool>()) continue;
    const Tensor staying = running.nonzero().squeeze(1);
    leave(running.logical_not().nonzero().squeeze(1));
    active = active.select(staying);
    places = places.index_select(0, staying);
  }
  if (places.numel() > 0) {
    const auto exhausted = at::full_like(active.status, static_cast<int8_t>(Status::max_steps));
    if (!stopped) active.status = at::where(active.running(), exhausted, active.status);
    leave(at::arange(places.numel(), places.options()));
  }
  return stopped;
}

}  // namespace stride
