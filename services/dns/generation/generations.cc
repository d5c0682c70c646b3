#include "services/dns/generation/generations.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <future>
#include <utility>

#include "lib/config/fleet_parts.h"
#include "lib/log/log.h"
#include "services/dns/admin/replica_states.h"

namespace perigee::dns {
namespace asio = boost::asio;
namespace {

// How often a retired generation is looked at: is it still in use?
constexpr auto kRetireInterval = std::chrono::milliseconds(200);
// What the loop puts into a map at a time: it measures meanwhile.
constexpr size_t kRowsPerPut = 4096;

constexpr LogModule kLog = LogModule::kDnsGeneration;

void RunLoop(asio::io_context& loop) {
  const auto work = asio::make_work_guard(loop);
  loop.run();
}

std::vector<std::string> NamesOf(const v1::FleetConfig& fleet) {
  std::vector<std::string> names;
  for (const auto& replica : fleet.replica()) names.push_back(replica.name());
  return names;
}

// The part of a generation that is published; alive as long as the whole.
std::shared_ptr<const Authority> AuthorityOf(const std::shared_ptr<Generation>& generation) {
  return {generation, &generation->authority()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Generations>> Generations::Start(const GenerationsOptions& options,
                                                                v1::FleetConfig fleet, const Clock& clock) {
  const auto credentials = CallerCredentials::For(SecurityFrom(fleet.control(), options.insecure_control));
  if (!credentials.ok()) return credentials.status();
  std::unique_ptr<Generations> generations(new Generations(options, clock, *credentials));
  auto configuration = generations->Take(std::move(fleet), options.zones);
  if (!configuration.ok()) return configuration.status();
  if (absl::Status status = generations->Begin(*std::move(configuration)); !status.ok()) return status;
  return generations;
}

Generations::Generations(const GenerationsOptions& options, const Clock& clock, CallerCredentials credentials)
    : options_(options),
      clock_(clock),
      counters_(options.counters == nullptr ? unread_ : *options.counters),
      loop_sign_(loop_, (options.life == nullptr ? unread_life_ : *options.life)
                            .Add("the measuring loop", std::chrono::steady_clock::now())),
      surroundings_{.clock = clock,
                    .loop = loop_,
                    .credentials = std::move(credentials),
                    .own_addresses = options.own_addresses,
                    .process_secrets = {RandomCookieSecret()},
                    .tcp_idle_timeout = options.tcp_idle_timeout,
                    .counters = &counters_.measurement,
                    .measurements = options.measurements},
      authority_(std::make_shared<const Authority>()) {}

Generations::~Generations() {
  operations_.stop();
  if (operations_thread_.joinable()) operations_thread_.join();
  authority_.Publish(std::make_shared<const Authority>());
  if (current_ != nullptr) End(std::exchange(current_, nullptr));
  while (!retired_.empty()) {
    End(std::move(retired_.front().generation));
    retired_.pop_front();
  }
  asio::post(loop_, [this] { loop_.stop(); });
  if (loop_thread_.joinable()) loop_thread_.join();
}

// Nothing of it can be refused any more.
absl::StatusOr<Configuration> Generations::Take(v1::FleetConfig fleet, const ZoneLoadOptions& zones) const {
  auto configuration = Configure(std::move(fleet), zones, surroundings_);
  if (configuration.ok() && options_.taken) options_.taken(configuration->fleet);
  return configuration;
}

absl::Status Generations::Begin(Configuration configuration) {
  const std::shared_ptr<RttMap> map = MakeMap(configuration.fleet, clock_);
  if (!configuration.fleet.dns().state_file().empty()) {
    auto file = StateFile::Open(std::filesystem::path(options_.zones.folder) /
                                configuration.fleet.dns().state_file());
    if (!file.ok()) return file.status();
    state_file_ = *std::move(file);
    auto saver = RestoreMap(*state_file_, NamesOf(configuration.fleet), *map,
                            std::chrono::seconds(configuration.fleet.steering().hard_age_seconds()), clock_,
                            &counters_.saves);
    if (!saver.ok()) return saver.status();
    saved_map_ = map;
    saver_ = *std::move(saver);
    auto states = OperatorStates::Open(*state_file_);
    if (!states.ok()) return states.status();
    operator_states_ = *std::move(states);
  }
  loop_sign_.Start();
  loop_thread_ = std::thread([this] { RunLoop(loop_); });
  operations_thread_ = std::thread([this] { RunLoop(operations_); });
  auto first = MakeOnLoop(std::move(configuration), map, nullptr);
  if (operator_states_ != nullptr) {
    if (absl::Status status = operator_states_->Load(first->fleet()); !status.ok())
      LogWarning(kLog, {}, "{}", status.ToString());
  }
  Serve(std::move(first));
  counters_.reloads.Started(clock_.WallNow());
  return absl::OkStatus();
}

std::shared_ptr<Generation> Generations::MakeOnLoop(Configuration configuration, std::shared_ptr<RttMap> map,
                                                    const Generation* previous) {
  std::shared_ptr<Generation> made;
  OnLoop([&] {
    made = std::make_shared<Generation>(std::move(configuration), surroundings_, std::move(map), previous);
  });
  return made;
}

void Generations::Serve(std::shared_ptr<Generation> next) {
  authority_.Publish(AuthorityOf(next));
  current_ = std::move(next);
  count_.fetch_add(1, std::memory_order_relaxed);
}

std::shared_ptr<Generation> Generations::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

DirectorView Generations::View() const {
  auto generation = current();
  const Generation& g = *generation;
  return {g.clients(), generation->fleet(), g.options(), clock_.Now(), std::move(generation)};
}

absl::StatusOr<v1::SetReplicaStateResponse> Generations::SetReplicaState(
    const v1::SetReplicaStateRequest& request) {
  const std::lock_guard lock(mutex_);
  SaveOperatorState save;
  if (operator_states_ != nullptr) {
    save = [this](const std::string& name, OperatorState state) {
      return operator_states_->Save(name, state);
    };
  }
  return dns::SetReplicaState(request, current_->fleet(), save);
}

void Generations::Reload(std::function<void(absl::StatusOr<v1::ReloadResponse>)> done) {
  asio::post(operations_, [this, done = std::move(done)] {
    auto result = ReloadNow();
    counters_.reloads.Reloaded(result.ok(), clock_.WallNow());
    done(std::move(result));
  });
}

absl::StatusOr<v1::ReloadResponse> Generations::ReloadNow() {
  auto fleet = options_.load_fleet();
  if (!fleet.ok()) return fleet.status();
  ZoneLoadOptions zone_options = options_.zones;
  zone_options.start_time = clock_.WallNow();
  auto configuration = Take(*std::move(fleet), zone_options);
  if (!configuration.ok()) return configuration.status();

  const std::shared_ptr<Generation> before = current();
  v1::ReloadResponse response;
  response.set_zones(static_cast<uint32_t>(configuration->zones.zones().size()));
  response.set_replicas(static_cast<uint32_t>(configuration->fleet.replica_size()));
  for (const std::string& name : NeedsRestart(before->config(), configuration->fleet))
    response.add_needs_restart(name);

  const MonoTime since = clock_.Now();
  std::shared_ptr<RttMap> map = before->map();
  if (!SameMap(before->config(), configuration->fleet)) {
    map = MakeMap(configuration->fleet, clock_);
    CopyRows(before->config(), *before->map(), configuration->fleet, *map);
  }
  {
    const std::lock_guard lock(mutex_);  // an operator's word between Inherit and the swap would be lost
    auto next = MakeOnLoop(*std::move(configuration), std::move(map), before.get());
    if (operator_states_ != nullptr) {
      if (absl::Status status = operator_states_->Load(next->fleet()); !status.ok())
        LogWarning(kLog, {}, "{}", status.ToString());
    }
    Serve(std::move(next));
  }
  SaveCurrentMap();
  retired_.push_back({before, since});
  CarryOver(retired_.back());
  LookAtRetired();
  return response;
}

// The last map is saved until the store of this one is open.
absl::Status Generations::SaveMapOf(const Generation& generation) {
  auto connection = state_file_->Connect(/*durable=*/false);
  if (!connection.ok()) return connection.status();
  const std::vector<std::string> names = NamesOf(generation.config());
  auto store = MapStore::Open(*std::move(connection), names, clock_);
  if (!store.ok()) return store.status();
  saver_.reset();
  saved_map_ = generation.map();
  saver_ = std::make_unique<MapSaver>(*std::move(store), *saved_map_, clock_, &counters_.saves);
  return absl::OkStatus();
}

// Goes on trying while it can't.
void Generations::SaveCurrentMap() {
  save_timer_.cancel();
  const auto generation = current();
  if (state_file_ == nullptr || saved_map_ == generation->map()) return;
  const absl::Status status = SaveMapOf(*generation);
  if (status.ok()) return;
  counters_.saves.failures.Add();
  if (save_warnings_.Due(clock_.Now())) {
    const std::string why(status.message());
    LogWarning(kLog, {{"error", why}}, "the new map is not saved: {}; it is tried again each second", why);
  }
  save_timer_.expires_after(kSaveRetryInterval);
  save_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) SaveCurrentMap();
  });
}

void Generations::PutOnLoop(std::vector<PrefixRow> rows, const std::shared_ptr<RttMap>& to) {
  for (size_t at = 0; at < rows.size(); at += kRowsPerPut) {
    OnLoop([&] { PutNewer(std::span(rows).subspan(at, std::min(kRowsPerPut, rows.size() - at)), *to); });
  }
}

// What it has measured since its rows were copied goes into the map that is served.
void Generations::CarryOver(const Retired& from) {
  const Generation& old = *from.generation;
  const auto now = current();
  if (old.map() == now->map()) return;
  PutOnLoop(RowsSince(from.since, old.config(), *old.map(), now->config()), now->map());
}

// Ends those that nobody else holds, and comes back while there are others.
void Generations::LookAtRetired() {
  for (auto it = retired_.begin(); it != retired_.end();) {
    if (it->generation.use_count() > 1) {
      ++it;
      continue;
    }
    it->generation->Stop();
    OnLoop([] {});  // what was measured until then is in its map
    CarryOver(*it);
    Destroy(std::move(it->generation));
    it = retired_.erase(it);
  }
  if (retired_.empty()) return;
  retire_timer_.expires_after(kRetireInterval);
  retire_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) LookAtRetired();
  });
}

void Generations::End(std::shared_ptr<Generation> generation) {
  generation->Stop();
  Destroy(std::move(generation));
}

void Generations::Destroy(std::shared_ptr<Generation> generation) {
  OnLoop([&generation] { generation.reset(); });
}

// Runs it on the loop's thread, after all that the loop had to do so far, and waits for it.
void Generations::OnLoop(const std::function<void()>& task) {
  std::promise<void> done;
  asio::post(loop_, [&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace perigee::dns
