// A query that has been read, with what the configuration makes of its EDNS options: for whom it is answered,
// and what goes into the answer's OPT. Pure; allocates nothing.
#pragma once

#include <array>
#include <cstdint>

#include "lib/dns_wire/query.h"
#include "lib/dns_wire/response.h"
#include "services/dns/responder/authority.h"
#include "services/dns/steering/client_key.h"
#include "services/dns/telemetry/query_counters.h"

namespace perigee::dns {

struct QueryContext {
  QueryContext() : QueryContext(IpAddress(), Transport::kUdp) {}
  QueryContext(const IpAddress& from, Transport by) : asker(from), transport(by) {}

  IpAddress asker;
  Transport transport;
  ParsedQuery query;
  EdnsReply edns;
  // The client's own network when its resolver told it and is believed, else the asker.
  ClientKey client;
  SubnetUse subnet = SubnetUse::kNone;
  // With SubnetUse::kSpecial: that of a steered answer, which is the asker's.
  uint8_t special_scope = 0;
  bool valid_cookie = false;

  // What a steered answer's scope is, given what steering said of `client`.
  void SetSteeredScope(int scope_length) {
    if (subnet == SubnetUse::kUsed) edns.client_subnet_scope = static_cast<uint8_t>(scope_length);
    if (subnet == SubnetUse::kSpecial) edns.client_subnet_scope = special_scope;
  }
  // The most octets that the answer may have.
  size_t limit() const { return transport == Transport::kUdp ? UdpLimit(query) : kTcpLimit; }
};

// Fills what follows from query, asker and protocol. The clock is asked only for a cookie.
void Interpret(const Authority& authority, const Clock& clock, QueryContext* context);

// What a steered answer needs of its query, apart from the buffer that the query came in.
class SavedQuery {
 public:
  explicit SavedQuery(const QueryContext& context);

  // With its views into this object, wherever it has been moved to.
  QueryContext Restore() const;

 private:
  QueryContext context_;
  std::array<uint8_t, kMaxQuestionSize> question_;
  size_t question_size_;
};

}  // namespace perigee::dns
