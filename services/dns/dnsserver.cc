#include "services/dns/dnsserver.h"

#include <boost/asio/executor_work_guard.hpp>
#include <thread>
#include <utility>

#include "lib/base/clock.h"
#include "lib/config/fleet_parts.h"
#include "lib/net/host.h"
#include "lib/probe_policy/address_policy.h"
#include "lib/probe_policy/probe_budget.h"
#include "lib/rpc/control.h"
#include "services/dns/admin/director_service.h"
#include "services/dns/director/known_clients.h"
#include "services/dns/director/steering_director.h"
#include "services/dns/fleet/heartbeat.h"
#include "services/dns/listener/tcp_listener.h"
#include "services/dns/listener/udp_listener.h"
#include "services/dns/measurement/distance_survey.h"
#include "services/dns/zone/synthetic.h"

namespace perigee::dns {
namespace {

using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

ReplicaInfo InfoFrom(const v1::ReplicaConfig& config) {
  ReplicaInfo info{.name = config.name(), .http_port = static_cast<uint16_t>(config.http_port())};
  // The fleet file has been validated: what is there parses.
  if (!config.ipv4().empty()) info.ipv4 = *IpAddress::Parse(config.ipv4());
  if (!config.ipv6().empty()) info.ipv6 = *IpAddress::Parse(config.ipv6());
  info.prober = ProberEndpoint(config);
  info.control = ControlEndpoint(config);
  return info;
}

std::vector<ReplicaInfo> InfosFrom(const v1::FleetConfig& fleet) {
  std::vector<ReplicaInfo> infos;
  for (const auto& replica : fleet.replica()) infos.push_back(InfoFrom(replica));
  return infos;
}

FlightOptions FlightOptionsFrom(const v1::SteeringConfig& s, const ChoiceRules& rules) {
  return {.hold = std::chrono::milliseconds(s.hold_ms()),
          .measure_deadline = std::chrono::milliseconds(s.measure_deadline_ms()),
          .max_flights = s.max_flights(),
          .max_parked_per_flight = s.max_parked_per_flight(),
          .rules = rules};
}

Channels ChannelsTo(const FleetState& fleet, IpEndpoint ReplicaInfo::*port,
                    const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  Channels channels;
  for (size_t i = 0; i < fleet.size(); ++i) {
    channels.push_back(ControlChannel(fleet.info(ToReplicaId(i)).*port, credentials));
  }
  return channels;
}

SyntheticZoneOptions ZoneOptionsFrom(const DnsServerOptions& options, WallTime now) {
  return {.domain = options.fleet.domain(),
          .name_server = options.name_server,
          .server_addresses = options.server_addresses,
          .start_time = now};
}

}  // namespace

// Built from top to bottom and taken down from bottom to top: what listens goes before what answers.
struct DnsServer::Rooms {
  Rooms(const DnsServerOptions& options, std::vector<IpAddress> own, std::shared_ptr<const Zone> zone,
        const std::shared_ptr<grpc::ChannelCredentials>& credentials, SteeringOptions steering_by)
      : steering_options(std::move(steering_by)),
        fleet(InfosFrom(options.fleet)),
        map(fleet.size(), options.fleet.steering().max_prefixes(), clock.Now()),
        policy(PolicyFrom(options.fleet.probe_policy(), std::move(own))),
        budget(BudgetFrom(options.fleet.probe_policy())),
        probers_at(ChannelsTo(fleet, &ReplicaInfo::prober, credentials)),
        servers_at(ChannelsTo(fleet, &ReplicaInfo::control, credentials)),
        measurement(loop, FlightOptionsFrom(options.fleet.steering(), steering_options.rules), fleet, map,
                    probers, clock,
                    [this](const IpAddress& client, MonoTime now) { return Permit(client, now); }),
        probers(probers_at),
        heartbeat(loop, fleet, probers_at, servers_at),
        survey(loop, fleet, probers),
        clients(map, fleet, clock, steering_options),
        steering(clients, fleet, measurement, steering_options),
        responder(std::move(zone), &steering),
        director_service(clients, fleet, steering_options) {}

  ~Rooms() {
    udp.reset();
    tcp.reset();
    control.reset();
    loop.stop();
    if (loop_thread.joinable()) loop_thread.join();
  }

  // One packet from each replica at the least; the probers keep budgets of their own.
  absl::Status Permit(const IpAddress& client, MonoTime now) {
    if (absl::Status status = policy.Check(client); !status.ok()) return status;
    return budget.Take(client, 1, now);
  }

  SystemClock clock;
  const SteeringOptions steering_options;
  FleetState fleet;
  RttMap map;
  AddressPolicy policy;
  ProbeBudget budget;
  Channels probers_at, servers_at;
  boost::asio::io_context loop{1};
  MeasurementLoop measurement;
  ProberClient probers;  // after `measurement`: its destructor waits for the calls that report there
  Heartbeat heartbeat;
  DistanceSurvey survey;
  KnownClients clients;
  SteeringDirector steering;
  Responder responder;
  DirectorService director_service;
  std::unique_ptr<ControlServer> control;
  std::unique_ptr<UdpListener> udp;
  std::unique_ptr<TcpListener> tcp;
  std::thread loop_thread;
};

DnsServer::DnsServer(std::unique_ptr<Rooms> rooms) : rooms_(std::move(rooms)) {}
DnsServer::~DnsServer() = default;

int DnsServer::control_port() const { return rooms_->control->port(); }

absl::StatusOr<std::unique_ptr<DnsServer>> DnsServer::Start(const DnsServerOptions& options) {
  if (options.fleet.domain().empty()) {
    return absl::InvalidArgumentError("no domain: give one with -n, or as `domain` in the fleet file");
  }
  if (options.fleet.replica().empty()) {
    return absl::InvalidArgumentError("the fleet file has no replica: add `replica { name: … ipv4: … }`");
  }
  SystemClock clock;
  auto zone = MakeSyntheticZone(ZoneOptionsFrom(options, clock.WallNow()));
  if (!zone.ok()) return zone.status();
  const ControlSecurity security = SecurityFrom(options.fleet.control(), options.insecure_control);
  const auto credentials = ChannelCredentialsFor(security);
  if (!credentials.ok()) return credentials.status();

  auto steering_options = SteeringOptionsFrom(options.fleet);
  if (!steering_options.ok()) return steering_options.status();

  auto own = OwnAddresses();
  if (!own.ok()) return own.status();

  auto rooms =
      std::make_unique<Rooms>(options, *std::move(own), std::make_shared<const Zone>(*std::move(zone)),
                              *credentials, *std::move(steering_options));
  auto control = ControlServer::Start(options.control, security, {&rooms->director_service});
  if (!control.ok()) return control.status();
  rooms->control = *std::move(control);
  auto udp = UdpListener::Start(
      {.addresses = options.listen, .threads_per_address = options.threads_per_address}, &rooms->responder);
  if (!udp.ok()) return udp.status();
  rooms->udp = *std::move(udp);
  TcpOptions tcp_options = options.tcp;
  tcp_options.addresses = options.listen;
  auto tcp = TcpListener::Start(tcp_options, &rooms->responder);
  if (!tcp.ok()) return tcp.status();
  rooms->tcp = *std::move(tcp);
  rooms->loop_thread = std::thread([&loop = rooms->loop] {
    const auto work = boost::asio::make_work_guard(loop);
    loop.run();
  });
  return std::unique_ptr<DnsServer>(new DnsServer(std::move(rooms)));
}

}  // namespace perigee::dns
