#include "services/dns/responder/answer_writer.h"

#include <algorithm>

namespace perigee::dns {
namespace {

void AddSets(const AnswerPlan& plan, ResponseWriter& writer) {
  for (const PlannedSet& planned : plan.sets()) {
    writer.AddSet(planned.section, planned.owner, planned.set->type, planned.ttl, planned.set->rdatas,
                  planned.glue ? Need::kRequired : Need::kOptional);
  }
}

}  // namespace

size_t WriteError(const ParsedQuery& query, Rcode rcode, const EdnsReply& edns, std::span<uint8_t> out) {
  ResponseWriter writer(query, out, edns);
  writer.set_rcode(rcode);
  return writer.Finish();
}

size_t WriteTruncated(const ParsedQuery& query, const EdnsReply& edns, std::span<uint8_t> out) {
  ResponseWriter writer(query, out, edns);
  writer.set_truncated();
  return writer.Finish();
}

size_t WritePlan(const ParsedQuery& query, const AnswerPlan& plan, const EdnsReply& edns,
                 std::span<uint8_t> out) {
  ResponseWriter writer(query, out, edns);
  writer.set_rcode(plan.rcode());
  if (plan.authoritative()) writer.set_authoritative();
  AddSets(plan, writer);
  return writer.Finish();
}

size_t WriteSteered(const ParsedQuery& query, const AnswerPlan& plan, const SteeredAnswer& answer,
                    const EdnsReply& edns, std::span<uint8_t> out) {
  const Rcode rcode = RcodeOf(answer);
  if (rcode != Rcode::kNoError) return WriteError(query, rcode, edns, out);
  ResponseWriter writer(query, out, edns);
  writer.set_authoritative();
  AddSets(plan, writer);
  const AddressList& addresses = query.qtype == RrType::kA ? answer.v4 : answer.v6;
  if (!addresses.empty()) {
    writer.AddAddresses(Section::kAnswer, plan.steered_owner(), answer.ttl, addresses.items());
  } else {
    // That this client's replica lacks the family holds no longer than the choice of the replica does.
    const Zone& zone = plan.steered_zone();
    const RecordSet& soa = zone.soa();
    writer.AddSet(Section::kAuthority, zone.apex(), soa.type, std::min(answer.ttl, zone.negative_ttl()),
                  soa.rdatas);
  }
  return writer.Finish();
}

}  // namespace perigee::dns
