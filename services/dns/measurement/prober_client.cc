#include "services/dns/measurement/prober_client.h"

#include <utility>

#include "lib/log/log.h"

namespace perigee::dns {
namespace {

struct Call {
  explicit Call(CallGroup& group) : member(group) {}

  CallGroup::Membership member;
  v1::MeasureRequest request;
  v1::MeasureResponse response;
};

}  // namespace

Sample ReadMeasureResponse(const v1::MeasureResponse& response, std::chrono::milliseconds deadline) {
  const Rtt rtt(response.min_rtt_us());
  switch (response.method()) {
    case v1::METHOD_ICMP_ECHO:
    case v1::METHOD_TCP_SYN:
    case v1::METHOD_UDP_PORT:
    case v1::METHOD_LAST_HOP:
      if (rtt == Rtt::zero() || rtt > deadline) return {};
      return {rtt, static_cast<Method>(response.method())};
    case v1::METHOD_SILENT:
      return {Rtt::zero(), Method::kSilent};
    default:
      return {};
  }
}

ProberClient::ProberClient(std::span<const std::shared_ptr<grpc::Channel>> channels) {
  for (const auto& channel : channels) stubs_.push_back(v1::Prober::NewStub(channel));
}

void ProberClient::Measure(ReplicaId replica, const Request& request, std::chrono::milliseconds deadline,
                           std::function<void(const Sample&)> done) {
  std::unique_lock lock(mutex_);
  if (stopped_) {
    lock.unlock();
    return done(Sample{});
  }
  Call* call = new Call(*calls_);  // owned by the callback
  lock.unlock();
  call->member.context.set_deadline(std::chrono::system_clock::now() + deadline);
  call->request.set_address(request.address.ToString());
  call->request.set_probes(request.probes);
  for (const uint16_t port : request.tcp_ports) call->request.add_tcp_ports(port);
  stubs_[Index(replica)]->async()->Measure(
      &call->member.context, &call->request, &call->response,
      [call, replica, deadline, done = std::move(done)](const grpc::Status& status) {
        const std::unique_ptr<Call> owned(call);
        if (!status.ok()) {
          LogDebug(LogModule::kDnsMeasurement,
                   {{"client", call->request.address()}, {"replica_index", Index(replica)}},
                   "measure {} by replica {}: {}", call->request.address(), Index(replica),
                   status.error_message());
        }
        done(status.ok() ? ReadMeasureResponse(call->response, deadline) : Sample{});
      });
}

void ProberClient::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  calls_.reset();  // waits, so not under the lock: a `done` may call Measure
}

}  // namespace perigee::dns
