// What makes a zone whole, asked once all its records are there. Of ZoneBuilder's making only.
#pragma once

#include "absl/status/status.h"
#include "services/dns/zone/zone_builder.h"

namespace perigee::dns {

// "*" as the first label.
bool IsWildcard(NameView name);

class ZoneChecks {
 public:
  explicit ZoneChecks(const ZoneBuilder& builder) : zone_(builder) {}

  // OK, or InvalidArgument for what is wrong first in the order of file and line.
  absl::Status Run() const;

 private:
  using Entry = ZoneBuilder::Entry;
  using Set = ZoneBuilder::Set;

  absl::Status CheckApex() const;
  absl::Status CheckEntry(NameView name, const Entry& entry) const;
  absl::Status CheckSet(NameView name, const Entry& entry, const Set& set) const;
  absl::Status CheckCname(NameView name, const Entry& entry, const Set& set) const;
  absl::Status CheckNameServers(NameView name, const Set& set) const;
  absl::Status CheckTarget(NameView name, const Set& set, NameView target) const;
  absl::Status CheckAboveForDname(NameView name, const Entry& entry) const;
  absl::Status CheckSteered(NameView name, const Entry& entry) const;

  const ZoneBuilder& zone_;
};

}  // namespace perigee::dns
