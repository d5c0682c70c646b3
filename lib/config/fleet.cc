#include "lib/config/fleet.h"

#include <google/protobuf/text_format.h>

#include "fmt/format.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "lib/base/read_file.h"
#include "lib/config/fleet_defaults.h"
#include "lib/config/fleet_rules.h"
#include "lib/config/located.h"

namespace perigee {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

}  // namespace

absl::StatusOr<v1::FleetConfig> ParseFleet(std::string_view text, std::string_view file_name) {
  FirstError errors(file_name);
  google::protobuf::TextFormat::ParseInfoTree locations;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&locations);
  v1::FleetConfig fleet;
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&input, &fleet)) {
    FillDefaults(&fleet);
    CheckFleet(fleet, Located(fleet, &locations, &errors));
  }
  if (absl::Status status = errors.status(); !status.ok()) return status;
  return fleet;
}

absl::StatusOr<v1::FleetConfig> LoadFleetFile(const std::string& path) {
  const auto text = ReadFile(path, kMaxFileBytes);
  if (absl::IsNotFound(text.status()))
    return absl::NotFoundError(fmt::format("no fleet file \"{}\"; give one with --config", path));
  if (!text.ok()) {
    const std::string why(text.status().message());
    return absl::Status(text.status().code(), fmt::format("the fleet file {}", why));
  }
  return ParseFleet(*text, path);
}

v1::FleetConfig DefaultFleet() {
  v1::FleetConfig fleet;
  FillDefaults(&fleet);
  return fleet;
}

}  // namespace perigee
