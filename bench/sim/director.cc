#include "bench/sim/director.h"

#include <algorithm>

namespace perigee::sim {

void Director::Ask(const dns::ClientKey& client, std::optional<Answer>* answer) {
  const MonoTime asked = clock_.Now();
  dns::KnownClient known;
  if (known_.Find(client, asked, &known)) {
    *answer = {Index(known.decision.replica), known.decision.reason, Rtt{}};
    if (known.stale && known_.AskRefresh(client, asked)) board_.Refresh(client);
    return;
  }
  board_.Park(client, [this, asked, answer](const dns::FlightOutcome* outcome) {
    if (outcome == nullptr) return;
    *answer = {Index(outcome->decision.replica), outcome->decision.reason,
               std::chrono::duration_cast<Rtt>(clock_.Now() - asked)};
  });
}

void Director::RunUntil(MonoTime until) {
  while (true) {
    const MonoTime due = board_.next_due().value_or(MonoTime::max());
    const MonoTime next = std::min(due, probers_.next());
    if (next > until) break;
    clock_.Advance(std::max(MonoTime::duration{}, next - clock_.Now()));
    if (due <= probers_.next()) {
      board_.OnTime();
    } else {
      const auto arrival = probers_.Take();
      board_.OnAnswer(arrival.flight, arrival.replica, arrival.sample);
    }
  }
  clock_.Advance(until - clock_.Now());
}

}  // namespace perigee::sim
