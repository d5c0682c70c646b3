// What the server counts beside its queries: measurements, TCP connections, the state file, reloads. They
// outlive what counts, so that a reload sets nothing back. Read from any thread.
//
// How much there is of something now (measurements under way, queries parked, connections open) is what began
// less what has ended: no gauge that could drift.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "lib/base/clock.h"
#include "lib/metrics/counter.h"
#include "lib/probe_policy/address_policy.h"

namespace perigee::dns {

// Why a measurement was begun.
enum class FlightCause : uint8_t {
  kQuery,       // of a client that is not known
  kRefresh,     // of a row past its soft age
  kRefinement,  // after either, by more probes from those who may be nearest
  kCount,
};

// When those who waited for a measurement were first answered.
enum class FlightAnswer : uint8_t {
  kEarly,        // before all replicas had said something, for none of them could be nearer
  kComplete,     // when all had
  kHoldExpired,  // with the best so far
  kStopped,      // with the best so far, for its generation of the configuration ended
  kCount,
};

// How a measurement ended.
enum class FlightEnd : uint8_t {
  kComplete,  // every replica asked said something, if only that it failed
  kExpired,   // the Measure deadline passed without that
  kStopped,   // its generation of the configuration ended
  kCount,
};

// Why a client was not measured; it is answered all the same.
enum class ProbeRefusal : uint8_t {
  kSpecialRange,  // see MeasurementCounters::special_ranges
  kOptOut,        // probe_policy.opt_out names it
  kOwnAddress,    // of this host
  kHearsay,       // a network that a resolver told, from which no connection came
  kPrefixBudget,
  kUnprovenBudget,
  kGlobalBudget,
  kFlightLimit,  // steering.max_flights
  kNoProber,     // none can be asked
  kStopped,      // its generation of the configuration ended
  kCount,
};

// What became of the RTT of a client's connections, as a replica told it.
enum class PassiveUse : uint8_t {
  kJoined,         // it changed what is known of the client
  kNothingNew,     // a probe was shorter
  kUnknownClient,  // the map has no such prefix
  kCount,
};

// What became of a beacon, as a replica told it.
enum class BeaconUse : uint8_t {
  kJoined,   // whose client that is is known
  kUnasked,  // nobody asked for its name here, or that was too long ago, or it has been used
  kCount,
};

// Which choice a measurement judges.
enum class Judged : uint8_t {
  kFirst,       // what a stranger was answered before all was known
  kRemembered,  // what a client had been given until it was measured again
  kElsewhere,   // what a client is given, by its connections with another replica: one that it explores, or
                // had
  kCount,
};

// Why a query that was to wait was dropped.
enum class ParkRefusal : uint8_t {
  kFlightIsFull,  // steering.max_parked_per_flight
  kStopped,       // the measurement was gone before its answer
  kCount,
};

// The director's loop writes, unless said otherwise.
struct MeasurementCounters {
  CountersBy<FlightCause> started;
  CountersBy<FlightAnswer> answered;
  CountersBy<FlightEnd> ended;
  CountersBy<ProbeRefusal> probes_refused;
  std::array<Counter, kMaxSpecialRanges> special_ranges;  // refused, by AddressRefusal::special
  CountersBy<PassiveUse> passive;
  CountersBy<BeaconUse> beacons;
  // By how much another replica was nearer than the one chosen; and how often that one gave no answer now, so
  // that nobody knows.
  std::array<LatencyCounters, static_cast<size_t>(Judged::kCount)> lost;
  CountersBy<Judged> lost_unknown;
  Counter contradictions;    // clients for which one replica's time cannot be true (contradiction.h)
  Counter parked, unparked;  // queries that waited, and those that do no more
  CountersBy<ParkRefusal> dropped;
  SharedCounter backlog_full;  // queries and refreshes dropped before they came to the loop; any thread
};

// Why a TCP connection was closed.
enum class TcpClose : uint8_t {
  kClient,       // the client closed it, or is gone
  kIdle,         // no whole query and no answer for the idle time-out
  kMalformed,    // a length that no query has
  kTotalLimit,   // quiet longest of all when a new one came
  kClientLimit,  // quiet longest of its client's when a new one came
  kStopped,      // the server ended
  kCount,
};

// The TCP listener's thread writes.
struct TcpCounters {
  Counter opened;
  CountersBy<TcpClose> closed;
  Counter accept_failures;  // for want of descriptors, most often
  Counter answers_lost;     // parked ones whose connection was gone
};

// The thread that saves writes.
struct SaveCounters {
  Counter rows, saves;
  SharedCounter failures;                        // written by the one that opens another map's store too
  std::atomic<int64_t> last_success_unix_ms{0};  // 0: never

  void Saved(uint64_t count, WallTime now);
};

// The thread that reloads writes.
struct ReloadCounters {
  Counter succeeded, refused;
  std::atomic<int64_t> last_success_unix_ms{0};  // of the start, until there is one

  void Started(WallTime now);
  void Reloaded(bool ok, WallTime now);
};

struct ServerCounters {
  MeasurementCounters measurement;
  TcpCounters tcp;
  SaveCounters saves;
  ReloadCounters reloads;
};

}  // namespace perigee::dns
