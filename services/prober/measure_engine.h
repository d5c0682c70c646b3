// What stands behind Measure: address policy, budgets, flights. One thread with one event loop owns them all.
//
// scamper serialises tasks to one destination, so calls for the same target share one flight and its result;
// calls for different targets never wait for each other.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "lib/health/loop_sign.h"
#include "lib/probe_policy/address_policy.h"
#include "lib/probe_policy/probe_budget.h"
#include "services/prober/flight.h"
#include "services/prober/ladder.h"
#include "services/prober/prober_counters.h"
#include "services/prober/rung_memory.h"
#include "services/prober/scamper_daemon.h"

namespace perigee {

struct MeasureOptions {
  std::string scamper;  // path of the binary
  // How long ICMP is alone before TCP is tried too.
  std::chrono::milliseconds tcp_stagger{60};
  // How long both are alone before the last hop that answers is looked for.
  std::chrono::milliseconds hop_stagger = kHopStagger;
  // When a client that answers nothing counts as silent; later by kEchoSpacing for each further probe, and
  // earlier when the call's deadline is.
  std::chrono::milliseconds silent_after{1500};
  size_t max_flights = 1024;
  size_t max_callers_per_flight = 256;
};

// So long before its deadline a call is answered, to arrive in time.
inline constexpr std::chrono::milliseconds kAnswerMargin{20};

class MeasureEngine {
 public:
  using CallId = uint64_t;
  using Done = std::function<void(absl::StatusOr<Measurement>)>;
  using OnServing = std::function<void(bool)>;

  MeasureEngine(const MeasureOptions& options, AddressPolicy policy, const ProbeBudgetOptions& budget,
                RunFolder folder);
  ~MeasureEngine();  // as Stop()

  // Starts scamper. `on_serving` is called on the engine's thread whenever measuring becomes possible or
  // impossible; it is impossible until it says otherwise.
  void Start(OnServing on_serving);

  // Ends scamper and every call under way with Unavailable; later calls get that at once.
  void Stop();

  // Thread-safe. `done` is called exactly once, on the engine's thread or (after Stop) the caller's. Errors
  // as in prober.proto: PermissionDenied, ResourceExhausted, Unavailable; and Cancelled.
  CallId Measure(MeasureTarget target, MonoTime deadline, Done done);

  // Thread-safe. Ends the call with Cancelled, and the probing when nobody else waits for it.
  void Cancel(CallId call);

  // Thread-safe, and as long as the engine: what it has counted, whether its loop goes round, and whether
  // scamper takes commands.
  const ProberCounters& counters() const { return counters_; }
  const LifeSigns& life() const { return life_; }
  bool scamper_up() const { return scamper_up_; }

 private:
  struct Call {
    MeasureTarget target;
    Done done;
    std::unique_ptr<boost::asio::steady_timer> deadline;
  };
  struct SharedFlight {
    std::unique_ptr<Flight> flight;
    std::vector<CallId> calls;
  };
  using Flights = absl::flat_hash_map<MeasureTarget, SharedFlight>;

  void Begin(CallId id, MeasureTarget target, MonoTime deadline, Done done);
  absl::Status Join(CallId id, const MeasureTarget& target, MonoTime deadline);
  absl::StatusOr<Flights::iterator> Launch(const MeasureTarget& target, MonoTime silent_at);
  void OnDeadline(CallId id);
  void OnScamper(bool up);
  void OnFlightOver(const MeasureTarget& target, const absl::StatusOr<Measurement>& result);
  void Leave(CallId id, absl::StatusOr<Measurement> result);
  void Finish(CallId id, absl::StatusOr<Measurement> result);
  bool MayTrace(const IpAddress& client, uint32_t packets);
  SharedFlight TakeFlight(Flights::iterator flight, MeasureEnd end);
  absl::Status Refuse(MeasureRefusal why, absl::Status status);
  MonoTime SilentAt(const MeasureTarget& target, MonoTime deadline) const;
  void Shutdown();

  const MeasureOptions options_;
  const AddressPolicy policy_;
  ProbeBudget budget_;
  RungMemory memory_;
  std::atomic<CallId> last_call_{0};

  std::mutex stop_mutex_;
  bool stopped_ = false;  // under stop_mutex_: nothing is posted after it is set

  ProberCounters counters_;
  LifeSigns life_;
  std::atomic<bool> scamper_up_{false};

  boost::asio::io_context io_;
  LoopSign loop_sign_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  OnServing on_serving_;
  ScamperDaemon scamper_;
  Flights flights_;
  absl::flat_hash_map<CallId, Call> calls_;
  std::thread thread_;
};

}  // namespace perigee
