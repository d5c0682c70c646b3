#include "services/dns/zone/zone_builder.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "lib/dns_wire/cursor.h"
#include "services/dns/zone/zone_checks.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

constexpr size_t kMaxCharacterString = 255;
constexpr size_t kSoaNumbersSize = 20;
constexpr seconds kMaxTtl{0x7fffffff};  // RFC 2181 §8
constexpr size_t kRecordOverhead = 12;  // a compressed owner, type, class, TTL and length

bool IsNames(Rdata rdata, size_t numbers_before, int names, size_t numbers_after) {
  Reader reader(rdata);
  NameView name;
  if (!reader.Skip(numbers_before)) return false;
  for (; names > 0; --names) {
    if (!NameView::Read(reader, &name)) return false;
  }
  return reader.remaining() == numbers_after;
}

// SvcParams: keys in strictly ascending order (RFC 9460 §2.2).
bool IsService(Rdata rdata) {
  Reader reader(rdata);
  NameView target;
  if (!reader.Skip(2) || !NameView::Read(reader, &target)) return false;
  for (int last = -1; reader.remaining() > 0;) {
    uint16_t key = 0, size = 0;
    if (!reader.ReadU16(&key) || !reader.ReadU16(&size) || !reader.Skip(size) || key <= last) return false;
    last = key;
  }
  return true;
}

seconds SoaMinimum(Rdata rdata) {
  Reader reader(rdata);
  uint32_t minimum = 0;
  reader.Skip(rdata.size() - 4);
  reader.ReadU32(&minimum);
  return seconds(minimum);
}

}  // namespace

bool IsWellFormed(RrType type, Rdata rdata) {
  switch (type) {
    case RrType::kA:
      return rdata.size() == 4;
    case RrType::kAaaa:
      return rdata.size() == 16;
    case RrType::kNs:
    case RrType::kCname:
    case RrType::kPtr:
    case RrType::kDname:
      return IsNames(rdata, 0, 1, 0);
    case RrType::kMx:
      return IsNames(rdata, 2, 1, 0);
    case RrType::kSrv:
      return IsNames(rdata, 6, 1, 0);
    case RrType::kSoa:
      return IsNames(rdata, 0, 2, kSoaNumbersSize);
    case RrType::kSvcb:
    case RrType::kHttps:
      return IsService(rdata);
    default:
      return true;
  }
}

const ZoneBuilder::Set* ZoneBuilder::Entry::Find(RrType type) const {
  const auto it = std::find_if(sets.begin(), sets.end(), [&](const Set& set) { return set.type == type; });
  return it == sets.end() ? nullptr : &*it;
}

ZoneBuilder::ZoneBuilder(NameView apex) : apex_(apex) {}

uint32_t ZoneBuilder::AddFile(std::string name) {
  files_.push_back(std::move(name));
  return static_cast<uint32_t>(files_.size() - 1);
}

absl::Status ZoneBuilder::Bad(NameView owner, SourceLine where, std::string_view why) const {
  const std::string place = where.line == 0 ? "" : fmt::format("{}:{}: ", files_.at(where.file), where.line);
  return absl::InvalidArgumentError(fmt::format("{}{}: {}", place, owner.ToText(), why));
}

absl::StatusOr<ZoneBuilder::Entry*> ZoneBuilder::EntryAt(NameView owner, SourceLine where) {
  if (!owner.IsWithin(apex_)) {
    return Bad(owner, where, fmt::format("not within the zone {}", apex_.view().ToText()));
  }
  const auto [it, fresh] = entries_.try_emplace(Name(owner));
  Entry* const entry = &it->second;  // stays where it is, which the iterator does not
  if (fresh) entry->where = where;
  // What lies between the owner and the apex exists too, be it empty.
  for (bool more = fresh; more && owner != apex();) {
    owner = owner.Parent();
    const auto [above, made] = entries_.try_emplace(Name(owner));
    if (made) above->second.where = where;
    more = made;
  }
  return entry;
}

absl::Status ZoneBuilder::AddRecord(NameView owner, RrType type, seconds ttl, Rdata rdata, SourceLine where) {
  if (!IsWellFormed(type, rdata)) return Bad(owner, where, "the record's data is not what its type asks for");
  if (ttl < seconds(0) || ttl > kMaxTtl) return Bad(owner, where, "the TTL is not within 0 and 2147483647");
  auto entry = EntryAt(owner, where);
  if (!entry.ok()) return entry.status();
  auto& sets = (*entry)->sets;
  auto it = std::find_if(sets.begin(), sets.end(), [&](const Set& set) { return set.type == type; });
  if (it == sets.end()) {
    if (sets.size() == kMaxSetsPerName) return Bad(owner, where, "a name has at most 64 types of records");
    it = sets.insert(sets.end(), {.type = type, .ttl = ttl, .rdatas = {}, .where = where});
  }
  return AddTo(&*it, owner, ttl, rdata, where);
}

absl::Status ZoneBuilder::AddTo(Set* set, NameView owner, seconds ttl, Rdata rdata, SourceLine where) {
  if (set->ttl != ttl) {
    return Bad(owner, where,
               fmt::format("the TTL is {}, but {} in the other records of this name and type: make them "
                           "equal (RFC 2181 section 5.2)",
                           ttl.count(), set->ttl.count()));
  }
  const bool seen = std::any_of(set->rdatas.begin(), set->rdatas.end(), [&](const RdataBuffer& other) {
    return std::equal(other.begin(), other.end(), rdata.begin(), rdata.end());
  });
  if (seen) return absl::OkStatus();
  set->size += rdata.size() + kRecordOverhead;
  if (set->size > kMaxRecordSetSize) {
    return Bad(owner, where, "the records of this name and type don't fit in one message: remove some");
  }
  set->rdatas.emplace_back(rdata.begin(), rdata.end());
  return absl::OkStatus();
}

absl::Status ZoneBuilder::AddSteered(NameView owner, SourceLine where) {
  auto entry = EntryAt(owner, where);
  if (!entry.ok()) return entry.status();
  (*entry)->steered = true;
  return absl::OkStatus();
}

bool ZoneBuilder::IsCut(NameView name, const Entry& entry) const {
  return name != apex() && entry.Find(RrType::kNs) != nullptr;
}

const ZoneBuilder::Entries::value_type* ZoneBuilder::CutOver(NameView name) const {
  const Entries::value_type* cut = nullptr;
  for (; name != apex(); name = name.Parent()) {
    const auto it = entries_.find(name);
    if (it != entries_.end() && IsCut(name, it->second)) cut = &*it;
  }
  return cut;
}

absl::StatusOr<Zone> ZoneBuilder::Build() && {
  const absl::Status status = ZoneChecks(*this).Run();
  if (!status.ok()) return status;
  return Freeze();
}

// Sizes are counted first, for views point into the arrays as they are filled.
Zone ZoneBuilder::Freeze() const {
  Zone zone;
  size_t octets = 0, rdatas = 0, sets = 0;
  for (const auto& [name, entry] : entries_) {
    octets += name.view().size();
    sets += entry.sets.size();
    for (const Set& set : entry.sets) {
      rdatas += set.rdatas.size();
      for (const RdataBuffer& rdata : set.rdatas) octets += rdata.size();
    }
  }
  zone.octets_.reserve(octets);
  zone.rdatas_.reserve(rdatas);
  zone.sets_.reserve(sets);
  zone.nodes_.reserve(entries_.size());
  zone.index_.reserve(entries_.size());

  const auto keep = [&](Rdata bytes) {
    const size_t at = zone.octets_.size();
    zone.octets_.insert(zone.octets_.end(), bytes.begin(), bytes.end());
    return Rdata(zone.octets_.data() + at, bytes.size());
  };
  for (const auto& [name, entry] : entries_) {
    Reader reader(keep(name.view().bytes()));
    Node& node = zone.nodes_.emplace_back();
    NameView::Read(reader, &node.name);
    node.steered = entry.steered;
    const size_t first_set = zone.sets_.size();
    for (const Set& set : entry.sets) {
      const size_t first = zone.rdatas_.size();
      for (const RdataBuffer& rdata : set.rdatas) zone.rdatas_.push_back(keep(rdata));
      zone.sets_.push_back({set.type, set.ttl, std::span(zone.rdatas_).subspan(first)});
    }
    node.sets = std::span(zone.sets_).subspan(first_set);
    zone.index_.emplace(node.name, &node);
    zone.longest_name_ = std::max(zone.longest_name_, node.name.size());
  }
  for (Node& node : zone.nodes_) {
    if (const auto* cut = CutOver(node.name)) node.cut = zone.Find(cut->first);
    if (!IsWildcard(node.name)) continue;
    const Node* above = node.name == apex() ? nullptr : zone.Find(node.name.Parent());
    if (above != nullptr) zone.nodes_[static_cast<size_t>(above - zone.nodes_.data())].wildcard = &node;
  }
  zone.apex_ = zone.Find(apex());
  zone.soa_ = zone.apex_->Find(RrType::kSoa);
  zone.negative_ttl_ = std::min(zone.soa_->ttl, SoaMinimum(zone.soa_->rdatas[0]));
  return zone;
}

void AppendCharacterString(std::string_view text, RdataBuffer* rdata) {
  text = text.substr(0, kMaxCharacterString);
  rdata->push_back(static_cast<uint8_t>(text.size()));
  rdata->insert(rdata->end(), text.begin(), text.end());
}

}  // namespace perigee::dns
