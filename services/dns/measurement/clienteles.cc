#include "services/dns/measurement/clienteles.h"

#include <algorithm>

#include "services/dns/steering/inference.h"

namespace perigee::dns {

// The resolver's own, which has no seats taken when it is new.
Clienteles::Clientele& Clienteles::Touch(const IpPrefix& resolver) {
  const auto found = by_resolver_.find(resolver);
  if (found != by_resolver_.end()) {
    all_.splice(all_.end(), all_, found->second);
    return *found->second;
  }
  if (all_.size() == kMaxClienteles) {
    const Clientele& oldest = all_.front();
    for (const Seat& seat : oldest.seats) Leave(oldest.resolver, seat.client);
    by_resolver_.erase(oldest.resolver);
    all_.pop_front();
  }
  by_resolver_[resolver] = all_.insert(all_.end(), {resolver, {}});
  return all_.back();
}

void Clienteles::Leave(const IpPrefix& resolver, const IpPrefix& client) {
  const auto found = resolver_of_.find(client);
  if (found != resolver_of_.end() && found->second == resolver) resolver_of_.erase(found);
}

bool Clienteles::Join(const IpPrefix& resolver, const IpPrefix& client, MonoTime now) {
  std::vector<Seat>& seats = Touch(resolver).seats;
  resolver_of_[client] = resolver;
  const IpPrefix network = NeighbourhoodOf(client.address());
  const auto is_same = [&](const Seat& seat) { return seat.client == client; };
  const auto is_near = [&](const Seat& seat) { return network.Contains(seat.client.address()); };
  auto leaves = std::find_if(seats.begin(), seats.end(), is_same);
  const bool had_none = leaves == seats.end();
  if (had_none && std::count_if(seats.begin(), seats.end(), is_near) == kSeatsOfANetwork) {
    leaves = std::find_if(seats.begin(), seats.end(), is_near);
  } else if (had_none && seats.size() == kSeats) {
    leaves = seats.begin();
  }
  if (leaves != seats.end()) {
    if (had_none) Leave(resolver, leaves->client);
    seats.erase(leaves);
  }
  seats.push_back({client, now});
  return had_none;
}

std::vector<IpPrefix> Clienteles::Of(const IpPrefix& resolver, MonoTime now) const {
  std::vector<IpPrefix> clients;
  const auto found = by_resolver_.find(resolver);
  if (found == by_resolver_.end()) return clients;
  for (const Seat& seat : found->second->seats) {
    if (now - seat.came <= kSeatLife) clients.push_back(seat.client);
  }
  return clients;
}

std::optional<IpPrefix> Clienteles::ResolverOf(const IpPrefix& client) const {
  const auto found = resolver_of_.find(client);
  return found == resolver_of_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace perigee::dns
