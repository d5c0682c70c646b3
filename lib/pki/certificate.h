// X.509 certificates as Perigee reads them (RFC 5280). Pure: PEM in, facts out. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"

namespace perigee {

// The subject's alternative names. Others than these kinds are left out.
struct AlternativeNames {
  std::vector<IpAddress> addresses;
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;

  friend bool operator==(const AlternativeNames&, const AlternativeNames&) = default;
};

struct Certificate {
  std::string common_name;
  AlternativeNames names;
  WallTime not_before, not_after;  // whole seconds
  bool is_authority = false;
};

// The first certificate of a PEM text. InvalidArgument when there is none.
absl::StatusOr<Certificate> ReadCertificate(std::string_view pem);

// InvalidArgument, as the rest of a sentence about both, when either can't be read or the key is another's.
absl::Status CheckKeyMatches(std::string_view certificate_pem, std::string_view key_pem);

// Whether the key of `authority_pem` signed the first certificate of `pem`. Says nothing of their validity.
bool IsSignedBy(std::string_view pem, std::string_view authority_pem);

}  // namespace perigee
