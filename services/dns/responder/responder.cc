#include "services/dns/responder/responder.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "services/dns/responder/answer_writer.h"
#include "services/dns/responder/query_context.h"

namespace perigee::dns {
namespace {

// A cookie alone asks for one (RFC 7873 §5.4); to a server without cookies it is a query without a question.
Rcode RcodeFor(ParseVerdict verdict, const QueryContext& context) {
  switch (verdict) {
    case ParseVerdict::kNotImp:
      return Rcode::kNotImp;
    case ParseVerdict::kBadVers:
      return Rcode::kBadVers;
    case ParseVerdict::kCookieOnly:
      if (!context.edns.cookie) return Rcode::kFormErr;
      return context.query.edns->cookie->server_size == 0 || context.valid_cookie ? Rcode::kNoError
                                                                                  : Rcode::kBadCookie;
    default:
      return Rcode::kFormErr;
  }
}

ResponseKind KindOf(PlanKind kind) {
  switch (kind) {
    case PlanKind::kAnswer:
    case PlanKind::kSteered:
      return ResponseKind::kData;
    case PlanKind::kNoData:
    case PlanKind::kNameError:
      return ResponseKind::kNegative;
    case PlanKind::kReferral:
      return ResponseKind::kReferral;
    case PlanKind::kRefused:
      break;
  }
  return ResponseKind::kError;
}

// `rcode` is the extended one, of which the header holds four bits only.
void CountSent(std::span<const uint8_t> answer, Rcode rcode, QueryCounters& counters) {
  counters.CountRcode(rcode);
  if ((answer[2] & kFlagTc >> 8) != 0) counters.truncated.Add();
}

void CountQuery(const QueryContext& context, QueryCounters& counters) {
  counters.by_protocol[static_cast<size_t>(context.transport)].Add();
  counters.CountType(context.query.qtype);
  if (context.subnet != SubnetUse::kNone) counters.by_subnet[context.subnet].Add();
  if (context.edns.cookie) (context.valid_cookie ? counters.cookies_valid : counters.cookies_invalid).Add();
}

std::string_view FirstLabel(NameView name) {
  return {reinterpret_cast<const char*>(name.bytes().data()) + 1, name.bytes().front()};
}

// Writes the steered answer, and writes it down. Returns its size.
size_t Steer(QueryContext& context, const AnswerPlan& plan, const SteeredAnswer& answer, Recorder& recorder,
             std::span<uint8_t> out) {
  context.SetSteeredScope(answer.scope_length);
  recorder.Steered(context.client, plan.steered_owner(), context.query.qtype, context.transport, answer);
  return WriteSteered(context.query, plan, answer, context.edns, out);
}

std::span<const uint8_t> FinishParked(const SavedQuery& saved, const Authority& authority,
                                      const SteeredAnswer* answer, MonoTime since, SharedRecorder& parked,
                                      std::span<uint8_t> out) {
  QueryContext context = saved.Restore();
  AnswerPlan plan;
  PlanAnswer(authority.zones, context.query.qname, context.query.qtype, context.query.qclass, &plan);
  const std::lock_guard lock(parked.mutex);
  QueryCounters& counters = parked.recorder.counters();
  if (answer == nullptr) {
    counters.CountDrop(DropReason::kParkLimit);
    return {};
  }
  out = out.first(std::min(out.size(), context.limit()));
  const auto written = out.first(Steer(context, plan, *answer, parked.recorder, out));
  CountSent(written, RcodeOf(*answer), counters);
  counters.CountLatency(parked.recorder.clock().Now() - since);
  return written;
}

}  // namespace

Responder::Responder(const Published<Authority>& authority, const Telemetry& telemetry,
                     std::shared_ptr<SharedRecorder> parked)
    : authority_(authority), recorder_(telemetry), parked_(std::move(parked)) {}

// May the answer leave? Over TCP, and with a valid cookie, the client is who it says it is.
RateVerdict Responder::Allow(const Authority& authority, const QueryContext& context, ResponseKind kind,
                             MonoTime now) {
  if (authority.limiter == nullptr || context.transport == Transport::kTcp || context.valid_cookie) {
    return RateVerdict::kSend;
  }
  const RateVerdict verdict = authority.limiter->Count(context.asker, kind, now);
  if (verdict == RateVerdict::kDrop) recorder_.counters().CountDrop(DropReason::kRateLimited);
  if (verdict == RateVerdict::kTruncate) recorder_.counters().CountDrop(DropReason::kSlipped);
  return verdict;
}

Outcome Responder::Send(std::span<const uint8_t> answer, Rcode rcode) {
  CountSent(answer, rcode, recorder_.counters());
  return {Action::kSend, answer.size()};
}

// An answer to what is no well-formed question.
Outcome Responder::Refuse(const QueryContext& context, ParseVerdict verdict, std::span<uint8_t> out) {
  const Rcode rcode = RcodeFor(verdict, context);
  return Send(out.first(WriteError(context.query, rcode, context.edns, out)), rcode);
}

// True, with its answer found, when the question is for a beacon: a name that nobody asks for twice. Who asks
// is remembered unless it tells its client's network itself.
bool Responder::FindBeacon(const Authority& authority, const QueryContext& context, MonoTime now) {
  const NameView qname = context.query.qname;
  if (!authority.beacon || qname.is_root() || qname.Parent() != *authority.beacon) return false;
  const auto token = BeaconToken::Parse(FirstLabel(qname));
  if (!token) return false;
  authority.steering->FindUnmeasured(context.client, now, &steered_);
  steered_.ttl = std::chrono::seconds(0);
  if (context.subnet != SubnetUse::kUsed) authority.steering->NoteBeacon(*token, context.client.prefix);
  return true;
}

Outcome Responder::Write(const Authority& authority, QueryContext& context, const AnswerPlan& plan,
                         MonoTime now, std::span<uint8_t> out) {
  if (plan.kind() != PlanKind::kSteered) {
    return Send(out.first(WritePlan(context.query, plan, context.edns, out)), plan.rcode());
  }
  if (!FindBeacon(authority, context, now) && !authority.steering->Find(context.client, now, &steered_)) {
    return {Action::kPark};
  }
  return Send(out.first(Steer(context, plan, steered_, recorder_, out)), RcodeOf(steered_));
}

void Responder::Parse(std::span<const uint8_t> query, const Asker& asker, Reading* reading) {
  QueryContext& context = *std::construct_at(&reading->context, asker.address, asker.transport);
  reading->at = asker.now;
  reading->verdict = ParseQuery(query, &context.query, asker.transport);
  if (reading->verdict != ParseVerdict::kDrop) Interpret(*authority_.Last(), recorder_.clock(), &context);
}

void Responder::Read(std::span<const uint8_t> query, const Asker& asker, Reading* reading) {
  Parse(query, asker, reading);
  if (reading->verdict == ParseVerdict::kDrop) return recorder_.counters().CountDrop(DropReason::kNotAQuery);
  CountQuery(reading->context, recorder_.counters());
  authority_.Last()->steering->Expect(reading->context.client, Steering::Approach::kFirst);
}

void Responder::Approach(const Reading& reading) {
  if (reading.verdict != ParseVerdict::kOk) return;
  authority_.Last()->steering->Expect(reading.context.client, Steering::Approach::kSecond);
}

Outcome Responder::Answer(Reading& reading, std::span<uint8_t> out) {
  if (reading.verdict == ParseVerdict::kDrop) return {Action::kDrop};
  const Authority& authority = *authority_.Last();
  QueryContext& context = reading.context;
  AnswerPlan plan;
  const bool well_formed = reading.verdict == ParseVerdict::kOk;
  if (well_formed) {
    PlanAnswer(authority.zones, context.query.qname, context.query.qtype, context.query.qclass, &plan);
  }
  out = out.first(context.limit());
  switch (Allow(authority, context, well_formed ? KindOf(plan.kind()) : ResponseKind::kError, reading.at)) {
    case RateVerdict::kDrop:
      return {Action::kDrop};
    case RateVerdict::kTruncate:
      return Send(out.first(WriteTruncated(context.query, context.edns, out)), Rcode::kNoError);
    case RateVerdict::kSend:
      break;
  }
  return well_formed ? Write(authority, context, plan, reading.at, out)
                     : Refuse(context, reading.verdict, out);
}

Outcome Responder::Answer(std::span<const uint8_t> query, const Asker& asker, std::span<uint8_t> out) {
  Refresh();
  Reading reading;
  Read(query, asker, &reading);
  return Answer(reading, out);
}

void Responder::Park(const Reading& reading, Deliver deliver) {
  const std::shared_ptr<const Authority>& authority = authority_.Last();
  authority->steering->Park(
      reading.context.client,
      [saved = SavedQuery(reading.context), authority, parked = parked_, since = reading.at,
       deliver = std::move(deliver)](const SteeredAnswer* answer) mutable {
        std::array<uint8_t, kEdnsUdpLimit> out;  // of any protocol: a steered answer is small
        deliver(FinishParked(saved, *authority, answer, since, *parked, out));
      });
}

void Responder::Park(std::span<const uint8_t> query, const Asker& asker, Deliver deliver) {
  Refresh();
  Reading reading;
  Parse(query, asker, &reading);
  if (reading.verdict != ParseVerdict::kOk) return deliver({});
  Park(reading, std::move(deliver));
}

}  // namespace perigee::dns
