// Makes certificates: an authority of one's own, and what it signs. ECDSA on P-256, SHA-256. Any thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/pki/certificate.h"

namespace perigee {

struct Validity {
  WallTime from, until;
};

struct CertifiedKey {
  std::string certificate_pem;
  std::string key_pem;  // PKCS #8, not encrypted
};

// An authority that can sign certificates, but no further authority (pathlen 0). `common_name`: 1 to 64
// printable ASCII characters.
absl::StatusOr<CertifiedKey> MakeAuthority(const std::string& common_name, const Validity& validity);

struct LeafRequest {
  std::string common_name;  // as of an authority
  AlternativeNames names;
  Validity validity;
  bool serves = true;  // as a server too; else as a client only
};

// A certificate and its fresh key. It ends no later than its authority does. InvalidArgument for a name that
// can't stand in a certificate, or an authority that has ended or whose key is another's.
absl::StatusOr<CertifiedKey> IssueCertificate(const CertifiedKey& authority, LeafRequest request);

}  // namespace perigee
