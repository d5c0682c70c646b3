// From a response on its way to a stored object.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "services/replica/session/context.h"

namespace perigee::replica {

// What becomes a stored object when its body is complete.
struct Storing {
  std::string key;
  http::HeaderList request;  // SelectingFields of the client's
  http::ResponseHead head;   // with the headers that may be stored
  uint64_t asked_at = 0;     // the cache's purge generation from before the origin was asked
};

// What may select a variant for the client's `request`: what Connection names, the origin has not seen.
http::HeaderList SelectingFields(const http::HeaderList& request);

// Known beforehand or not at all.
std::optional<uint64_t> BodyLength(const OriginConnection& connection);

// Reads the body into the flight, to its end, whether or not anyone still waits for it, and stores it.
Task<> Fill(Context& context, std::unique_ptr<OriginConnection> connection, FlightTable::Lease lease,
            Storing storing);

// For waiters: the complete answer.
FlightHead HeadOf(const std::shared_ptr<const StoredResponse>& complete);

// What a 304, or a 200 to HEAD, makes of `stored`. `request`: the client's fields; `asked_at` as in Storing.
// Its Set-Cookie is dropped unless the policy stores them.
struct Freshened {
  std::shared_ptr<const StoredResponse> response;
  // False: the new fields forbid to keep it, and it is forgotten. Or the request does (IsRequestsDoing): then
  // what is stored stays as it was.
  bool shareable = false;
};
Freshened Freshen(Context& context, const std::string& key, const http::HeaderList& request,
                  const std::shared_ptr<const StoredResponse>& stored, const http::ResponseHead& update,
                  uint64_t asked_at);

}  // namespace perigee::replica
