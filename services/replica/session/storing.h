// From a response on its way to a stored object: what the leader of a flight does with it, with or without a
// client of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "services/replica/session/context.h"

namespace perigee::replica {

// What becomes a stored object when its body is complete.
struct Storing {
  std::string key;
  http::HeaderList request;  // the client's
  http::ResponseHead head;   // with the headers that may be stored
  uint64_t asked_at = 0;     // the cache's purge generation from before the origin was asked
};

// Known beforehand or not at all.
std::optional<uint64_t> BodyLength(const OriginConnection& connection);

// Why `connection`'s response is not for others; nothing when it may be shared and stored. `sent`: the fields
// that the origin was asked with.
std::optional<std::string_view> WhyNotShared(const Context& context, const OriginConnection& connection,
                                             const http::HeaderList& sent);

// A response that is not kept has come in the place of what is stored under `key`: that one must not come
// back when the origin fails. `why_not` from WhyNotShared; what is not shared because of the request's own
// Authorization or fault, and a server's trouble, replace nothing.
void ForgetSuperseded(const Context& context, const std::string& key, int status, std::string_view why_not);

// Makes the head known to those who wait for it.
void Publish(const Context& context, Flight& flight, const Storing& storing, std::optional<uint64_t> length);

// Reads the body into the flight, to its end, whether or not anyone still waits for it, and stores it.
Task<> Fill(Context& context, std::unique_ptr<OriginConnection> connection, FlightTable::Lease lease,
            Storing storing);

// For waiters: the complete answer.
FlightHead HeadOf(const std::shared_ptr<const StoredResponse>& complete);

// What a 304, or a 200 to HEAD, makes of `stored`. `asked_at` as in Storing. Its Set-Cookie is dropped unless
// the policy stores them.
struct Freshened {
  std::shared_ptr<const StoredResponse> response;
  bool shareable = false;  // false: the new fields forbid to keep it, and it is forgotten
};
Freshened Freshen(Context& context, const std::string& key, const http::HeaderList& request,
                  const std::shared_ptr<const StoredResponse>& stored, const http::ResponseHead& update,
                  uint64_t asked_at);

// Gives it to those who wait, or tells them to ask for themselves.
void Publish(Flight& flight, const Freshened& fresh);

}  // namespace perigee::replica
