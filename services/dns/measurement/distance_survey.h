// Keeps the replicas' distances to each other fresh: every prober measures the other replicas' addresses,
// over the same Measure call that clients are measured with. In a large fleet it measures the landmarks'
// alone (fleet_state.h): of n replicas that is n * kLandmarks measurements a round, not n * n.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <vector>

#include "lib/asio/loop_life.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/measurement/prober_client.h"
#include "services/dns/telemetry/measurement_log.h"

namespace perigee::dns {

// From one round to the next; the short one while some distance is still unknown.
struct SurveyPauses {
  std::chrono::milliseconds complete = std::chrono::minutes(10);
  std::chrono::milliseconds incomplete = std::chrono::seconds(5);
};

class DistanceSurvey {
 public:
  // `loop` is run by one thread. Make this while it does not run, or on its thread; destroy it so too, the
  // latter after Stop and after ProberClient::Stop. References must outlive it.
  // `log` may be null: nobody writes it down.
  DistanceSurvey(boost::asio::io_context& loop, FleetState& fleet, ProberClient& probers, const Clock& clock,
                 MeasurementLog* log = nullptr, const SurveyPauses& pauses = {});

  // From any thread: no round nor measurement starts from here on.
  void Stop() { stopped_.store(true, std::memory_order_relaxed); }

 private:
  void StartRound();
  // Replica `from` measures the `nth` of targets_ and then, one after the other, those that follow it.
  void Measure(size_t from, size_t nth);
  void OnAnswer(size_t from, size_t nth, const Sample& sample);
  void EndRow(size_t from);
  bool complete() const;

  boost::asio::io_context& loop_;
  FleetState& fleet_;
  ProberClient& probers_;
  const Clock& clock_;
  MeasurementLog* const log_;
  const SurveyPauses pauses_;
  boost::asio::steady_timer timer_;
  size_t rows_under_way_ = 0;
  const std::vector<size_t> targets_;
  std::vector<DistancesRecord> rows_;  // of this round, by the replica that measures
  std::atomic<bool> stopped_{false};
  const LoopLife life_;
};

}  // namespace perigee::dns
