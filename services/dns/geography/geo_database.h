// A database of where addresses are, in MaxMind's format (maxmind.github.io/MaxMind-DB), read by
// libmaxminddb.
#pragma once

#include <maxminddb.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "services/dns/steering/geography.h"

namespace perigee::dns {

// Mapped into memory: the file must not be changed in place, but be replaced by another of its name.
class GeoDatabase {
 public:
  // NotFound when there is no such file that can be read, InvalidArgument when it is no such database; both
  // name the file.
  static absl::StatusOr<std::shared_ptr<const GeoDatabase>> Open(const std::string& path);
  ~GeoDatabase();
  GeoDatabase(const GeoDatabase&) = delete;
  GeoDatabase& operator=(const GeoDatabase&) = delete;

  // Nothing when the database does not say, or where it is damaged. From any thread.
  std::optional<Location> Find(const IpAddress& address) const;

 private:
  GeoDatabase() = default;
  MMDB_s database_{};
};

}  // namespace perigee::dns
