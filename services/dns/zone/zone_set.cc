#include "services/dns/zone/zone_set.h"

#include <algorithm>
#include <array>
#include <utility>

#include "fmt/format.h"
#include "services/dns/zone/zone_builder.h"

namespace perigee::dns {

struct ZoneSet::Chaos {
  struct Text {
    RdataBuffer bytes;
    Rdata rdata;
    RecordSet set;
  };
  struct Entry {
    Name name;
    const Text* text;
  };

  explicit Chaos(const ChaosIdentity& identity) {
    Fill(identity.version, &version);
    Fill(identity.hostname, &hostname);
    entries = {Entry{Name::Parse("version.bind").value(), &version},
               Entry{Name::Parse("version.server").value(), &version},
               Entry{Name::Parse("hostname.bind").value(), &hostname},
               Entry{Name::Parse("id.server").value(), &hostname}};
  }

  static void Fill(std::string_view from, Text* text) {
    if (from.empty()) return;
    AppendCharacterString(from, &text->bytes);
    text->rdata = text->bytes;
    text->set = {RrType::kTxt, std::chrono::seconds(0), std::span(&text->rdata, 1)};
  }

  Text version, hostname;
  std::array<Entry, 4> entries;
};

ZoneSet::ZoneSet() = default;
ZoneSet::ZoneSet(ZoneSet&&) noexcept = default;
ZoneSet& ZoneSet::operator=(ZoneSet&&) noexcept = default;
ZoneSet::~ZoneSet() = default;

const Zone* ZoneSet::Find(NameView name) const {
  if (by_apex_.empty()) return nullptr;
  while (name.size() > longest_apex_) name = name.Parent();
  for (;; name = name.Parent()) {
    const auto it = by_apex_.find(name);
    if (it != by_apex_.end()) return it->second;
    if (name.is_root()) return nullptr;
  }
}

const RecordSet* ZoneSet::FindChaos(NameView name) const {
  if (chaos_ == nullptr) return nullptr;
  for (const Chaos::Entry& entry : chaos_->entries) {
    if (entry.name.view() == name) return entry.text->bytes.empty() ? nullptr : &entry.text->set;
  }
  return nullptr;
}

const ZoneSet::Steered* ZoneSet::FindSteered(NameView name) const {
  const auto it = steered_.find(name);
  return it == steered_.end() ? nullptr : &it->second;
}

absl::StatusOr<ZoneSet> MakeZoneSet(std::vector<Zone> zones, const ChaosIdentity& identity) {
  ZoneSet set;
  set.zones_ = std::move(zones);
  set.chaos_ = std::make_unique<const ZoneSet::Chaos>(identity);
  for (const Zone& zone : set.zones_) {
    if (!set.by_apex_.emplace(zone.apex(), &zone).second) {
      return absl::InvalidArgumentError(
          fmt::format("the zone {} is there twice: remove one", zone.apex().ToText()));
    }
    set.longest_apex_ = std::max(set.longest_apex_, zone.apex().size());
  }
  for (const Zone& zone : set.zones_) {
    for (const Node& node : zone.nodes()) {
      if (node.steered && set.Find(node.name) == &zone) set.steered_[node.name] = {&zone, &node};
    }
  }
  return set;
}

}  // namespace perigee::dns
