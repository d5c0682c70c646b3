// Where a thread writes down what it answered: its counters, and its ring of the decision log.
#pragma once

#include <mutex>

#include "lib/base/clock.h"
#include "services/dns/responder/steering_seam.h"
#include "services/dns/telemetry/decision_log.h"
#include "services/dns/telemetry/query_counters.h"

namespace perigee::dns {

// The places that everybody's recorders write to; they outlive the recorders.
struct Telemetry {
  QueryCounterRegistry& counters;
  DecisionLog* decisions = nullptr;  // null: no log is kept
  const Clock& clock;
};

// For one thread.
class Recorder {
 public:
  explicit Recorder(const Telemetry& telemetry)
      : counters_(telemetry.counters.NewBlock()),
        ring_(telemetry.decisions == nullptr ? nullptr : &telemetry.decisions->NewRing()),
        clock_(telemetry.clock) {}

  QueryCounters& counters() { return counters_; }
  const Clock& clock() const { return clock_; }

  // A steered answer that is about to be sent.
  void Steered(const ClientKey& client, NameView name, RrType type, Transport transport,
               const SteeredAnswer& answer);

 private:
  QueryCounters& counters_;
  DecisionLog::Ring* const ring_;
  const Clock& clock_;
};

// For the answers that come later, from whatever thread.
struct SharedRecorder {
  explicit SharedRecorder(const Telemetry& telemetry) : recorder(telemetry) {}
  std::mutex mutex;
  Recorder recorder;  // guarded by `mutex`
};

}  // namespace perigee::dns
