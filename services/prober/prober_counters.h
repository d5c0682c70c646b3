// What the prober counts. Written by the engine's thread, read by any.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/metrics/counter.h"

namespace perigee {

// How a measurement ended.
enum class MeasureEnd : uint8_t {
  kIcmpEcho,   // answered so
  kTcpSyn,     // answered so
  kUdpPort,    // answered so
  kLastHop,    // a router before the client answered
  kSilent,     // no answer
  kFailed,     // scamper ended, or would not take it
  kAbandoned,  // nobody waited for it any more
  kCount,
};
std::string_view Word(MeasureEnd end);

// Why a call was refused.
enum class MeasureRefusal : uint8_t {
  kPolicy,       // the address may not be probed
  kBudget,       // enough packets have left, for this prefix or for all
  kFlightLimit,  // --max-flights measurements are under way
  kCallerLimit,  // many wait for this very client already
  kNotStarted,   // scamper is not running, or there is no route
  kCount,
};
std::string_view Word(MeasureRefusal refusal);

struct ProberCounters {
  Counter started;
  CountersBy<MeasureEnd> ended;
  CountersBy<MeasureRefusal> refused;
  Counter packets;         // of ended measurements
  Counter traces_refused;  // last hops not looked for, for the budgets
  Counter scamper_starts;  // each time that it has come to take commands
};

}  // namespace perigee
