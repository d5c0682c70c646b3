// Numbers of the DNS protocol, from IANA's registries. Types and classes that have no name here are as valid
// as those that have: an enum may hold any value of its width (RFC 3597).
#pragma once

#include <cstddef>
#include <cstdint>

namespace perigee::dns {

enum class RrType : uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kHinfo = 13,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kNaptr = 35,
  kDname = 39,
  kOpt = 41,
  kDs = 43,
  kSshfp = 44,
  kRrsig = 46,
  kNsec = 47,
  kDnskey = 48,
  kNsec3 = 50,
  kNsec3Param = 51,
  kTlsa = 52,
  kCds = 59,
  kCdnskey = 60,
  kSvcb = 64,
  kHttps = 65,
  kTkey = 249,
  kTsig = 250,
  kIxfr = 251,
  kAxfr = 252,
  kMailb = 253,
  kMaila = 254,
  kAny = 255,
  kUri = 256,
  kCaa = 257,
};

enum class RrClass : uint16_t { kIn = 1, kChaos = 3, kNone = 254, kAny = 255 };

enum class Opcode : uint8_t { kQuery = 0, kIquery = 1, kStatus = 2, kNotify = 4, kUpdate = 5, kDso = 6 };

enum class OptionCode : uint16_t {
  kNsid = 3,           // RFC 5001
  kClientSubnet = 8,   // RFC 7871
  kCookie = 10,        // RFC 7873
  kTcpKeepalive = 11,  // RFC 7828
  kPadding = 12,       // RFC 7830
};

// Of a client subnet (RFC 7871 §6). kNone comes with a source prefix of 0 only: it says nothing.
enum class AddressFamily : uint16_t { kNone = 0, kV4 = 1, kV6 = 2 };

// The extended, 12-bit code of RFC 6891 §6.1.3: the low four bits travel in the header, the others in OPT.
enum class Rcode : uint16_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kYxDomain = 6,  // a DNAME made a name too long (RFC 6672 §2.2)
  kNotAuth = 9,
  kBadVers = 16,
  kBadCookie = 23,  // RFC 7873 §5.2.3
};

// Header flags (RFC 1035 §4.1.1, RFC 4035 §3). Z is the reserved bit.
inline constexpr uint16_t kFlagQr = 0x8000;
inline constexpr uint16_t kFlagAa = 0x0400;
inline constexpr uint16_t kFlagTc = 0x0200;
inline constexpr uint16_t kFlagRd = 0x0100;
inline constexpr uint16_t kFlagRa = 0x0080;
inline constexpr uint16_t kFlagZ = 0x0040;
inline constexpr uint16_t kFlagAd = 0x0020;
inline constexpr uint16_t kFlagCd = 0x0010;
inline constexpr int kOpcodeShift = 11;

// Sizes in octets.
inline constexpr size_t kHeaderSize = 12;
inline constexpr size_t kMaxNameSize = 255;  // on the wire, with the root's octet (RFC 1035 §2.3.4)
inline constexpr size_t kMaxLabelSize = 63;
inline constexpr size_t kMaxQuestionSize = kMaxNameSize + 4;
inline constexpr size_t kOptSize = 11;  // an OPT record without options
inline constexpr size_t kOptionHeaderSize = 4;
inline constexpr size_t kClientCookieSize = 8;  // RFC 7873 §4.1
inline constexpr size_t kMinServerCookieSize = 8;
inline constexpr size_t kMaxServerCookieSize = 32;
inline constexpr size_t kFullCookieSize = 24;  // the client's 8 and the 16 that RFC 9018 servers give
inline constexpr size_t kPlainUdpLimit = 512;  // without EDNS
inline constexpr size_t kEdnsUdpLimit = 1232;  // what fits any IPv6 path unfragmented; advertised and obeyed
inline constexpr size_t kTcpLimit = 65535;

}  // namespace perigee::dns
