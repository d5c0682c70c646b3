// A response as the cache keeps it: shared by every request that it answers, never changed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/http_semantics/freshness.h"
#include "lib/http_semantics/message.h"
#include "lib/http_semantics/range.h"
#include "services/replica/cache/body.h"

namespace perigee::replica {

class DiskBody;
struct StoredParts;

inline constexpr WallTime kNotPurged{};

// On the disk bodies are cut into chunks of this size, the last one shorter.
inline constexpr size_t kChunkBytes = size_t{256} * 1024;

// Shortens the lifetime so that it ended when a soft purge said so: staleness counts from there, as
// stale-while-revalidate and stale-if-error want it. No-op for kNotPurged.
void ApplySoftPurge(WallTime purged_at, http::Freshness* freshness);

struct StoredResponse {
  // With the headers that HeadersToStore leaves.
  http::ResponseHead head;
  // The whole body, as the origin sent it; or what reads it (large_body.h); or the parts of it that there
  // are.
  Body body;
  std::shared_ptr<const DiskBody> disk_body;
  std::shared_ptr<const StoredParts> parts;

  // The rest is filled in by the cache. What follows from `head` and the cache's policy:
  http::Freshness freshness;
  // What selects this variant among those of its key (VaryNames, VariantKey).
  std::string vary_names;
  std::string variant_key;
  uint64_t body_bytes = 0;
  // When a soft purge made it stale; kNotPurged while none did since it was last validated.
  WallTime soft_purged_at = kNotPurged;
  // Which stored object this is: greater for those stored later, never used twice. 0 when it is not stored.
  uint64_t object_id = 0;
};

// Steps back by which a clock is set right are smaller; they make nothing stale.
inline constexpr std::chrono::seconds kMaxClockStep{10};
// What may be done with `stored` now, as http::DecideReuse says. When the clock has gone back behind its soft
// purge, or by more than kMaxClockStep behind its coming, nobody knows how old it is: its lifetime is over.
http::ReuseDecision DecideReuse(const StoredResponse& stored, const http::CacheControl& request,
                                WallTime now);

// What is stored of a whole that is not: every part is an object of its own, a 206 with its Content-Range.
struct StoredParts {
  struct Part {
    http::ByteRange range;
    uint64_t object_id = 0;
  };
  // The one that was stored last, as it is. What it says counts for all (RFC 9111 §3.4).
  std::shared_ptr<const StoredResponse> newest;
  std::vector<Part> parts;  // in the order of their first bytes; they may overlap
};

// The 200 that they are parts of: with the head of `newest`, and body_bytes of the whole.
std::shared_ptr<const StoredResponse> WholeInParts(std::shared_ptr<const StoredResponse> newest,
                                                   std::vector<StoredParts::Part> parts);

}  // namespace perigee::replica
