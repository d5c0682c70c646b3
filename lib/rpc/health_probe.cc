#include "lib/rpc/health_probe.h"

#include <memory>
#include <string>
#include <utility>

namespace perigee {
namespace {

// HealthCheckResponse{status: SERVING}: field 1, varint, 1.
constexpr std::string_view kServing{"\x08\x01", 2};

struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer request, response;
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
  report.rtt = std::chrono::duration_cast<Rtt>(std::chrono::steady_clock::now() - call.sent);
  report.serving = status.ok() && Flatten(call.response) == kServing;
  return report;
}

}  // namespace

HealthProbe::HealthProbe(std::shared_ptr<grpc::Channel> channel) : stub_(std::move(channel)) {}

void HealthProbe::Check(std::chrono::milliseconds timeout, std::function<void(HealthReport)> done) {
  Call* call = new Call;  // owned by the callback
  call->sent = std::chrono::steady_clock::now();
  call->context.set_deadline(std::chrono::system_clock::now() + timeout);
  const grpc::Slice empty;
  call->request = grpc::ByteBuffer(&empty, 1);
  stub_.UnaryCall(&call->context, "/grpc.health.v1.Health/Check", {}, &call->request, &call->response,
                  [call, done = std::move(done)](const grpc::Status& status) {
                    // The context refers to the channel: gone before `done`, which may let go of the last
                    // one.
                    const HealthReport report = Read(*std::unique_ptr<Call>(call), status);
                    done(report);
                  });
}

}  // namespace perigee
