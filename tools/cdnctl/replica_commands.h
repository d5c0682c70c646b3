// The subcommands that go to the replicas themselves: purge, warm, stats, and drain and undrain with
// --direct.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "perigee/v1/config.pb.h"
#include "tools/cdnctl/replicas.h"

namespace CLI {
class App;
}

namespace perigee::cdnctl {

// Stubs for all replicas of the fleet.
absl::StatusOr<std::vector<Replica>> ReplicasOf(const v1::FleetConfig& fleet);

class ReplicaCommands {
 public:
  // Declares purge, warm and stats in `app`. This must outlive the parsing.
  explicit ReplicaCommands(CLI::App& app);
  // Declares what `drain` and `undrain` need for --direct; `replica` is their argument.
  void AddDirect(CLI::App* drain, CLI::App* undrain, const std::string* replica);

  // Whether one of them was asked for.
  bool asked() const;
  // Asks the fleet's replicas. InvalidArgument or NotFound when the command line is wrong.
  absl::StatusOr<Report> Run(const v1::FleetConfig& fleet, Format format) const;

 private:
  CLI::App* AddCommand(CLI::App& app, const char* name, const char* help, const char* examples);
  void AddFleetFlags(CLI::App* command);
  absl::StatusOr<std::vector<Replica>> Chosen(const v1::FleetConfig& fleet) const;
  absl::StatusOr<Report> RunPurge(const std::vector<Replica>& replicas, const Ask& ask) const;
  absl::StatusOr<Report> RunWarm(const std::vector<Replica>& replicas, const Ask& ask) const;

  const CLI::App* purge_ = nullptr;
  const CLI::App* warm_ = nullptr;
  const CLI::App* stats_ = nullptr;
  const CLI::App* drain_ = nullptr;
  const CLI::App* undrain_ = nullptr;
  const std::string* drained_replica_ = nullptr;

  std::vector<std::string> urls_, prefixes_, tags_, names_;
  std::string file_, accept_encoding_;
  uint32_t concurrency_ = 4;
  int timeout_s_ = 0;  // 0: the command's default
  bool everything_ = false, soft_ = false, direct_ = false;
};

}  // namespace perigee::cdnctl
