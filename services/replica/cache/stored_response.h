// A response as the cache keeps it: shared by every request that it answers, never changed.
#pragma once

#include <memory>
#include <string>

#include "lib/http_semantics/freshness.h"
#include "lib/http_semantics/message.h"

namespace perigee::replica {

struct StoredResponse {
  // With the headers that HeadersToStore leaves.
  http::ResponseHead head;
  // The whole body, as the origin sent it.
  std::shared_ptr<const std::string> body;
  // Filled in by the cache from `head`.
  http::Freshness freshness;
  // What selects this variant among those of its key (VaryNames, VariantKey). Filled in by the cache.
  std::string vary_names;
  std::string variant_key;
};

}  // namespace perigee::replica
