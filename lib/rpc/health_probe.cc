#include "lib/rpc/health_probe.h"

#include <memory>
#include <utility>

namespace perigee {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

struct Call {
  explicit Call(CallGroup& group) : member(group) {}

  CallGroup::Membership member;
  HealthCheckRequest request;
  HealthCheckResponse response;
  bool connected = false;
  MonoTime sent;
};

HealthReport Read(const Call& call, const grpc::Status& status) {
  HealthReport report;
  const bool silent = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                      status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  if (silent) return report;
  report.reachable = true;
  if (call.connected)
    report.rtt = std::chrono::duration_cast<Rtt>(std::chrono::steady_clock::now() - call.sent);
  report.serving = status.ok() && call.response.status() == HealthCheckResponse::SERVING;
  return report;
}

}  // namespace

HealthProbe::HealthProbe(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)), stub_(channel_) {}

void HealthProbe::Check(std::chrono::milliseconds timeout, std::function<void(HealthReport)> done) {
  Call* call = new Call(calls_);  // owned by the callback
  call->connected = channel_->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY;
  call->sent = std::chrono::steady_clock::now();
  call->member.context.set_deadline(std::chrono::system_clock::now() + timeout);
  stub_.async()->Check(&call->member.context, &call->request, &call->response,
                       [call, done = std::move(done)](const grpc::Status& status) {
                         const std::unique_ptr<Call> owned(call);
                         done(Read(*call, status));
                       });
}

}  // namespace perigee
