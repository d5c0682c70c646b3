// The generation that is served, the one that comes next, and those that are on their way out.
//
// A reload builds the next generation aside, publishes it in one step, and retires the last one when no
// thread and no query uses it any more. What outlives a generation is here: the state file, the operators'
// states, the loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/published.h"
#include "lib/health/loop_sign.h"
#include "lib/rpc/credentials.h"
#include "services/dns/admin/director_service.h"
#include "services/dns/generation/generation.h"
#include "services/dns/generation/map_copy.h"
#include "services/dns/state/map_saver.h"
#include "services/dns/state/operator_states.h"
#include "services/dns/state/state_file.h"

namespace perigee::dns {

// How soon a map whose store could not be opened is tried again.
inline constexpr auto kSaveRetryInterval = std::chrono::seconds(1);

struct GenerationsOptions {
  // Reads the fleet file, with what flags add to it.
  std::function<absl::StatusOr<v1::FleetConfig>()> load_fleet;
  // Told of each that is taken, the first one too; null: nobody is. On the thread that starts, then on one of
  // ours.
  std::function<void(const v1::FleetConfig&)> taken;
  ZoneLoadOptions zones;
  bool insecure_control = false;
  std::vector<IpAddress> own_addresses;
  std::chrono::milliseconds tcp_idle_timeout{10'000};
  ServerCounters* counters = nullptr;      // must outlive the generations; null: nobody counts
  MeasurementLog* measurements = nullptr;  // the same
  LifeSigns* life = nullptr;  // where the measuring loop shows that it goes round; must outlive them
};

class Generations final : public DirectorBackend {
 public:
  // Serves `fleet` first. Errors as Configure's, and the state file's.
  static absl::StatusOr<std::unique_ptr<Generations>> Start(const GenerationsOptions& options,
                                                            v1::FleetConfig fleet, const Clock& clock);
  // Nothing may read authority() any more.
  ~Generations() override;

  const Published<Authority>& authority() const { return authority_; }
  // How many there have been, and how many zones the current one has.
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  std::shared_ptr<Generation> current() const;

  // DirectorBackend; any thread.
  DirectorView View() const override;
  absl::StatusOr<v1::SetReplicaStateResponse> SetReplicaState(
      const v1::SetReplicaStateRequest& request) override;
  void Reload(std::function<void(absl::StatusOr<v1::ReloadResponse>)> done) override;

 private:
  Generations(const GenerationsOptions& options, const Clock& clock, CallerCredentials credentials);

  absl::StatusOr<Configuration> Take(v1::FleetConfig fleet, const ZoneLoadOptions& zones) const;
  absl::Status Begin(Configuration configuration);
  absl::StatusOr<v1::ReloadResponse> ReloadNow();
  std::shared_ptr<Generation> MakeOnLoop(Configuration configuration, std::shared_ptr<RttMap> map,
                                         const Generation* previous);
  absl::Status SaveMapOf(const Generation& generation);
  void SaveCurrentMap();
  void PutOnLoop(std::vector<PrefixRow> rows, const std::shared_ptr<RttMap>& to);
  void Serve(std::shared_ptr<Generation> next);
  // One that is served no more, and when its rows began to be copied.
  struct Retired {
    std::shared_ptr<Generation> generation;
    MonoTime since;
  };
  void CarryOver(const Retired& from);
  void LookAtRetired();
  void End(std::shared_ptr<Generation> generation);
  void Destroy(std::shared_ptr<Generation> generation);
  void OnLoop(const std::function<void()>& task);

  const GenerationsOptions options_;
  const Clock& clock_;
  ServerCounters unread_;
  ServerCounters& counters_;
  LifeSigns unread_life_;
  boost::asio::io_context loop_{1};  // of measuring and health
  LoopSign loop_sign_;
  boost::asio::io_context operations_{1};  // of reloads and retirements: may wait for the loop
  std::unique_ptr<StateFile> state_file_;
  std::unique_ptr<OperatorStates> operator_states_;
  std::shared_ptr<RttMap> saved_map_;  // what `saver_` saves
  std::unique_ptr<MapSaver> saver_;
  Surroundings surroundings_;
  Published<Authority> authority_;
  mutable std::mutex mutex_;  // guards current_, and the operators' states from Inherit to the swap
  std::shared_ptr<Generation> current_;
  std::atomic<uint64_t> count_{0};
  // Touched on the operations thread only.
  std::list<Retired> retired_;
  boost::asio::steady_timer retire_timer_{operations_}, save_timer_{operations_};
  WarningPace save_warnings_;
  std::thread loop_thread_, operations_thread_;
};

}  // namespace perigee::dns
