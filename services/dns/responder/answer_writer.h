// From a plan to the bytes of an answer. Pure; allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/dns_wire/query.h"
#include "lib/dns_wire/response.h"
#include "services/dns/responder/steering_seam.h"
#include "services/dns/zone/answer_plan.h"

namespace perigee::dns {

// Each returns the size of the message. `out` holds at least 512 octets, and its size is the limit.

// A header with `rcode`, the question and OPT.
size_t WriteError(const ParsedQuery& query, Rcode rcode, const EdnsReply& edns, std::span<uint8_t> out);

// The same without an error, and with TC: "ask again over TCP".
size_t WriteTruncated(const ParsedQuery& query, const EdnsReply& edns, std::span<uint8_t> out);

// A plan of any kind but kSteered.
size_t WritePlan(const ParsedQuery& query, const AnswerPlan& plan, const EdnsReply& edns,
                 std::span<uint8_t> out);

// SERVFAIL without any address.
inline Rcode RcodeOf(const SteeredAnswer& answer) {
  return answer.v4.empty() && answer.v6.empty() ? Rcode::kServFail : Rcode::kNoError;
}

// A kSteered plan with what steering said: the error, if it is one, or NODATA without an address of the
// family.
size_t WriteSteered(const ParsedQuery& query, const AnswerPlan& plan, const SteeredAnswer& answer,
                    const EdnsReply& edns, std::span<uint8_t> out);

}  // namespace perigee::dns
