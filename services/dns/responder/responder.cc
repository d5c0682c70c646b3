#include "services/dns/responder/responder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/dns_wire/query.h"
#include "lib/dns_wire/response.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

size_t LimitFor(const ParsedQuery& query, Transport transport) {
  return transport == Transport::kUdp ? UdpLimit(query) : kTcpLimit;
}

void AddSet(Section section, NameView owner, const RecordSet& set, seconds ttl, ResponseWriter& writer) {
  for (const Rdata& rdata : set.rdatas) writer.AddRecord(section, owner, set.type, ttl, rdata);
}

void AddNegative(const Zone& zone, seconds ttl, ResponseWriter& writer) {
  AddSet(Section::kAuthority, zone.apex(), zone.soa(), ttl, writer);
}

// The addresses of the zone's own name servers, which every resolver asks for next.
void AddGlue(const Zone& zone, const RecordSet& ns, ResponseWriter& writer) {
  for (const Rdata& rdata : ns.rdatas) {
    Reader reader(rdata);
    NameView target;
    if (!NameView::Read(reader, &target)) continue;
    const Node* node = zone.Find(target);
    for (const RrType type : {RrType::kA, RrType::kAaaa}) {
      const RecordSet* set = node == nullptr ? nullptr : node->Find(type);
      if (set != nullptr) AddSet(Section::kAdditional, target, *set, set->ttl, writer);
    }
  }
}

size_t WriteError(const ParsedQuery& query, Rcode rcode, std::span<uint8_t> out) {
  ResponseWriter writer(query, out);
  writer.set_rcode(rcode);
  return writer.Finish();
}

size_t WritePlan(const ParsedQuery& query, const Zone& zone, const Plan& plan, std::span<uint8_t> out) {
  if (plan.kind == PlanKind::kRefused) return WriteError(query, Rcode::kRefused, out);
  ResponseWriter writer(query, out);
  writer.set_authoritative();
  if (plan.kind == PlanKind::kRecords) {
    AddSet(Section::kAnswer, query.qname, *plan.records, plan.records->ttl, writer);
    if (plan.records->type == RrType::kNs) AddGlue(zone, *plan.records, writer);
  } else {
    if (plan.kind == PlanKind::kNameError) writer.set_rcode(Rcode::kNxDomain);
    AddNegative(zone, zone.negative_ttl(), writer);
  }
  return writer.Finish();
}

size_t WriteSteered(const ParsedQuery& query, const Zone& zone, const SteeredAnswer& answer,
                    std::span<uint8_t> out) {
  if (answer.v4.empty() && answer.v6.empty()) return WriteError(query, Rcode::kServFail, out);
  ResponseWriter writer(query, out);
  writer.set_authoritative();
  const AddressList& addresses = query.qtype == RrType::kA ? answer.v4 : answer.v6;
  for (const IpAddress& address : addresses.items()) {
    writer.AddAddress(Section::kAnswer, query.qname, answer.ttl, address);
  }
  if (addresses.empty()) {
    // That this client's replica lacks the family holds no longer than the choice of the replica does.
    AddNegative(zone, std::min(answer.ttl, zone.negative_ttl()), writer);
  }
  return writer.Finish();
}

// What a steered answer needs of its query, apart from the buffer that the query came in.
class SavedQuery {
 public:
  explicit SavedQuery(const ParsedQuery& query) : query_(query), question_size_(query.question.size()) {
    std::copy(query.question.begin(), query.question.end(), question_.begin());
  }

  // With its views into this object, wherever it has been moved to.
  ParsedQuery Restore() const {
    ParsedQuery query = query_;
    query.question = std::span(question_).first(question_size_);
    Reader reader(query.question);
    NameView::Read(reader, &query.qname);
    return query;
  }

 private:
  ParsedQuery query_;
  std::array<uint8_t, kMaxQuestionSize> question_;
  size_t question_size_;
};

Outcome Send(size_t size) { return {Action::kSend, size}; }

}  // namespace

Responder::Responder(std::shared_ptr<const Zone> zone, Steering* steering)
    : zone_(std::move(zone)), steering_(steering) {}

Outcome Responder::Answer(std::span<const uint8_t> query, const IpAddress& client, Transport transport,
                          std::span<uint8_t> out) const {
  ParsedQuery parsed;
  const ParseVerdict verdict = ParseQuery(query, &parsed, transport);
  out = out.first(LimitFor(parsed, transport));
  switch (verdict) {
    case ParseVerdict::kDrop:
      return {Action::kDrop};
    case ParseVerdict::kFormErr:
      return Send(WriteError(parsed, Rcode::kFormErr, out));
    case ParseVerdict::kNotImp:
      return Send(WriteError(parsed, Rcode::kNotImp, out));
    case ParseVerdict::kBadVers:
      return Send(WriteError(parsed, Rcode::kBadVers, out));
    case ParseVerdict::kCookieOnly:
      return Send(WriteError(parsed, Rcode::kNoError, out));
    case ParseVerdict::kOk:
      break;
  }
  const Plan plan = zone_->Lookup(parsed.qname, parsed.qtype, parsed.qclass);
  if (plan.kind != PlanKind::kSteered) return Send(WritePlan(parsed, *zone_, plan, out));
  SteeredAnswer answer;
  if (!steering_->Find(KeyOf(client), &answer)) return {Action::kPark};
  return Send(WriteSteered(parsed, *zone_, answer, out));
}

void Responder::Park(std::span<const uint8_t> query, const IpAddress& client, Transport transport,
                     Deliver deliver) const {
  ParsedQuery parsed;
  if (ParseQuery(query, &parsed, transport) != ParseVerdict::kOk) return deliver({});
  steering_->Park(KeyOf(client), [saved = SavedQuery(parsed), zone = zone_, transport,
                                  deliver = std::move(deliver)](const SteeredAnswer* answer) mutable {
    if (answer == nullptr) return deliver({});
    std::array<uint8_t, kEdnsUdpLimit> out;  // of any transport: a steered answer is small
    const ParsedQuery restored = saved.Restore();
    const size_t limit = std::min(out.size(), LimitFor(restored, transport));
    deliver(std::span(out).first(WriteSteered(restored, *zone, *answer, std::span(out).first(limit))));
  });
}

}  // namespace perigee::dns
