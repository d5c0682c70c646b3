// The names that this server answers for. Requests for others are misdirected, and refused with 421 (RFC 9110
// §15.5.20). And the names of beacons (docs/adr/0032), which it answers itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/beacon_token.h"
#include "services/replica/http1/message.h"

namespace perigee::replica {

inline constexpr size_t kMaxServedNames = 1'024;

// Host and port of the request's effective URI: those of an absolute-form target, else what Host says
// (RFC 9112 §3.2.2, §3.3); empty without either.
std::string_view AuthorityOf(const RequestHead& request);

// A plain value; once made it may be read from any thread.
class ServedNames {
 public:
  // Host names or IP addresses (IPv6 without brackets), without a port; "*.example.org" is every name below
  // example.org. `beacon` is the name below which beacons are; empty: none. InvalidArgument tells which is
  // none of these, or that they are too many.
  static absl::StatusOr<ServedNames> Parse(const std::vector<std::string>& names,
                                           const std::string& beacon = {});

  // Without names everything is served.
  bool empty() const { return exact_.empty() && below_.empty(); }
  bool Serve(const RequestHead& request) const { return empty() || Has(AuthorityOf(request)); }
  // Whose beacon the request is for, if it is for one.
  std::optional<BeaconToken> BeaconOf(const RequestHead& request) const;
  // One that is served, as an authority; empty when everything is.
  std::string Any() const;
  // Case, port and a final dot do not count. Allocates nothing.
  bool Has(std::string_view authority) const;

 private:
  std::vector<std::string> exact_;  // sorted
  std::vector<std::string> below_;  // with the dot before them
  std::string beacon_;              // likewise; empty: none
};

}  // namespace perigee::replica
