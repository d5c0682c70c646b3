#include "services/dns/responder/query_context.h"

#include <algorithm>

namespace perigee::dns {
namespace {

bool IsAmong(const std::vector<IpPrefix>& resolvers, const IpAddress& resolver) {
  return std::any_of(resolvers.begin(), resolvers.end(),
                     [&](const IpPrefix& prefix) { return prefix.Contains(resolver); });
}

// RFC 7871 §7.2.1: the scope is zero until something turns out to depend on the client.
void UseSubnet(const Authority& authority, const ClientSubnet& subnet, QueryContext* context) {
  context->subnet = SubnetUse::kNotTrusted;
  if (!IsAmong(authority.subnet_trust, context->asker)) return;
  context->edns.client_subnet_scope = 0;
  // A source prefix of zero asks for its network not to be used: the resolver's stands in.
  context->subnet = SubnetUse::kWithheld;
  if (subnet.source_prefix == 0) return;
  ClientKey network = KeyOf(IpPrefix(subnet.address, subnet.source_prefix));
  if (const auto scope = authority.special_networks.ScopeFor(network.address, subnet.source_prefix)) {
    context->subnet = SubnetUse::kSpecial;
    context->special_scope = static_cast<uint8_t>(*scope);
    return;
  }
  network.presence = context->client.presence;
  if (!IsAmong(authority.subnet_probe_for, context->asker)) network.hearsay_of = context->asker;
  context->subnet = SubnetUse::kUsed;
  context->client = network;
}

void UseCookie(const CookieMaker& cookies, const Cookie& cookie, WallTime now, QueryContext* context) {
  context->valid_cookie = cookies.IsValid(cookie, context->asker, now);
  context->edns.cookie = cookies.AnswerTo(cookie, context->asker, now);
}

}  // namespace

void Interpret(const Authority& authority, const Clock& clock, QueryContext* context) {
  context->client = KeyOf(context->asker);
  if (context->transport == Transport::kTcp) context->client.presence = Presence::kProven;
  if (!context->query.edns) return;
  const Edns& edns = *context->query.edns;
  if (edns.cookie && authority.cookies) UseCookie(*authority.cookies, *edns.cookie, clock.WallNow(), context);
  if (context->valid_cookie) context->client.presence = Presence::kProven;
  if (edns.nsid) context->edns.nsid = authority.identity;
  if (edns.keepalive && context->transport == Transport::kTcp) {
    context->edns.keepalive = authority.tcp_idle_timeout;
  }
  if (edns.client_subnet) UseSubnet(authority, *edns.client_subnet, context);
}

SavedQuery::SavedQuery(const QueryContext& context)
    : context_(context), question_size_(context.query.question.size()) {
  std::copy(context.query.question.begin(), context.query.question.end(), question_.begin());
}

QueryContext SavedQuery::Restore() const {
  QueryContext context = context_;
  context.query.question = std::span(question_).first(question_size_);
  Reader reader(context.query.question);
  NameView::Read(reader, &context.query.qname);
  return context;
}

}  // namespace perigee::dns
