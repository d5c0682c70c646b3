#include "bench/dns/query_maker.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace perigee::bench {
namespace {

constexpr uint8_t kClientSubnet = 8;
constexpr uint8_t kCookie = 10;
constexpr std::array<uint8_t, 12> kHeader = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1};
constexpr std::array<uint8_t, 4> kAInternet = {0, 1, 0, 1};
constexpr std::array<uint8_t, 11> kOpt = {0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0};

}  // namespace

QueryMaker::QueryMaker(const QueryOptions& options) : options_(options) {
  bytes_.assign(kHeader.begin(), kHeader.end());
  AppendName(options.name);
  bytes_.insert(bytes_.end(), kAInternet.begin(), kAInternet.end());
  const size_t opt_at = bytes_.size();
  bytes_.insert(bytes_.end(), kOpt.begin(), kOpt.end());
  if (options.first_octet != 0) {
    AppendOption(kClientSubnet, std::array<uint8_t, 7>{0, 1, 24, 0});
    network_at_ = bytes_.size() - 3;
  }
  if (options.cookie) AppendOption(kCookie, std::array<uint8_t, 8>{1, 2, 3, 4, 5, 6, 7, 8});
  bytes_[opt_at + kOpt.size() - 1] = static_cast<uint8_t>(bytes_.size() - opt_at - kOpt.size());
}

void QueryMaker::AppendName(std::string_view name) {
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    bytes_.push_back(static_cast<uint8_t>(label.size()));
    bytes_.insert(bytes_.end(), label.begin(), label.end());
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  bytes_.push_back(0);
}

void QueryMaker::AppendOption(uint16_t code, std::span<const uint8_t> value) {
  bytes_.insert(bytes_.end(), {0, static_cast<uint8_t>(code), 0, static_cast<uint8_t>(value.size())});
  bytes_.insert(bytes_.end(), value.begin(), value.end());
}

void QueryMaker::Write(uint64_t sequence, uint8_t* out) const {
  std::memcpy(out, bytes_.data(), bytes_.size());
  out[0] = static_cast<uint8_t>(sequence >> 8);
  out[1] = static_cast<uint8_t>(sequence);
  if (network_at_ == 0) return;
  const uint64_t client = (options_.first_client + sequence) % options_.clients;
  out[network_at_] = static_cast<uint8_t>(options_.first_octet + (client >> 16));
  out[network_at_ + 1] = static_cast<uint8_t>(client >> 8);
  out[network_at_ + 2] = static_cast<uint8_t>(client);
}

}  // namespace perigee::bench
