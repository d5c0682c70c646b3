#include "services/dns/zone/synthetic.h"

#include <algorithm>
#include <chrono>

#include "fmt/format.h"
#include "services/dns/zone/zone_builder.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

constexpr seconds kTtl{3600};
constexpr uint32_t kRefresh = 14400;
constexpr uint32_t kRetry = 3600;
constexpr uint32_t kExpire = 1209600;
constexpr uint32_t kMinimum = 300;  // for how long "no such name" and "no such type" are remembered

void AppendName(NameView name, RdataBuffer* rdata) {
  rdata->insert(rdata->end(), name.bytes().begin(), name.bytes().end());
}

RdataBuffer SoaRdata(NameView server, NameView mailbox, WallTime start) {
  RdataBuffer rdata;
  AppendName(server, &rdata);
  AppendName(mailbox, &rdata);
  const auto serial =
      static_cast<uint32_t>(std::chrono::duration_cast<seconds>(start.time_since_epoch()).count());
  for (const uint32_t number : {serial, kRefresh, kRetry, kExpire, kMinimum}) {
    for (const int shift : {24, 16, 8, 0}) rdata.push_back(static_cast<uint8_t>(number >> shift));
  }
  return rdata;
}

bool IsSteered(NameView apex, NameView name, const SyntheticZoneOptions& options) {
  return (options.steer_apex && name == apex) ||
         std::any_of(options.steered.begin(), options.steered.end(),
                     [&](const Name& steered) { return steered.view() == name; });
}

absl::Status AddAuthority(NameView apex, NameView server, const SyntheticZoneOptions& options,
                          ZoneBuilder* builder) {
  const auto mailbox = Name::Parse(fmt::format("hostmaster.{}", apex.ToText()));
  if (!mailbox.ok()) return mailbox.status();
  absl::Status status =
      builder->AddRecord(apex, RrType::kSoa, kTtl, SoaRdata(server, *mailbox, options.start_time));
  RdataBuffer ns;
  AppendName(server, &ns);
  status.Update(builder->AddRecord(apex, RrType::kNs, kTtl, ns));
  if (!server.IsWithin(apex) || IsSteered(apex, server, options)) return status;
  for (const IpAddress& address : options.server_addresses) {
    status.Update(
        builder->AddRecord(server, address.is_v4() ? RrType::kA : RrType::kAaaa, kTtl, address.bytes()));
  }
  return status;
}

}  // namespace

absl::StatusOr<Zone> MakeSyntheticZone(const SyntheticZoneOptions& options) {
  const auto apex = Name::Parse(options.domain);
  if (!apex.ok()) return apex.status();
  const auto server =
      Name::Parse(options.name_server.empty() ? "ns1." + apex->view().ToText() : options.name_server);
  if (!server.ok()) return server.status();
  ZoneBuilder builder(*apex);
  absl::Status status;
  if (options.steer_apex) status.Update(builder.AddSteered(*apex));
  for (const Name& name : options.steered) status.Update(builder.AddSteered(name));
  if (options.server_addresses.empty()) builder.AllowServersWithoutAddress();
  status.Update(AddAuthority(*apex, *server, options, &builder));
  if (!status.ok()) return status;
  return std::move(builder).Build();
}

}  // namespace perigee::dns
