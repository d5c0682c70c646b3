// Any bytes are read as a query or refused, and a refusal is itself a well-formed message.
#include <algorithm>
#include <array>

#include "fuzz/check.h"
#include "lib/dns_wire/query.h"
#include "lib/dns_wire/response.h"

namespace perigee::dns {
namespace {

using fuzz::Check;

void CheckEdns(const Edns& edns, Transport transport) {
  if (edns.keepalive) Check(transport == Transport::kTcp);
  if (edns.cookie) {
    const size_t server = edns.cookie->server_size;
    Check(server == 0 || (server >= kMinServerCookieSize && server <= kMaxServerCookieSize));
  }
  if (edns.client_subnet) {
    const ClientSubnet& subnet = *edns.client_subnet;
    Check(IpPrefix(subnet.address, subnet.source_prefix).address() == subnet.address);
    Check(subnet.source_prefix <= subnet.address.bit_length());
    Check(subnet.family != AddressFamily::kNone || subnet.source_prefix == 0);
    Check(subnet.address.is_v6() == (subnet.family == AddressFamily::kV6));
  }
}

void CheckQuestion(const ParsedQuery& query) {
  Check(query.question.size() == query.qname.size() + 4);
  Check(query.question.data() == query.qname.bytes().data());
}

// An answer has the form of a query, but for QR.
void CheckRefusal(const ParsedQuery& query) {
  std::array<uint8_t, kPlainUdpLimit> out;
  ResponseWriter writer(query, out, {.client_subnet_scope = 0});
  writer.set_rcode(Rcode::kBadCookie);
  const size_t size = writer.Finish();
  ParsedQuery read;
  Check(ParseQuery(std::span(out).first(size), &read) == ParseVerdict::kDrop);
  out[2] = 0;
  const ParseVerdict verdict = ParseQuery(std::span(out).first(size), &read);
  Check(verdict == (query.question.empty() ? ParseVerdict::kFormErr : ParseVerdict::kOk));
  Check(std::equal(read.question.begin(), read.question.end(), query.question.begin(), query.question.end()));
  Check(read.id == query.id && read.edns.has_value() == query.edns.has_value());
  if (query.edns) {
    Check(read.edns->dnssec_ok == query.edns->dnssec_ok);
    Check(read.edns->client_subnet.has_value() == query.edns->client_subnet.has_value());
  }
}

void CheckQuery(std::span<const uint8_t> bytes, Transport transport) {
  ParsedQuery query;
  const ParseVerdict verdict = ParseQuery(bytes, &query, transport);
  if (verdict == ParseVerdict::kDrop) return;
  if (query.edns) CheckEdns(*query.edns, transport);
  if (!query.question.empty()) CheckQuestion(query);
  if (verdict == ParseVerdict::kOk) Check(!query.question.empty());
  if (verdict == ParseVerdict::kCookieOnly) Check(query.question.empty() && query.edns->cookie.has_value());
  CheckRefusal(query);
}

}  // namespace
}  // namespace perigee::dns

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  perigee::dns::CheckQuery({data, size}, perigee::dns::Transport::kUdp);
  perigee::dns::CheckQuery({data, size}, perigee::dns::Transport::kTcp);
  return 0;
}
