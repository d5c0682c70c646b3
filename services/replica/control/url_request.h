// What callers of Purge and Warm ask for, checked and made into what the parts take. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "perigee/v1/replica.pb.h"
#include "services/replica/cache/purge.h"

namespace perigee::replica {

inline constexpr size_t kMaxUrlsPerCall = 1'000;  // Purge: URLs, prefixes and tags together
inline constexpr size_t kMaxUrlBytes = 8'192;
inline constexpr size_t kDefaultWarmConcurrency = 4;
inline constexpr size_t kMaxWarmConcurrency = 32;
inline constexpr size_t kMaxAcceptEncodingBytes = 256;

// Path and query of "http://host/path?query", "https://…" or "/path?query", as a request for it has them.
// InvalidArgument, naming the URL and what is wrong with it.
absl::StatusOr<std::string> PathOfUrl(std::string_view url);
// Its host and port; empty for a path alone. `url` must be one that PathOfUrl takes.
std::string_view AuthorityOfUrl(std::string_view url);

// `key_base` is what every cache key begins with. InvalidArgument says what is wrong.
absl::StatusOr<PurgeSelection> SelectionFrom(const v1::PurgeRequest& request, const std::string& key_base);

// What a request that SelectionFrom takes names, for people to read: the first of it, and how much more.
std::string Summary(const v1::PurgeRequest& request);

struct WarmJob {
  std::vector<std::string> urls;   // as asked
  std::vector<std::string> paths;  // of each
  size_t concurrency = kDefaultWarmConcurrency;
  std::string accept_encoding;
};
absl::StatusOr<WarmJob> WarmJobFrom(const v1::WarmRequest& request);

}  // namespace perigee::replica
