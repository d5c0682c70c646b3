#include "services/dns/responder/recorder.h"

#include <algorithm>

namespace perigee::dns {

void Recorder::Steered(const ClientKey& client, NameView name, RrType type, Transport transport,
                       const SteeredAnswer& answer) {
  counters_.CountReason(answer.reason);
  if (ring_ == nullptr) return;
  DecisionRecord record{.time = clock_.WallNow(),
                        .client = client.address,
                        .prefix = client.prefix,
                        .name = Name(name),
                        .type = type,
                        .transport = transport,
                        .reason = answer.reason,
                        .method = answer.sample.method,
                        .rtt = answer.sample.rtt,
                        .ttl = answer.ttl,
                        .scope_length = answer.scope_length};
  std::copy_n(answer.replica.begin(), std::min(answer.replica.size(), record.replica.size() - 1),
              record.replica.begin());
  ring_->Push(record);
}

}  // namespace perigee::dns
