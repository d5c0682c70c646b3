#include "services/dns/zone/zone.h"

#include <algorithm>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "lib/dns_wire/cursor.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

constexpr seconds kMinimalAnyTtl{3600};
constexpr size_t kMaxCharacterString = 255;
constexpr size_t kSoaNumbersSize = 20;

absl::Status Bad(NameView owner, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", owner.ToText(), why));
}

bool IsTransfer(RrType type) { return type == RrType::kAxfr || type == RrType::kIxfr; }

// The last of the five numbers that end an SOA's RDATA.
absl::StatusOr<seconds> SoaMinimum(const Rdata& rdata) {
  Reader reader(rdata);
  NameView mname, rname;
  uint32_t minimum = 0;
  if (!NameView::Read(reader, &mname) || !NameView::Read(reader, &rname) ||
      reader.remaining() != kSoaNumbersSize || !reader.Skip(kSoaNumbersSize - 4) ||
      !reader.ReadU32(&minimum)) {
    return absl::InvalidArgumentError("the RDATA of the SOA record is malformed");
  }
  return seconds(minimum);
}

// RFC 8482 §4.2: an answer to ANY that is small and true.
RecordSet MinimalAny() {
  Rdata hinfo;
  AppendCharacterString("RFC8482", &hinfo);
  AppendCharacterString("", &hinfo);
  return {RrType::kHinfo, kMinimalAnyTtl, {hinfo}};
}

Plan PlanAt(const Node& node, RrType type, const RecordSet& minimal_any) {
  if (node.steered && (type == RrType::kA || type == RrType::kAaaa)) return {PlanKind::kSteered};
  if (type == RrType::kAny && (node.steered || !node.sets.empty())) return {PlanKind::kRecords, &minimal_any};
  const RecordSet* set = node.Find(type);
  return set != nullptr ? Plan{PlanKind::kRecords, set} : Plan{PlanKind::kNoData};
}

}  // namespace

const RecordSet* Node::Find(RrType type) const {
  const auto it =
      std::find_if(sets.begin(), sets.end(), [&](const RecordSet& set) { return set.type == type; });
  return it == sets.end() ? nullptr : &*it;
}

Plan Zone::Lookup(NameView name, RrType type, RrClass rr_class) const {
  if (rr_class == RrClass::kChaos) {
    const auto it = chaos_.find(name);
    const RecordSet* set = it == chaos_.end() ? nullptr : it->second.Find(type);
    return set != nullptr ? Plan{PlanKind::kRecords, set} : Plan{PlanKind::kRefused};
  }
  if (rr_class != RrClass::kIn || IsTransfer(type)) return {PlanKind::kRefused};
  if (const Node* node = Find(name)) return PlanAt(*node, type, minimal_any_);
  return {name.IsWithin(apex_) ? PlanKind::kNameError : PlanKind::kRefused};
}

const Node* Zone::Find(NameView name) const {
  const auto it = nodes_.find(name);
  return it == nodes_.end() ? nullptr : &it->second;
}

ZoneBuilder::ZoneBuilder(NameView apex) {
  zone_.apex_ = Name(apex);
  zone_.minimal_any_ = MinimalAny();
}

absl::StatusOr<Node*> ZoneBuilder::NodeAt(NameView owner) {
  if (!owner.IsWithin(zone_.apex_)) {
    return Bad(owner, fmt::format("not within the zone {}", zone_.apex().ToText()));
  }
  Node* node = &zone_.nodes_[Name(owner)];
  // What lies between the owner and the apex exists too, be it empty.
  while (owner != zone_.apex()) zone_.nodes_.try_emplace(Name(owner = owner.Parent()));
  return node;
}

absl::Status ZoneBuilder::AddRecord(NameView owner, RrType type, seconds ttl, Rdata rdata) {
  auto node = NodeAt(owner);
  if (!node.ok()) return node.status();
  auto& sets = (*node)->sets;
  const auto it =
      std::find_if(sets.begin(), sets.end(), [&](const RecordSet& set) { return set.type == type; });
  if (it == sets.end()) {
    sets.push_back({type, ttl, {std::move(rdata)}});
    return absl::OkStatus();
  }
  if (it->ttl != ttl) return Bad(owner, "the records of one type have different TTLs (RFC 2181 section 5.2)");
  it->rdatas.push_back(std::move(rdata));
  return absl::OkStatus();
}

absl::Status ZoneBuilder::AddSteered(NameView owner) {
  auto node = NodeAt(owner);
  if (!node.ok()) return node.status();
  (*node)->steered = true;
  return absl::OkStatus();
}

absl::Status ZoneBuilder::AddChaosText(std::string_view name, std::string_view text) {
  const auto owner = Name::Parse(name);
  if (!owner.ok()) return owner.status();
  Rdata rdata;
  AppendCharacterString(text, &rdata);
  zone_.chaos_[*owner].sets = {{RrType::kTxt, seconds(0), {rdata}}};
  return absl::OkStatus();
}

absl::StatusOr<Zone> ZoneBuilder::Build() && {
  const NameView apex = zone_.apex();
  const Node* node = zone_.Find(apex);
  const RecordSet* soa = node == nullptr ? nullptr : node->Find(RrType::kSoa);
  if (soa == nullptr || soa->rdatas.size() != 1)
    return Bad(apex, "the zone needs one SOA record at its apex");
  if (node->Find(RrType::kNs) == nullptr) return Bad(apex, "the zone needs an NS record at its apex");
  const auto minimum = SoaMinimum(soa->rdatas[0]);
  if (!minimum.ok()) return Bad(apex, std::string(minimum.status().message()));
  zone_.soa_ = soa;
  zone_.negative_ttl_ = std::min(soa->ttl, *minimum);
  return std::move(zone_);
}

void AppendCharacterString(std::string_view text, Rdata* rdata) {
  text = text.substr(0, kMaxCharacterString);
  rdata->push_back(static_cast<uint8_t>(text.size()));
  rdata->insert(rdata->end(), text.begin(), text.end());
}

}  // namespace perigee::dns
