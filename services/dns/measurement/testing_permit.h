#pragma once

#include "services/dns/measurement/permit.h"

namespace perigee::dns {

// Everybody may be probed.
struct OpenPermit final : Permit {
  absl::Status Ask(const ClientKey&, MonoTime) override { return absl::OkStatus(); }
  void OnConnection(const IpPrefix&) override {}
};

}  // namespace perigee::dns
