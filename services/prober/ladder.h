// The ladder: which rung is tried when, and when a measurement is over. Pure: what happened goes in, what to
// do comes out. All times are those of one steady clock.
//
// ICMP echo starts at once. TCP connects to a few ports start `tcp_stagger` later, while ICMP is still waited
// for, and the first rung to answer wins. When neither has answered another `hop_stagger` later, all echoes
// being sent, the last hop that answers is looked for (last_hop.h): not a measurement but a floor, with which
// the client that nothing else reaches is known to be at least so far. Should the client itself answer one of
// the datagrams, that is a round trip to it.
//
// With several probes the ICMP rung tells its samples only at its end, so an answer on another rung is kept
// until ICMP had a fair chance: all its echoes sent, and the time that the other showed a round trip to take.
// Nothing by `silent_at`: SILENT.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lib/base/clock.h"
#include "services/prober/last_hop.h"

namespace perigee {

// How a round-trip time was learned; the words of prober.proto.
enum class ProbeMethod { kIcmpEcho, kTcpSyn, kUdpPort, kLastHop, kSilent };

struct Measurement {
  ProbeMethod method = ProbeMethod::kSilent;
  std::vector<Rtt> rtts;  // in the order of sending; empty when silent
  uint32_t sent = 0;      // on that rung, or on all when silent
  // Who answered a datagram: the hop whose round trip is the floor (kLastHop), or the client (kUdpPort).
  std::optional<HopReply> hop = std::nullopt;
};

// Between the echo requests of one measurement.
inline constexpr std::chrono::milliseconds kEchoSpacing{100};
// What an answer on another rung leaves ICMP beyond the round trip that it showed.
inline constexpr std::chrono::milliseconds kIcmpSlack{100};
// A halted scamper task tells what it saw within a millisecond; this is when it is no longer waited for.
inline constexpr std::chrono::milliseconds kHaltGrace{50};

// Late enough that a client 250 ms away that answers has done so before anybody looks for its last hop.
inline constexpr std::chrono::milliseconds kHopStagger{190};

struct LadderPlan {
  uint32_t probes = 1;
  uint32_t ports = 3;
  std::chrono::milliseconds tcp_stagger{60};
  std::chrono::milliseconds hop_stagger = kHopStagger;
  std::optional<uint8_t> last_hop;  // the time to live of the one that answered last time
};

class Ladder {
 public:
  // What the owner is to do, besides calling OnTimer at `wake`.
  struct Actions {
    bool start_tcp = false;
    std::vector<uint8_t> hops;  // times to live to send datagrams with, and to say so by OnHopsSent
    bool halt_icmp = false;
  };

  // ICMP echo starts at `start`.
  Ladder(const LadderPlan& plan, MonoTime start, MonoTime silent_at);

  // The ICMP rung has ended: `sent` echo requests, these answers. Failed to start: nothing sent, no answers.
  Actions OnIcmpEnd(uint32_t sent, std::vector<Rtt> rtts, MonoTime now);
  // One port answered, this long after its own start.
  Actions OnTcpAnswer(Rtt rtt, MonoTime now);
  // The TCP rung has ended: nothing more will come from it.
  Actions OnTcpEnd(MonoTime now);
  // So many more datagrams have been sent to find the last hop: 0 when none may or can be.
  Actions OnHopsSent(uint32_t sent, MonoTime now);
  // A router answered one of them, or the client.
  Actions OnHopReply(const HopReply& reply, MonoTime now);
  Actions OnClientReply(const HopReply& reply, MonoTime now);
  Actions OnTimer(MonoTime now);

  // A caller with more patience has joined. No effect when `silent_at` is earlier.
  void Extend(MonoTime silent_at);

  // Set once the measurement is over. Further events change nothing.
  const std::optional<Measurement>& result() const { return result_; }
  // When OnTimer is due.
  MonoTime wake() const;
  // What is known as of now, for a caller whose deadline comes first; never an echo's or a port's answer,
  // which would have been the result.
  Measurement SoFar() const;
  uint32_t packets_sent() const { return icmp_sent_ + (tcp_started_ ? plan_.ports : 0) + hops_sent_; }

 private:
  Actions Decide(MonoTime now);
  std::optional<Measurement> BelowIcmp() const;
  MonoTime VerdictDue(const Measurement& below) const;
  MonoTime HopsDue() const;
  std::vector<uint8_t> HopsToSend(MonoTime now);
  bool NothingIsLeft(MonoTime now) const;

  const LadderPlan plan_;
  const MonoTime start_;
  MonoTime silent_at_;
  std::optional<MonoTime> halted_at_;
  bool tcp_started_ = false;
  bool tcp_ended_ = false;
  bool icmp_ended_ = false;
  uint32_t icmp_sent_;
  std::vector<Rtt> icmp_rtts_;
  std::vector<Rtt> tcp_rtts_;
  uint32_t hops_sent_ = 0;
  HopSearch hops_;
  bool hops_failed_ = false;  // to start
  std::optional<HopReply> client_reply_;
  std::optional<Measurement> result_;
};

}  // namespace perigee
