// A CDN's keys, as they lie in a folder on the operator's machine:
//
//   ca.pem, ca.key                   the authority; ca.key stays here
//   NAME/ca.pem, cert.pem, key.pem   what one host, or one operator, is given
//
// Every file is written whole or not at all, keys for nobody else to read. Not thread-safe.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/pki/authority.h"
#include "lib/rpc/roles.h"
#include "perigee/v1/cdnctl.pb.h"

namespace perigee::cdnctl {

class KeyFolder {
 public:
  // What is made holds from an hour before `now`, for clocks differ.
  KeyFolder(std::filesystem::path path, WallTime now) : path_(std::move(path)), now_(now) {}

  // Makes the authority. AlreadyExists when there is one and not `force`: nothing that it signed is trusted
  // together with the new one's.
  absl::StatusOr<v1::Key> Init(std::chrono::days life, bool force) const;

  struct Wanted {
    std::string name;  // of the folder, and the certificate's common name
    Role role = Role::kNone;
    std::vector<IpAddress> addresses;  // loopback is added for those that serve
    std::vector<std::string> dns_names;
  };
  // Makes a key and its certificate, or keeps what is there when it says the same and is good.
  // FailedPrecondition when what is there says something else and not `force`; NotFound without an authority.
  absl::StatusOr<v1::Key> Issue(const Wanted& wanted, std::chrono::days life, bool force) const;

  // New keys and certificates that say the same: for those named, or for all that end within `margin`.
  absl::StatusOr<v1::KeysReport> Renew(const std::vector<std::string>& names, std::chrono::days margin,
                                       std::chrono::days life) const;

  absl::StatusOr<v1::KeysReport> Show() const;

 private:
  struct Held;  // a certificate and key as they are in the folder
  absl::StatusOr<CertifiedKey> Authority() const;
  absl::StatusOr<Held> Read(const std::string& name) const;
  absl::StatusOr<v1::Key> Make(const std::string& name, const AlternativeNames& names, std::chrono::days life,
                               std::string_view done) const;
  std::vector<std::string> Names() const;

  std::filesystem::path path_;
  WallTime now_;
};

// Pure: how they are shown. With `coloured`, those that have ended or end soon stand out.
std::string KeysTable(const v1::KeysReport& report, WallTime now, bool coloured);
// One line of what a command did.
std::string KeyText(const v1::Key& key, const std::filesystem::path& folder);

}  // namespace perigee::cdnctl
