#include "lib/rpc/roles.h"

#include <algorithm>
#include <iterator>

#include "fmt/format.h"

namespace perigee {
namespace {

constexpr std::string_view kUriPrefix = "urn:perigee:role:";

constexpr unsigned Bit(Role role) { return 1u << static_cast<unsigned>(role); }
constexpr unsigned kOperator = Bit(Role::kOperator);
constexpr unsigned kDirectorOrOperator = Bit(Role::kDirector) | kOperator;

struct Rule {
  std::string_view path;
  unsigned allowed;
};

constexpr Rule kRules[] = {
    {"/perigee.v1.Prober/Measure", kDirectorOrOperator},
    {"/perigee.v1.Replica/Watch", kDirectorOrOperator},
    {"/perigee.v1.Replica/Stats", kDirectorOrOperator},
    {"/perigee.v1.Replica/Purge", kOperator},
    {"/perigee.v1.Replica/Warm", kOperator},
    {"/perigee.v1.Replica/Drain", kOperator},
    // On its own host, whose certificate is the director's, one may look.
    {"/perigee.v1.Director/Explain", kDirectorOrOperator},
    {"/perigee.v1.Director/ListReplicas", kDirectorOrOperator},
    {"/perigee.v1.Director/SetReplicaState", kOperator},
    {"/perigee.v1.Director/Reload", kOperator},
};

// Any peer of the CDN may ask these for what they are.
constexpr std::string_view kOpenServices[] = {
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1alpha.ServerReflection/",
};

std::string Names(unsigned allowed) {
  if (allowed == 0) return "nobody";
  return allowed == kOperator ? "an operator" : "a director or an operator";
}

absl::Status Refusal(Role role, std::string_view path, unsigned allowed) {
  const std::string takes = fmt::format("{} takes {}", path.substr(path.starts_with('/')), Names(allowed));
  if (role == Role::kNone) {
    return absl::PermissionDeniedError(fmt::format(
        "your certificate says no role, and {}: have one made by `cdnctl keys issue NAME --role ROLE`",
        takes));
  }
  return absl::PermissionDeniedError(fmt::format(
      "your certificate says {}, and {}: show another, with cdnctl by --identity", Word(role), takes));
}

}  // namespace

std::string_view Word(Role role) {
  switch (role) {
    case Role::kReplica:
      return "replica";
    case Role::kDirector:
      return "director";
    case Role::kOperator:
      return "operator";
    case Role::kNone:
    case Role::kCount:
      break;
  }
  return "none";
}

std::optional<Role> RoleFromWord(std::string_view word) {
  for (const Role role : {Role::kReplica, Role::kDirector, Role::kOperator})
    if (word == Word(role)) return role;
  return std::nullopt;
}

std::string UriOf(Role role) { return fmt::format("{}{}", kUriPrefix, Word(role)); }

Role RoleOf(const std::vector<std::string>& uris) {
  Role found = Role::kNone;
  for (std::string_view uri : uris) {
    if (!uri.starts_with(kUriPrefix)) continue;
    const auto role = RoleFromWord(uri.substr(kUriPrefix.size()));
    if (!role || found != Role::kNone) return Role::kNone;
    found = *role;
  }
  return found;
}

absl::Status MayCall(Role role, std::string_view path) {
  const auto opens = [path](std::string_view service) { return path.starts_with(service); };
  if (std::any_of(std::begin(kOpenServices), std::end(kOpenServices), opens)) return absl::OkStatus();
  const auto rule =
      std::find_if(std::begin(kRules), std::end(kRules), [path](const Rule& r) { return r.path == path; });
  const unsigned allowed = rule == std::end(kRules) ? 0 : rule->allowed;
  if ((allowed & Bit(role)) != 0) return absl::OkStatus();
  return Refusal(role, path, allowed);
}

}  // namespace perigee
