#include "services/dns/zone/zone_checks.h"

#include <algorithm>
#include <tuple>

#include "fmt/format.h"

namespace perigee::dns {

bool IsWildcard(NameView name) { return name.size() > 2 && name.bytes()[0] == 1 && name.bytes()[1] == '*'; }

absl::Status ZoneChecks::Run() const {
  absl::Status apex = CheckApex();
  if (!apex.ok()) return apex;
  std::vector<const ZoneBuilder::Entries::value_type*> entries;
  entries.reserve(zone_.entries_.size());
  for (const auto& entry : zone_.entries_) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(), [](const auto* a, const auto* b) {
    return std::tuple(a->second.where.file, a->second.where.line) <
           std::tuple(b->second.where.file, b->second.where.line);
  });
  for (const auto* entry : entries) {
    absl::Status status = CheckEntry(entry->first, entry->second);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ZoneChecks::CheckApex() const {
  const NameView apex = zone_.apex();
  const auto it = zone_.entries_.find(apex);
  const Set* soa = it == zone_.entries_.end() ? nullptr : it->second.Find(RrType::kSoa);
  const SourceLine end = {0, zone_.files_.empty() ? 0u : 1u};
  if (soa == nullptr) {
    return zone_.Bad(apex, end, "the zone has no SOA record at its apex: add one, \"@ SOA ...\"");
  }
  if (soa->rdatas.size() != 1) {
    return zone_.Bad(apex, soa->where, "the zone has more than one SOA record: leave one");
  }
  if (it->second.Find(RrType::kNs) == nullptr) {
    return zone_.Bad(apex, soa->where, "the zone has no NS record at its apex: add one, \"@ NS ...\"");
  }
  return absl::OkStatus();
}

absl::Status ZoneChecks::CheckEntry(NameView name, const Entry& entry) const {
  absl::Status status = CheckAboveForDname(name, entry);
  if (status.ok() && entry.steered) status = CheckSteered(name, entry);
  for (const Set& set : entry.sets) {
    if (status.ok()) status = CheckSet(name, entry, set);
  }
  return status;
}

absl::Status ZoneChecks::CheckSet(NameView name, const Entry& entry, const Set& set) const {
  switch (set.type) {
    case RrType::kSoa:
      if (name == zone_.apex()) return absl::OkStatus();
      return zone_.Bad(name, set.where, "a SOA record stands only at the zone's apex");
    case RrType::kCname:
      return CheckCname(name, entry, set);
    case RrType::kDname:
      if (IsWildcard(name)) return zone_.Bad(name, set.where, "a wildcard cannot own a DNAME (RFC 4592)");
      if (zone_.IsCut(name, entry)) {
        return zone_.Bad(name, set.where, "a DNAME at a delegation: remove either (RFC 6672 section 2.3)");
      }
      if (set.rdatas.size() == 1) return absl::OkStatus();
      return zone_.Bad(name, set.where, "more than one DNAME record: leave one (RFC 6672 section 2.4)");
    case RrType::kNs:
      return CheckNameServers(name, set);
    case RrType::kMx:
      for (const RdataBuffer& rdata : set.rdatas) {
        NameView target;
        if (!ReadTarget(set.type, rdata, name, &target)) continue;
        absl::Status status = CheckTarget(name, set, target);
        if (!status.ok()) return status;
      }
      return absl::OkStatus();
    default:
      return absl::OkStatus();
  }
}

absl::Status ZoneChecks::CheckCname(NameView name, const Entry& entry, const Set& set) const {
  if (set.rdatas.size() > 1) return zone_.Bad(name, set.where, "more than one CNAME record: leave one");
  if (entry.sets.size() == 1) return absl::OkStatus();
  return zone_.Bad(name, set.where,
                   "a CNAME and other records have the same name: remove either (RFC 1034 section 3.6.2)");
}

absl::Status ZoneChecks::CheckNameServers(NameView name, const Set& set) const {
  if (IsWildcard(name)) return zone_.Bad(name, set.where, "a wildcard cannot own NS records (RFC 4592)");
  if (set.rdatas.size() > kMaxNameServers) {
    return zone_.Bad(name, set.where, fmt::format("more than {} name servers", kMaxNameServers));
  }
  const auto* above = zone_.CutOver(name);
  if (above != nullptr && above->first.view() != name) return absl::OkStatus();  // occluded: never served
  for (const RdataBuffer& rdata : set.rdatas) {
    NameView target;
    if (!ReadTarget(set.type, rdata, name, &target) || !target.IsWithin(zone_.apex())) continue;
    absl::Status status = CheckTarget(name, set, target);
    if (!status.ok()) return status;
    const auto* cut = zone_.CutOver(target);
    // A name server within another delegation is that delegation's matter.
    if (cut != nullptr && !NameView(cut->first).IsWithin(name) && !name.IsWithin(cut->first)) continue;
    const auto it = zone_.entries_.find(target);
    const bool known =
        it != zone_.entries_.end() && (it->second.steered || it->second.Find(RrType::kA) != nullptr ||
                                       it->second.Find(RrType::kAaaa) != nullptr);
    if (known || !zone_.servers_need_addresses_) continue;
    return zone_.Bad(
        name, set.where,
        fmt::format("the name server {} lies in this zone but has no address: add an A or AAAA record",
                    target.ToText()));
  }
  return absl::OkStatus();
}

absl::Status ZoneChecks::CheckTarget(NameView name, const Set& set, NameView target) const {
  const auto it = zone_.entries_.find(target);
  if (it == zone_.entries_.end() || it->second.Find(RrType::kCname) == nullptr) return absl::OkStatus();
  return zone_.Bad(
      name, set.where,
      fmt::format("{} names {}, which is a CNAME: name what that stands for (RFC 2181 section 10.3)",
                  set.type == RrType::kNs ? "NS" : "MX", target.ToText()));
}

absl::Status ZoneChecks::CheckAboveForDname(NameView name, const Entry& entry) const {
  for (NameView above = name; above != zone_.apex();) {
    above = above.Parent();
    const auto it = zone_.entries_.find(above);
    if (it == zone_.entries_.end() || it->second.Find(RrType::kDname) == nullptr) continue;
    return zone_.Bad(
        name, entry.where,
        fmt::format("{} has a DNAME, so nothing can lie below it (RFC 6672 section 2.4)", above.ToText()));
  }
  return absl::OkStatus();
}

absl::Status ZoneChecks::CheckSteered(NameView name, const Entry& entry) const {
  if (const auto* cut = zone_.CutOver(name)) {
    return zone_.Bad(name, entry.where,
                     fmt::format("a steered name cannot lie at or below the delegation {}: steer it there",
                                 NameView(cut->first).ToText()));
  }
  for (const Set& set : entry.sets) {
    if (set.type == RrType::kA || set.type == RrType::kAaaa) {
      return zone_.Bad(name, set.where,
                       "a steered name cannot have A or AAAA records of its own: remove them");
    }
    if (set.type == RrType::kCname) {
      return zone_.Bad(name, set.where, "a steered name cannot be a CNAME: remove either");
    }
  }
  return absl::OkStatus();
}

}  // namespace perigee::dns
