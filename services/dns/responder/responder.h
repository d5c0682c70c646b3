// From the bytes of a query to the bytes of its answer: parse → plan → (steering) → guard → write.
//
// Sans-I/O. The listeners bring queries and carry answers away; see services/dns/listener.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/functional/any_invocable.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/base/published.h"
#include "lib/dns_wire/constants.h"
#include "services/dns/responder/authority.h"
#include "services/dns/responder/query_context.h"
#include "services/dns/responder/recorder.h"
#include "services/dns/responder/steering_seam.h"
#include "services/dns/zone/answer_plan.h"

namespace perigee::dns {

enum class Action {
  kSend,  // the first `size` octets of `out`
  kDrop,  // nothing: what came was not a query, or the client has had enough
  kPark,  // the client is not known yet: call Park with the same query
};

struct Outcome {
  Action action = Action::kDrop;
  size_t size = 0;
};

// Who asks, and how.
struct Asker {
  IpAddress address;
  Transport transport = Transport::kUdp;
  MonoTime now{};  // when the query was read
};

// The room that an answer needs.
constexpr size_t AnswerCapacity(Transport transport) {
  return transport == Transport::kUdp ? kEdnsUdpLimit : kTcpLimit;
}

// A query that has been read and waits for its turn. It has views into the query and into the authority: both
// must stay as they are until it is answered.
struct Reading {
  ParseVerdict verdict = ParseVerdict::kDrop;
  QueryContext context;
  MonoTime at{};
};

// One thread's. Answer neither locks nor allocates, but for the first query after a new authority.
class Responder {
 public:
  // An empty span means: send nothing.
  using Deliver = absl::AnyInvocable<void(std::span<const uint8_t> answer)>;

  // `authority` must outlive this. `parked` writes down what is answered later, for all threads.
  Responder(const Published<Authority>& authority, const Telemetry& telemetry,
            std::shared_ptr<SharedRecorder> parked);

  // `out` has AnswerCapacity(transport) octets.
  Outcome Answer(std::span<const uint8_t> query, const Asker& asker, std::span<uint8_t> out);

  // The same for many queries at once, a step for all of them after the other, so that what the later steps
  // need of memory is fetched while the earlier ones are busy with other queries: Refresh(), Read() each,
  // Approach() each, Answer() each. To leave Approach out costs time and nothing else.
  void Read(std::span<const uint8_t> query, const Asker& asker, Reading* reading);
  void Approach(const Reading& reading);
  Outcome Answer(Reading& reading, std::span<uint8_t> out);

  // For a query that Answer said to park. What the answer needs of it is copied, so `query` may go. `deliver`
  // is called exactly once, from any thread, possibly before Park returns; its bytes live for that call only.
  void Park(std::span<const uint8_t> query, const Asker& asker, Deliver deliver);
  void Park(const Reading& reading, Deliver deliver);

  // Takes the newest authority, and lets go of one that has been replaced: before every batch, and once in a
  // while on a thread that has nothing to do.
  void Refresh() { authority_.Current(); }

  QueryCounters& counters() { return recorder_.counters(); }
  // Of what is answered later.
  const std::shared_ptr<SharedRecorder>& parked() const { return parked_; }

 private:
  void Parse(std::span<const uint8_t> query, const Asker& asker, Reading* reading);
  RateVerdict Allow(const Authority& authority, const QueryContext& context, ResponseKind kind, MonoTime now);
  Outcome Refuse(const QueryContext& context, ParseVerdict verdict, std::span<uint8_t> out);
  Outcome Write(const Authority& authority, QueryContext& context, const AnswerPlan& plan, MonoTime now,
                std::span<uint8_t> out);
  bool FindBeacon(const Authority& authority, const QueryContext& context, MonoTime now);
  Outcome Send(std::span<const uint8_t> answer, Rcode rcode);

  Published<Authority>::Reader authority_;
  Recorder recorder_;
  const std::shared_ptr<SharedRecorder> parked_;
  SteeredAnswer
      steered_;  // the last one; here because to clear 300 octets for each costs more than to find it
};

// Makes one for each thread of a listener.
using ResponderFactory = std::function<std::unique_ptr<Responder>()>;

}  // namespace perigee::dns
