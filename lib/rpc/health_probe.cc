#include "lib/rpc/health_probe.h"

#include <memory>
#include <string>
#include <utility>

namespace perigee {
namespace {

// HealthCheckResponse{status: SERVING}: field 1, varint, 1.
constexpr std::string_view kServing{"\x08\x01", 2};

struct Call {
  explicit Call(CallGroup& group) : member(group) {}

  CallGroup::Membership member;
  grpc::ByteBuffer request, response;
  bool connected = false;
  MonoTime sent;
};

std::string Flatten(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const auto& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

HealthReport Read(const Call& call, const grpc::Status& status) {
  HealthReport report;
  const bool silent = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                      status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  if (silent) return report;
  report.reachable = true;
  if (call.connected)
    report.rtt = std::chrono::duration_cast<Rtt>(std::chrono::steady_clock::now() - call.sent);
  report.serving = status.ok() && Flatten(call.response) == kServing;
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
  const grpc::Slice empty;
  call->request = grpc::ByteBuffer(&empty, 1);
  stub_.UnaryCall(&call->member.context, "/grpc.health.v1.Health/Check", {}, &call->request, &call->response,
                  [call, done = std::move(done)](const grpc::Status& status) {
                    const std::unique_ptr<Call> owned(call);
                    done(Read(*call, status));
                  });
}

}  // namespace perigee
