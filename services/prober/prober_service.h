// The Prober service of prober.proto: translates between its messages and the engine. gRPC types stop here.
#pragma once

#include "absl/status/statusor.h"
#include "perigee/v1/prober.grpc.pb.h"
#include "services/prober/measure_engine.h"

namespace perigee {

// The deadline of a call that has none, and the longest that counts.
inline constexpr std::chrono::seconds kDefaultDeadline{3};
inline constexpr std::chrono::seconds kMostDeadline{60};

inline constexpr uint32_t kMaxProbes = 10;
inline constexpr int kMaxPorts = 4;

// InvalidArgument names the field and what it may be.
absl::StatusOr<MeasureTarget> ParseMeasureRequest(const v1::MeasureRequest& request);

void ToResponse(const Measurement& measurement, v1::MeasureResponse* response);

// Thread-safe. `engine` must outlive the server that the service is registered with.
class ProberService final : public v1::Prober::CallbackService {
 public:
  explicit ProberService(MeasureEngine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* Measure(grpc::CallbackServerContext* context, const v1::MeasureRequest* request,
                                    v1::MeasureResponse* response) override;

 private:
  MeasureEngine& engine_;
};

}  // namespace perigee
