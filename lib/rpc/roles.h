// Who may call what on the control ports. Pure.
//
// A certificate says its holder's role by a URI among its alternative names, urn:perigee:role:WORD. What
// checks it is credentials.h; without TLS there are no roles.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lib/metrics/counter.h"

namespace perigee {

enum class Role : uint8_t {
  kNone,      // of a certificate that says no role, or more than one
  kReplica,   // httpserver and prober: they are called, and call nobody
  kDirector,  // dnsserver
  kOperator,  // cdnctl
  kCount
};

// "none", "replica", "director", "operator": in messages, metrics and URIs.
std::string_view Word(Role role);
// The role that a certificate may be given; nothing for any other word.
std::optional<Role> RoleFromWord(std::string_view word);

// "urn:perigee:role:director".
std::string UriOf(Role role);
// What a certificate's URIs say.
Role RoleOf(const std::vector<std::string>& uris);

// Whether a peer of that role may call a method, by its path "/perigee.v1.Replica/Purge". PermissionDenied
// names both, and what to do. A method without a rule is nobody's.
absl::Status MayCall(Role role, std::string_view path);

// Calls that were refused, by the caller's role.
using RefusedCalls = std::array<SharedCounter, static_cast<size_t>(Role::kCount)>;

}  // namespace perigee
