// From the bytes of a query to the bytes of its answer: parse → zone → plan → (steering) → write.
//
// Sans-I/O. The listeners bring queries and carry answers away; see services/dns/listener.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "absl/functional/any_invocable.h"
#include "lib/base/address.h"
#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/query.h"
#include "services/dns/responder/steering_seam.h"
#include "services/dns/zone/zone.h"

namespace perigee::dns {

enum class Action {
  kSend,  // the first `size` octets of `out`
  kDrop,  // nothing: what came was not a query
  kPark,  // the client is not known yet: call Park with the same query
};

struct Outcome {
  Action action = Action::kDrop;
  size_t size = 0;
};

// The room that an answer needs.
constexpr size_t AnswerCapacity(Transport transport) {
  return transport == Transport::kUdp ? kEdnsUdpLimit : kTcpLimit;
}

// Thread-safe. Answer neither locks nor allocates.
class Responder {
 public:
  // An empty span means: send nothing.
  using Deliver = absl::AnyInvocable<void(std::span<const uint8_t> answer)>;

  // `steering` must outlive every call of Answer and Park; it may keep parked queries beyond the responder's
  // end.
  Responder(std::shared_ptr<const Zone> zone, Steering* steering);

  // `out` has AnswerCapacity(transport) octets.
  Outcome Answer(std::span<const uint8_t> query, const IpAddress& client, Transport transport,
                 std::span<uint8_t> out) const;

  // For a query that Answer said to park. What the answer needs of it is copied, so `query` may go. `deliver`
  // is called exactly once, from any thread, possibly before Park returns; its bytes live for that call only.
  void Park(std::span<const uint8_t> query, const IpAddress& client, Transport transport,
            Deliver deliver) const;

 private:
  std::shared_ptr<const Zone> zone_;
  Steering* steering_;
};

}  // namespace perigee::dns
