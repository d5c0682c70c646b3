#include "services/dns/listener/connection_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace perigee::dns {

ConnectionTable::ConnectionTable(size_t max_total, size_t max_per_client)
    : max_total_(max_total), max_per_client_(max_per_client) {}

ConnectionTable::Id ConnectionTable::Add(const IpAddress& client, Close close) {
  const auto count = per_client_.find(client);
  if (count != per_client_.end() && count->second >= max_per_client_) {
    Evict(std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.client == client; }),
          TcpClose::kClientLimit);
  } else if (entries_.size() >= max_total_) {
    Evict(entries_.begin(), TcpClose::kTotalLimit);
  }
  const Id id = next_id_++;
  entries_.push_back({id, client, std::move(close)});
  by_id_[id] = std::prev(entries_.end());
  ++per_client_[client];
  return id;
}

void ConnectionTable::Touch(Id id) {
  const auto it = by_id_.find(id);
  if (it != by_id_.end()) entries_.splice(entries_.end(), entries_, it->second);
}

void ConnectionTable::Remove(Id id) {
  const auto it = by_id_.find(id);
  if (it != by_id_.end()) Erase(it->second);
}

void ConnectionTable::CloseAll() {
  while (!entries_.empty()) Evict(entries_.begin(), TcpClose::kStopped);
}

void ConnectionTable::Erase(Entries::iterator entry) {
  const auto count = per_client_.find(entry->client);
  if (--count->second == 0) per_client_.erase(count);
  by_id_.erase(entry->id);
  entries_.erase(entry);
}

void ConnectionTable::Evict(Entries::iterator entry, TcpClose why) {
  const Close close = std::move(entry->close);
  Erase(entry);
  close(why);
}

}  // namespace perigee::dns
