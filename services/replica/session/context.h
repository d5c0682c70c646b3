// What a request needs around it: the parts of its Worker, and what all Workers share.
#pragma once

#include "lib/base/clock.h"
#include "lib/base/published.h"
#include "lib/http_semantics/storability.h"
#include "services/replica/cache/cache.h"
#include "services/replica/counters.h"
#include "services/replica/fetch/flight_table.h"
#include "services/replica/fetch/origin_pool.h"
#include "services/replica/io/deadline.h"
#include "services/replica/limits.h"
#include "services/replica/served_names.h"
#include "services/replica/telemetry/beacons.h"
#include "services/replica/telemetry/client_rtts.h"
#include "services/replica/telemetry/recorder.h"

namespace perigee::replica {

struct Context {
  // Of the Worker: one thread.
  Executor executor;
  DeadlineSweeper& sweeper;
  OriginPool& pool;
  Counters& counters;
  Telemetry telemetry;
  Published<ServedNames>::Reader served_names;
  bool draining = false;  // answers say Connection: close

  // Shared and thread-safe, or never changed.
  Cache& cache;
  FlightTable& flights;
  const http::CachePolicy& policy;
  const OriginAddress& origin;
  const Limits& limits;
  ClientRtts& client_rtts;
  Beacons& beacons;
  const Clock& clock;
};

}  // namespace perigee::replica
