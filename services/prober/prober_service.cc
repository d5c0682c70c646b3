#include "services/prober/prober_service.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "lib/rpc/control.h"

namespace perigee {
namespace {

// A resolver answers on 53, a browser's network on one of the others, if only with a RST.
constexpr uint16_t kDefaultPorts[] = {53, 443, 80};

v1::Method ToProto(ProbeMethod method) {
  switch (method) {
    case ProbeMethod::kIcmpEcho:
      return v1::METHOD_ICMP_ECHO;
    case ProbeMethod::kTcpSyn:
      return v1::METHOD_TCP_SYN;
    case ProbeMethod::kUdpPort:
      return v1::METHOD_UDP_PORT;
    case ProbeMethod::kLastHop:
      return v1::METHOD_LAST_HOP;
    case ProbeMethod::kSilent:
      return v1::METHOD_SILENT;
  }
  return v1::METHOD_UNSPECIFIED;
}

// gRPC tells deadlines by the wall clock.
MonoTime DeadlineOf(const grpc::CallbackServerContext& context) {
  const MonoTime now = std::chrono::steady_clock::now();
  if (context.deadline() == std::chrono::system_clock::time_point::max()) return now + kDefaultDeadline;
  const auto left = context.deadline() - std::chrono::system_clock::now();
  return now + std::min<std::chrono::nanoseconds>(left, kMostDeadline);
}

// One call. Deletes itself when gRPC is done with it.
class MeasureCall final : public grpc::ServerUnaryReactor {
 public:
  MeasureCall(MeasureEngine& engine, v1::MeasureResponse* response) : engine_(engine), response_(response) {}

  // gRPC calls neither OnCancel nor OnDone before the handler that made us has returned.
  void Start(MeasureTarget target, MonoTime deadline) {
    id_ = engine_.Measure(std::move(target), deadline, [this](const absl::StatusOr<Measurement>& result) {
      if (result.ok()) ToResponse(*result, response_);
      Finish(ToGrpcStatus(result.status()));
    });
  }

  void OnCancel() override { engine_.Cancel(id_); }
  void OnDone() override { delete this; }

 private:
  MeasureEngine& engine_;
  v1::MeasureResponse* const response_;
  MeasureEngine::CallId id_ = 0;
};

}  // namespace

absl::StatusOr<MeasureTarget> ParseMeasureRequest(const v1::MeasureRequest& request) {
  const auto address = IpAddress::Parse(request.address());
  if (!address.ok()) {
    return absl::InvalidArgumentError(fmt::format("address: {}", std::string(address.status().message())));
  }
  if (request.probes() > kMaxProbes) {
    return absl::InvalidArgumentError(
        fmt::format("probes: {} is more than {}", request.probes(), kMaxProbes));
  }
  if (request.tcp_ports_size() > kMaxPorts) {
    return absl::InvalidArgumentError(
        fmt::format("tcp_ports: {} are more than {}", request.tcp_ports_size(), kMaxPorts));
  }
  MeasureTarget target{.address = *address, .probes = std::max(request.probes(), 1u), .ports = {}};
  for (const uint32_t port : request.tcp_ports()) {
    if (port == 0 || port > UINT16_MAX) {
      return absl::InvalidArgumentError(fmt::format("tcp_ports: {} is not a port", port));
    }
    target.ports.push_back(static_cast<uint16_t>(port));
  }
  if (target.ports.empty()) target.ports.assign(std::begin(kDefaultPorts), std::end(kDefaultPorts));
  return target;
}

void ToResponse(const Measurement& measurement, v1::MeasureResponse* response) {
  const auto answered = static_cast<uint32_t>(measurement.rtts.size());
  response->set_method(ToProto(measurement.method));
  response->set_sent(measurement.sent);
  response->set_lost(measurement.sent - std::min(answered, measurement.sent));
  for (const Rtt rtt : measurement.rtts) response->add_rtt_us(static_cast<uint32_t>(rtt.count()));
  if (measurement.method == ProbeMethod::kLastHop) response->set_hop(measurement.hop->from.ToString());
  if (answered > 0)
    response->set_min_rtt_us(*std::min_element(response->rtt_us().begin(), response->rtt_us().end()));
}

grpc::ServerUnaryReactor* ProberService::Measure(grpc::CallbackServerContext* context,
                                                 const v1::MeasureRequest* request,
                                                 v1::MeasureResponse* response) {
  auto target = ParseMeasureRequest(*request);
  if (!target.ok()) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpcStatus(target.status()));
    return reactor;
  }
  auto* call = new MeasureCall(engine_, response);
  call->Start(*std::move(target), DeadlineOf(*context));
  return call;
}

}  // namespace perigee
