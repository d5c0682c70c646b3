#include "services/dns/geography/geo_database.h"

#include <netinet/in.h>

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace perigee::dns {
namespace {

std::optional<double> DegreesAt(MMDB_entry_s entry, const char* name, double most) {
  MMDB_entry_data_s value{};
  const int status = MMDB_get_value(&entry, &value, "location", name, nullptr);
  if (status != MMDB_SUCCESS || !value.has_data || value.type != MMDB_DATA_TYPE_DOUBLE) return std::nullopt;
  if (!(std::abs(value.double_value) <= most)) return std::nullopt;
  return value.double_value;
}

MMDB_lookup_result_s LookUp(const MMDB_s& database, const IpAddress& address, int* error) {
  sockaddr_in6 v6{};
  sockaddr_in v4{};
  const auto bytes = address.bytes();
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  std::copy(bytes.begin(), bytes.end(),
            reinterpret_cast<uint8_t*>(address.is_v4() ? static_cast<void*>(&v4.sin_addr) : &v6.sin6_addr));
  const auto* socket =
      address.is_v4() ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  return MMDB_lookup_sockaddr(&database, socket, error);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const GeoDatabase>> GeoDatabase::Open(const std::string& path) {
  std::shared_ptr<GeoDatabase> opened(new GeoDatabase);
  const int status = MMDB_open(path.c_str(), MMDB_MODE_MMAP, &opened->database_);
  if (status == MMDB_SUCCESS) return opened;
  opened->database_ = {};  // MMDB_open has closed what it opened
  const std::string message = fmt::format("\"{}\": {}", path, MMDB_strerror(status));
  return status == MMDB_FILE_OPEN_ERROR ? absl::NotFoundError(message) : absl::InvalidArgumentError(message);
}

GeoDatabase::~GeoDatabase() {
  if (database_.filename != nullptr) MMDB_close(&database_);
}

std::optional<Location> GeoDatabase::Find(const IpAddress& address) const {
  int error = MMDB_SUCCESS;
  const MMDB_lookup_result_s found = LookUp(database_, address, &error);
  if (error != MMDB_SUCCESS || !found.found_entry) return std::nullopt;
  const auto latitude = DegreesAt(found.entry, "latitude", 90),
             longitude = DegreesAt(found.entry, "longitude", 180);
  if (!latitude || !longitude) return std::nullopt;
  return Location{*latitude, *longitude};
}

}  // namespace perigee::dns
