#include "tools/cdnctl/replica_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>

#include "CLI/CLI.hpp"
#include "absl/strings/escaping.h"
#include "lib/config/fleet_parts.h"
#include "lib/rpc/control.h"

namespace perigee::cdnctl {
namespace {

constexpr std::chrono::seconds kTimeout{10};
constexpr std::chrono::seconds kWarmTimeout{120};

constexpr char kPurgeExamples[] =
    "When it says ok, that replica serves the old bytes to nobody any more: neither from memory nor from "
    "disk, nor\n"
    "from a fetch that was under way, nor after a crash. A replica that failed may serve them still: try "
    "again.\n"
    "Exit status 0 when all replicas said ok.\n\n"
    "Examples:\n"
    "  cdnctl purge http://cdn.example.org/index.html    one URL, all its variants\n"
    "  cdnctl purge --prefix /img/ --prefix /css/         everything below; the host may be left out\n"
    "  cdnctl purge --tag product-7                       what the origin tagged so: Surrogate-Key or "
    "Cache-Tag\n"
    "  cdnctl purge --all --soft                          all stale: validated with the origin before it is "
    "served";
constexpr char kWarmExamples[] =
    "Each replica fetches the URLs through its own cache; what is fresh there is not fetched again.\n"
    "Exit status 0 when every replica got an answer for every URL; what may not be stored is listed.\n\n"
    "Examples:\n"
    "  cdnctl warm /index.html /style.css\n"
    "  cdnctl warm --file urls.txt --concurrency 8        one URL a line; - is standard input\n"
    "  cdnctl warm --accept-encoding gzip /app.js         the variant that browsers get";
constexpr char kStatsExamples[] =
    "HIT % is of all requests since the start; MB is what the cache holds, OF its budget.\n\n"
    "Examples:\n"
    "  cdnctl stats\n"
    "  cdnctl stats --replica dublin --replica tokyo";

// What is not ASCII cannot be sent at all, the rest is the replicas' to judge.
absl::Status CheckUrl(std::string_view url) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::all_of(url.begin(), url.end(), is_ascii)) return absl::OkStatus();
  const std::string shown = absl::CHexEscape(absl::string_view(url.data(), url.size()));
  return absl::InvalidArgumentError(fmt::format("{}: percent-encode what is not ASCII", shown));
}

absl::Status CheckUrls(const std::vector<std::string>& urls) {
  absl::Status status;
  for (const std::string& url : urls) status.Update(CheckUrl(url));
  return status;
}

// One URL a line; empty lines and those that begin with # are passed over.
absl::StatusOr<std::vector<std::string>> ReadUrls(const std::string& file) {
  std::ifstream opened;
  if (file != "-") opened.open(file);
  std::istream& in = file == "-" ? std::cin : opened;
  std::vector<std::string> urls;
  for (std::string line; std::getline(in, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty() && line[0] != '#') urls.push_back(line);
  }
  if (!in.eof()) return absl::NotFoundError(fmt::format("{}: cannot be read", file));
  return urls;
}

}  // namespace

ReplicaCommands::ReplicaCommands(CLI::App& app) {
  CLI::App* purge =
      AddCommand(app, "purge", "Removes stored responses from the caches of all replicas", kPurgeExamples);
  purge->add_option("url", urls_, "URLs: http://HOST/PATH or /PATH, with the query");
  purge->add_option("--prefix", prefixes_, "Every URL that begins so; may be repeated")
      ->take_all()
      ->expected(1);
  purge->add_option("--tag", tags_, "Every response with this tag; may be repeated")->take_all()->expected(1);
  purge->add_flag("--all", everything_, "Everything");
  purge->add_flag("--soft", soft_, "Mark stale instead: validated first, or served if the origin is down");
  purge_ = purge;

  CLI::App* warm = AddCommand(app, "warm", "Fetches URLs into the caches of all replicas", kWarmExamples);
  warm->add_option("url", urls_, "URLs: http://HOST/PATH or /PATH, with the query");
  warm->add_option("--file", file_, "Further URLs, one a line; - is standard input");
  warm->add_option("--concurrency", concurrency_, "Fetches at a time on each replica, 1 to 32")
      ->capture_default_str()
      ->check(CLI::Range(1, 32));
  warm->add_option("--accept-encoding", accept_encoding_, "The Accept-Encoding to ask with");
  warm_ = warm;

  stats_ = AddCommand(app, "stats", "What every replica has served, and what it stores", kStatsExamples);
}

CLI::App* ReplicaCommands::AddCommand(CLI::App& app, const char* name, const char* help,
                                      const char* examples) {
  CLI::App* command = app.add_subcommand(name, help);
  command->fallthrough();
  command->footer(examples);
  AddFleetFlags(command);
  command->add_option("--replica", names_, "Only this replica of the fleet file; may be repeated")
      ->take_all()
      ->expected(1);
  return command;
}

void ReplicaCommands::AddFleetFlags(CLI::App* command) {
  command
      ->add_option("--timeout", timeout_s_,
                   fmt::format("Seconds to wait for all replicas together; {} ({} for warm) if not given",
                               kTimeout.count(), kWarmTimeout.count()))
      ->check(CLI::Range(1, 3600));
}

void ReplicaCommands::AddDirect(CLI::App* drain, CLI::App* undrain, const std::string* replica) {
  for (CLI::App* command : {drain, undrain}) {
    command->add_flag(
        "--direct", direct_,
        "Tell the replica's httpserver itself (every one, without a name), not the director: it\n"
        "reports itself unhealthy to all directors and ends connections; until a restart");
    AddFleetFlags(command);
  }
  drain_ = drain;
  undrain_ = undrain;
  drained_replica_ = replica;
}

bool ReplicaCommands::asked() const {
  return *purge_ || *warm_ || *stats_ || (direct_ && (*drain_ || *undrain_));
}

absl::StatusOr<std::vector<Replica>> ReplicasOf(const v1::FleetConfig& fleet) {
  const auto credentials = CallerCredentials::For(SecurityFrom(fleet.control(), /*insecure=*/false));
  if (!credentials.ok()) return credentials.status();
  std::vector<Replica> replicas;
  for (const auto& replica : fleet.replica()) {
    replicas.push_back(
        {replica.name(), v1::Replica::NewStub(ControlChannel(ControlEndpoint(replica), *credentials))});
  }
  return replicas;
}

absl::StatusOr<std::vector<Replica>> ReplicaCommands::Chosen(const v1::FleetConfig& fleet) const {
  auto replicas = ReplicasOf(fleet);
  if (!replicas.ok()) return replicas.status();
  std::vector<std::string> wanted = names_;
  if (direct_ && !drained_replica_->empty()) wanted.push_back(*drained_replica_);
  for (const std::string& name : wanted) {
    const auto has_name = [&](const Replica& replica) { return replica.name == name; };
    if (std::none_of(replicas->begin(), replicas->end(), has_name))
      return absl::NotFoundError(fmt::format("no replica \"{}\" in the fleet file", name));
  }
  if (!wanted.empty()) {
    std::erase_if(*replicas, [&](const Replica& replica) {
      return std::find(wanted.begin(), wanted.end(), replica.name) == wanted.end();
    });
  }
  if (replicas->empty()) return absl::NotFoundError("the fleet file has no replica");
  return replicas;
}

absl::StatusOr<Report> ReplicaCommands::Run(const v1::FleetConfig& fleet, Format format) const {
  const auto replicas = Chosen(fleet);
  if (!replicas.ok()) return replicas.status();
  const auto standard = *warm_ ? kWarmTimeout : kTimeout;
  const Ask ask{.timeout = timeout_s_ > 0 ? std::chrono::seconds(timeout_s_) : standard, .format = format};
  if (*purge_) return RunPurge(*replicas, ask);
  if (*warm_) return RunWarm(*replicas, ask);
  if (*stats_) return Stats(*replicas, ask);
  return DrainDirectly(*replicas, /*resume=*/undrain_->parsed(), ask);
}

absl::StatusOr<Report> ReplicaCommands::RunPurge(const std::vector<Replica>& replicas, const Ask& ask) const {
  if (urls_.empty() && prefixes_.empty() && tags_.empty() && !everything_)
    return absl::InvalidArgumentError("nothing to purge: name URLs, --prefix, --tag or --all");
  absl::Status status = CheckUrls(urls_);
  status.Update(CheckUrls(prefixes_));
  status.Update(CheckUrls(tags_));
  if (!status.ok()) return status;
  v1::PurgeRequest request;
  for (const std::string& url : urls_) request.add_urls(url);
  for (const std::string& prefix : prefixes_) request.add_prefixes(prefix);
  for (const std::string& tag : tags_) request.add_tags(tag);
  request.set_everything(everything_);
  request.set_soft(soft_);
  return Purge(replicas, request, ask);
}

absl::StatusOr<Report> ReplicaCommands::RunWarm(const std::vector<Replica>& replicas, const Ask& ask) const {
  std::vector<std::string> urls = urls_;
  if (!file_.empty()) {
    const auto more = ReadUrls(file_);
    if (!more.ok()) return more.status();
    urls.insert(urls.end(), more->begin(), more->end());
  }
  if (absl::Status status = CheckUrls(urls); !status.ok()) return status;
  v1::WarmRequest request;
  for (const std::string& url : urls) request.add_urls(url);
  if (request.urls_size() == 0)
    return absl::InvalidArgumentError("nothing to warm: name URLs, or a --file of them");
  request.set_concurrency(concurrency_);
  request.set_accept_encoding(accept_encoding_);
  return Warm(replicas, request, ask);
}

}  // namespace perigee::cdnctl
