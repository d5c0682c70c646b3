// All that the server is authoritative for: its zones, and what it says of itself in class CHAOS.
//
// Immutable, so any number of threads may read it; look-ups allocate nothing.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "services/dns/zone/zone.h"

namespace perigee::dns {

// What is answered to CHAOS TXT; REFUSED for what is empty. Texts longer than 255 octets are cut.
struct ChaosIdentity {
  std::string version;   // of version.bind and version.server
  std::string hostname;  // of hostname.bind and id.server
};

class ZoneSet {
 public:
  // None: every question is refused.
  ZoneSet();
  ZoneSet(ZoneSet&&) noexcept;
  ZoneSet& operator=(ZoneSet&&) noexcept;
  ~ZoneSet();

  // The zone that holds `name`: of those at or above it the deepest. Null when there is none.
  const Zone* Find(NameView name) const;
  // The TXT of class CHAOS at `name`; null when there is none.
  const RecordSet* FindChaos(NameView name) const;
  std::span<const Zone> zones() const { return zones_; }

  // A steered name that stands in a zone as itself, not by a wildcard.
  struct Steered {
    const Zone* zone = nullptr;
    const Node* node = nullptr;
  };
  // Null for all other names, and for names that a deeper zone of the set takes from the one that steers
  // them.
  const Steered* FindSteered(NameView name) const;

 private:
  friend absl::StatusOr<ZoneSet> MakeZoneSet(std::vector<Zone> zones, const ChaosIdentity& identity);
  struct Chaos;
  template <typename Value>
  using Table = absl::flat_hash_map<NameView, Value, NameHash, NameEqual>;

  std::vector<Zone> zones_;
  Table<const Zone*> by_apex_;
  Table<Steered> steered_;
  size_t longest_apex_ = 0;
  std::unique_ptr<const Chaos> chaos_;
};

// InvalidArgument when two zones have the same apex.
absl::StatusOr<ZoneSet> MakeZoneSet(std::vector<Zone> zones, const ChaosIdentity& identity);

}  // namespace perigee::dns
