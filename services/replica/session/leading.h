// Asks the origin on behalf of a flight that one leads, with or without a client of one's own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "services/replica/http1/message.h"
#include "services/replica/session/context.h"
#include "services/replica/session/storing.h"

namespace perigee::replica {

// What the origin is asked for. What it points to must live until it is done.
struct Errand {
  const std::string& key;
  const RequestHead& request;  // a GET
  std::string_view path;
  IpAddress client;
  std::shared_ptr<const StoredResponse> stored;  // to be validated; null when there is nothing yet
  bool stands_in = false;  // whether `stored` serves in place of a server's trouble (IsServerTrouble)
  // Whether the origin is asked for the request's Range, on the request's own conditions where there is
  // nothing to be validated. Otherwise it is asked for the whole, whatever the request says.
  bool in_part = false;
  std::shared_ptr<const StoredResponse> parts =
      nullptr;  // stored ones, fresh or not, of which it may send more
};

// What came of it. One of
//   failed    `error`; kErrorStatus: it is the stored one that serves;
//   validated `validated`, complete;
//   shared    `connection` has the head, which is known to the flight: its body is for Fill, with `storing`;
//   alone     `connection` has a response that is for nobody else, by reason of `why_not`.
struct Outcome {
  FetchError error = FetchError::kNone;
  std::shared_ptr<const StoredResponse> validated = nullptr;
  std::unique_ptr<OriginConnection> connection = nullptr;
  std::optional<Storing> storing = std::nullopt;
  std::string_view why_not = {};
};

// Asks, once more without condition when a 304 is about something else than what is stored, and tells those
// who wait for the flight. A response that is not kept ends the stored one, unless that is the request's own
// doing or a server's trouble. `interim` as in OriginPool::Fetch.
Task<Outcome> AskOrigin(Context& context, Recorder& recorder, const Errand& errand, FlightTable::Lease& lease,
                        const InterimSink* interim = nullptr);

}  // namespace perigee::replica
