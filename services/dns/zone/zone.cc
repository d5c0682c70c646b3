#include "services/dns/zone/zone.h"

#include <algorithm>

#include "lib/dns_wire/cursor.h"

namespace perigee::dns {

const RecordSet* Node::Find(RrType type) const {
  const auto it =
      std::find_if(sets.begin(), sets.end(), [&](const RecordSet& set) { return set.type == type; });
  return it == sets.end() ? nullptr : &*it;
}

const Node* Zone::Find(NameView name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : it->second;
}

const Node& Zone::ClosestEncloser(NameView name) const {
  while (name.size() > longest_name_) name = name.Parent();
  while (name.size() > apex().size()) {
    if (const Node* node = Find(name)) return *node;
    name = name.Parent();
  }
  return *apex_;
}

bool ReadTarget(RrType type, Rdata rdata, NameView owner, NameView* target) {
  size_t numbers = 0;  // octets before the name
  switch (type) {
    case RrType::kNs:
      break;
    case RrType::kMx:
    case RrType::kSvcb:
    case RrType::kHttps:
      numbers = 2;
      break;
    case RrType::kSrv:
      numbers = 6;
      break;
    default:
      return false;
  }
  Reader reader(rdata);
  if (!reader.Skip(numbers) || !NameView::Read(reader, target)) return false;
  const bool service = type == RrType::kSvcb || type == RrType::kHttps;
  if (service && target->is_root()) {
    *target = owner;
    return rdata[0] != 0 || rdata[1] != 0;  // AliasMode to "." says that there is no service
  }
  return !target->is_root();
}

}  // namespace perigee::dns
