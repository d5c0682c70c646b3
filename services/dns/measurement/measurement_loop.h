// Runs the flight board on the director's loop: the thread-safe door to measuring.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <vector>

#include "lib/asio/loop_life.h"
#include "services/dns/measurement/flight_board.h"
#include "services/dns/measurement/prober_client.h"

namespace perigee::dns {

class MeasurementLoop final : private ProberCalls {
 public:
  // Queries and refreshes on their way to the loop; beyond it they are dropped. Reached only when the loop's
  // thread is starved, for the board itself parks no more than its options say.
  static constexpr int kMaxBacklog = 16'384;
  // Queries for beacons go no further than this: nobody waits for them.
  static constexpr int kMaxBacklogForBeacons = kMaxBacklog / 2;

  // `loop` is run by one thread and outlives this; so do the other references. Make it while the loop does
  // not run, or on its thread; destroy it so too, the latter after Stop and after ProberClient::Stop. What is
  // still on its way to the loop then is nothing.
  MeasurementLoop(boost::asio::io_context& loop, const FlightOptions& options, FleetState& fleet, RttMap& map,
                  ProberClient& probers, const Clock& clock, Permit& permit,
                  MeasurementCounters* counters = nullptr, MeasurementLog* log = nullptr);

  // As FlightBoard::Park and Refresh, from any thread. `done` runs on the loop's thread.
  void Park(const ClientKey& client, FlightBoard::Done done);
  void Refresh(const ClientKey& client);

  // As FlightBoard::OnPassive and OnBeacons, from any thread. Of each replica one report at most is on its
  // way to the loop; others meanwhile are dropped, for the next one comes soon.
  void LearnPassive(ReplicaId replica, std::vector<PassiveRtt> rtts);
  void LearnBeacons(ReplicaId replica, std::vector<SeenBeacon> beacons);

  // As FlightBoard::OnBeaconQuery, from any thread; dropped when too much is on its way.
  void NoteBeacon(const BeaconToken& token, const IpPrefix& resolver);

  // As FlightBoard::Stop, from any thread: asks the loop to, and does not wait for it.
  void Stop();

 private:
  void Measure(uint64_t flight, ReplicaId replica, const IpAddress& client, uint32_t probes,
               std::chrono::milliseconds deadline) override;
  // Counts one more on its way to the loop; false when there are `most` already.
  bool Admit(int most);
  bool AdmitQuery();
  void ArmTimer();

  boost::asio::io_context& loop_;
  ProberClient& probers_;
  FlightBoard board_;
  SharedCounter* const backlog_full_;  // null: nobody counts
  boost::asio::steady_timer timer_;
  std::optional<MonoTime> armed_for_;
  std::atomic<int> backlog_{0};
  std::array<std::atomic<bool>, kMaxReplicas> passive_queued_{}, beacons_queued_{};
  const LoopLife life_;
};

}  // namespace perigee::dns
