// The command line of httpserver.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/program/program.h"
#include "services/replica/cache/cache.h"
#include "services/replica/limits.h"

namespace CLI {
class App;
}

namespace perigee::replica {

// The flags as given. What is empty or 0 was not: then the fleet file or the default counts.
struct Flags {
  uint16_t port = 0;
  std::string origin, origin_ca;
  std::string config;
  std::vector<std::string> listen;
  std::string control = "127.0.0.1:4302";
  bool insecure_control = false;
  std::string cache;
  uint64_t cache_bytes = 0;
  uint64_t memory_bytes = 0;
  std::string eviction;
  bool store_set_cookie = false;
  std::optional<uint32_t> negative_ttl_seconds;
  int threads = 0;
  uint64_t max_object_bytes = 0;
  uint64_t max_objects = CacheOptions().max_objects;
  uint64_t large_object_bytes = CacheOptions().large_object_bytes;
  std::chrono::milliseconds disk_retry = CacheOptions().disk_retry;
  std::string metrics_listen;
  std::string access_log, access_log_format;
  std::vector<std::string> served_names;
  std::string user, group;
  int replace = 0;  // a process
  LogFlags log;
  std::chrono::milliseconds grace{10'000};
  Limits limits;
};

// Declares every flag, with its help. `flags` must outlive the parsing.
void AddFlags(CLI::App* app, Flags* flags);

}  // namespace perigee::replica
