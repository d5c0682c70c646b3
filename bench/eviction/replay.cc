// Replays a trace of requests through the cache's own index, under every eviction policy and budget asked
// for. The trace comes on standard input: a line for each request, with time, object and size in bytes; the
// time is not looked at. Prints a JSON object a line. See --help.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "services/replica/cache/index.h"

namespace perigee::replica {
namespace {

struct Request {
  std::string key;
  uint64_t bytes;
};

struct Counts {
  uint64_t requests = 0, hits = 0, bytes = 0, hit_bytes = 0, objects = 0;
  double cpu_seconds = 0;
};

std::vector<Request> ReadTrace(std::FILE* file) {
  std::vector<Request> trace;
  unsigned long long object = 0, bytes = 0;
  int fields = 0;
  while ((fields = std::fscanf(file, "%*s %llu %llu", &object, &bytes)) == 2) {
    trace.push_back({std::to_string(object), bytes});
  }
  if (fields != EOF || trace.empty()) {
    fmt::print(stderr, "eviction_replay: line {}: want time, object and bytes\n", trace.size() + 1);
    std::exit(2);
  }
  return trace;
}

std::unique_ptr<Index> EmptyIndex(uint64_t budget, Eviction eviction) {
  return std::make_unique<Index>(budget, Index::Most{1, 1}, MakeEvictionPolicy(eviction),
                                 [](Entry&, uint64_t) { return uint64_t{0}; });
}

// What a restart keeps: the objects with their hits, in the order of storing.
std::unique_ptr<Index> Restarted(Index& before, Eviction eviction) {
  std::vector<Entry*> entries;
  before.ForEach([&](Entry& entry) { entries.push_back(&entry); });
  std::sort(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) { return a->id < b->id; });
  auto index = EmptyIndex(before.budget(), eviction);
  for (const Entry* entry : entries) {
    Entry loaded;
    loaded.id = entry->id;
    loaded.bytes = entry->bytes;
    loaded.hits = entry->hits;
    index->AddUnchecked(*entry->key, std::move(loaded));
  }
  index->EvictToBudget();
  return index;
}

// Returns whether it was a hit.
bool Ask(Index& index, const Request& request, ObjectId id) {
  if (Entry* found = index.Find(request.key, {})) {
    index.Hit(*found);
    return true;
  }
  if (!index.Fits(request.bytes)) return false;
  Entry entry;
  entry.id = id;
  entry.bytes = request.bytes;
  index.Add(request.key, std::move(entry));
  return false;
}

Counts Replay(const std::vector<Request>& trace, uint64_t budget, Eviction eviction, uint64_t restart_every) {
  auto index = EmptyIndex(budget, eviction);
  Counts counts;
  const std::clock_t start = std::clock();
  for (const Request& request : trace) {
    const bool hit = Ask(*index, request, ++counts.requests);
    if (index->bytes() > budget) std::abort();
    counts.bytes += request.bytes;
    if (hit) {
      ++counts.hits;
      counts.hit_bytes += request.bytes;
    }
    if (restart_every > 0 && counts.requests % restart_every == 0) index = Restarted(*index, eviction);
  }
  counts.cpu_seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  counts.objects = index->size();
  return counts;
}

int Main(int argc, char** argv) {
  CLI::App app("Replays a trace through the index of httpserver's cache");
  std::vector<uint64_t> budgets = {10'000'000};
  std::vector<std::string> policies;
  uint64_t restart_every = 0;
  for (const Eviction eviction : kEveryEviction) policies.emplace_back(Name(eviction));
  app.add_option("--budget", budgets, "In bytes")->capture_default_str();
  app.add_option("--policy", policies, "Names as --eviction of httpserver has them")
      ->check(CLI::IsMember(policies))
      ->capture_default_str();
  app.add_option("--restart-every", restart_every, "Load the cache anew after so many requests; 0: never");
  CLI11_PARSE(app, argc, argv);
  const std::vector<Request> trace = ReadTrace(stdin);
  for (const uint64_t budget : budgets) {
    for (const std::string& policy : policies) {
      const Counts counts = Replay(trace, budget, *ParseEviction(policy), restart_every);
      const auto requests = static_cast<double>(counts.requests);
      fmt::print(
          R"({{"policy": "{}", "default": {}, "budget": {}, "requests": {}, "objects": {}, )"
          R"("object_hits": {:.5f}, "byte_hits": {:.5f}, "ns": {:.0f}}})"
          "\n",
          policy, policy == Name(kDefaultEviction), budget, counts.requests, counts.objects,
          static_cast<double>(counts.hits) / requests,
          static_cast<double>(counts.hit_bytes) / static_cast<double>(std::max<uint64_t>(1, counts.bytes)),
          counts.cpu_seconds * 1e9 / requests);
    }
  }
  return 0;
}

}  // namespace
}  // namespace perigee::replica

int main(int argc, char** argv) { return perigee::replica::Main(argc, argv); }
