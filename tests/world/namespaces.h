// Named network namespaces, kept as `ip netns` keeps them: a file in /run/netns with the namespace bound to
// it.
//
// All of it works on the calling thread's namespaces and needs CAP_SYS_ADMIN.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/world/system.h"

namespace perigee::world {

inline constexpr std::string_view kNetnsDirectory = "/run/netns";
// Namespaces of a world are named with this in front of the host's name.
inline constexpr std::string_view kNamespacePrefix = "pg-";

std::string NamespaceName(std::string_view host);
std::string NamespacePath(std::string_view host);

// Makes /run/netns a shared mount point if it is none yet; true when this call did it.
absl::StatusOr<bool> EnsureNetnsDirectory();
// Undoes EnsureNetnsDirectory, unless somebody else has a namespace there.
void RemoveNetnsDirectoryIfEmpty();

// AlreadyExists when one of these hosts has a namespace.
absl::Status CheckNoNamespaces(const std::vector<std::string>& hosts);

// Makes a namespace for `host` and leaves the thread in it.
absl::Status CreateNamespaceAndEnter(std::string_view host);
// NotFound when the host has no namespace.
absl::Status EnterNamespace(std::string_view host);
// Unmounts and removes the file, in whatever state it is, and the files of its own that /etc/netns has for
// it.
absl::Status RemoveNamespace(std::string_view host);

// Leaves the thread, at the end of the scope, in the network namespace in which it was at its start.
class NamespaceScope {
 public:
  static absl::StatusOr<NamespaceScope> Here();
  NamespaceScope(NamespaceScope&&) noexcept = default;
  NamespaceScope& operator=(NamespaceScope&&) = delete;
  ~NamespaceScope();

 private:
  explicit NamespaceScope(UniqueFd home) : home_(std::move(home)) {}
  UniqueFd home_;
};

// Processes whose network namespace is one of these hosts'.
std::vector<pid_t> ProcessesIn(const std::vector<std::string>& hosts);

}  // namespace perigee::world
