#include "services/dns/guard/cookies.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace perigee::dns {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::string_view kSecret = "e5e973e5a6b2a43f48e7dc849e37bfcf";
constexpr std::string_view kSecretBefore = "dd3bdf9344b678b185a6f5cb60fca715";
constexpr std::string_view kSecretAfter = "445536bcd2513298075a5d379663c962";
constexpr std::string_view kBare = "2464c4abcf10c957";

WallTime At(int64_t timestamp) { return WallTime(seconds(timestamp)); }
const WallTime kNow = At(1'559'731'985);

IpAddress Ip(std::string_view text) { return IpAddress::Parse(text).value(); }
const IpAddress kClient = Ip("198.51.100.100");

CookieMaker Maker(std::string_view secrets) {
  return CookieMaker(ParseCookieSecrets(secrets, "cookies").value());
}

CookieMaker Maker(std::string_view first, std::string_view second) {
  return Maker(fmt::format("{}\n{}\n", first, second));
}

// A COOKIE option in hexadecimal, as a query carries it.
Cookie Asked(std::string_view hex) {
  std::array<uint8_t, 40> octets{};
  for (size_t i = 0; i < hex.size() / 2; ++i) {
    std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, octets[i], 16);
  }
  Cookie cookie;
  std::copy_n(octets.begin(), 8, cookie.client.begin());
  std::copy_n(octets.begin() + 8, 32, cookie.server.begin());
  cookie.server_size = static_cast<uint8_t>(hex.size() / 2 - 8);
  return cookie;
}

std::string Hex(const FullCookie& cookie) { return fmt::format("{:02x}", fmt::join(cookie, "")); }

Cookie AskedAgain(const FullCookie& cookie) { return Asked(Hex(cookie)); }

TEST(CookieTest, LearnsANewServerCookieAsInRfc9018A1) {
  EXPECT_EQ(Hex(Maker(kSecret).AnswerTo(Asked(kBare), kClient, kNow)),
            "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
}

TEST(CookieTest, RenewsAnOldServerCookieAsInRfc9018A2) {
  const Cookie asked = Asked("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  EXPECT_TRUE(Maker(kSecret).IsValid(asked, kClient, At(1'559'734'385)));
  EXPECT_EQ(Hex(Maker(kSecret).AnswerTo(asked, kClient, At(1'559'734'385))),
            "2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
}

// The appendix accepts a cookie of almost two hours; here its hash is checked while it is young.
TEST(CookieTest, AcceptsReservedOctetsAndRenewsWithoutThemAsInRfc9018A3) {
  const Cookie asked = Asked("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
  const IpAddress client = Ip("203.0.113.203");
  EXPECT_TRUE(Maker(kSecret).IsValid(asked, client, At(1'559'728'000)));
  EXPECT_EQ(Hex(Maker(kSecret).AnswerTo(asked, client, At(1'559'734'700))),
            "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
}

TEST(CookieTest, AcceptsThePreviousSecretAndRenewsWithTheFirstAsInRfc9018A4) {
  const Cookie asked = Asked("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
  const IpAddress client = Ip("2001:db8:220:1:59de:d0f4:8769:82b8");
  const CookieMaker maker = Maker(kSecretAfter, kSecretBefore);
  EXPECT_TRUE(maker.IsValid(asked, client, At(1'559'741'961)));
  EXPECT_EQ(Hex(maker.AnswerTo(asked, client, At(1'559'741'961))),
            "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
  EXPECT_FALSE(Maker(kSecretAfter).IsValid(asked, client, At(1'559'741'961)));
}

TEST(CookieTest, IsValidForAnHourAndFiveMinutesAhead) {
  const CookieMaker maker = Maker(kSecret);
  const Cookie cookie = AskedAgain(maker.AnswerTo(Asked(kBare), kClient, kNow));
  EXPECT_TRUE(maker.IsValid(cookie, kClient, kNow + kCookieLifetime));
  EXPECT_FALSE(maker.IsValid(cookie, kClient, kNow + kCookieLifetime + seconds(1)));
  EXPECT_TRUE(maker.IsValid(cookie, kClient, kNow - kCookieMaxAhead));
  EXPECT_FALSE(maker.IsValid(cookie, kClient, kNow - kCookieMaxAhead - seconds(1)));
}

TEST(CookieTest, GoesOnWhenTheTimestampWrapsIn2106) {
  const CookieMaker maker = Maker(kSecret);
  const WallTime before = At((int64_t{1} << 32) - 10);
  const Cookie cookie = AskedAgain(maker.AnswerTo(Asked(kBare), kClient, before));
  EXPECT_TRUE(maker.IsValid(cookie, kClient, before + minutes(1)));
  EXPECT_FALSE(maker.IsValid(cookie, kClient, before + kCookieLifetime + seconds(1)));
}

TEST(CookieTest, ComesBackAsItWasForHalfAnHour) {
  const CookieMaker maker = Maker(kSecret);
  const FullCookie cookie = maker.AnswerTo(Asked(kBare), kClient, kNow);
  const WallTime renewed = kNow + kCookieRenewAfter;
  EXPECT_EQ(maker.AnswerTo(AskedAgain(cookie), kClient, renewed - seconds(1)), cookie);
  EXPECT_EQ(maker.AnswerTo(AskedAgain(cookie), kClient, renewed),
            maker.AnswerTo(Asked(kBare), kClient, renewed));
}

TEST(CookieTest, TooFarAheadIsMadeAnew) {
  const CookieMaker maker = Maker(kSecret);
  const FullCookie ahead = maker.AnswerTo(Asked(kBare), kClient, kNow + kCookieMaxAhead + seconds(1));
  EXPECT_EQ(maker.AnswerTo(AskedAgain(ahead), kClient, kNow), maker.AnswerTo(Asked(kBare), kClient, kNow));
}

TEST(CookieTest, AnyChangedBitMakesItInvalid) {
  const CookieMaker maker = Maker(kSecret);
  const FullCookie cookie = maker.AnswerTo(Asked(kBare), kClient, kNow);
  for (size_t bit = 0; bit < 8 * cookie.size(); ++bit) {
    FullCookie changed = cookie;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(maker.IsValid(AskedAgain(changed), kClient, kNow)) << "bit " << bit;
  }
}

TEST(CookieTest, ForgedCookieIsNotGivenBack) {
  const CookieMaker maker = Maker(kSecret);
  FullCookie forged = maker.AnswerTo(Asked(kBare), kClient, kNow);
  const FullCookie good = forged;
  forged.back() ^= 1;
  EXPECT_EQ(maker.AnswerTo(AskedAgain(forged), kClient, kNow), good);
}

TEST(CookieTest, IsBoundToTheClientsAddress) {
  const CookieMaker maker = Maker(kSecret);
  const Cookie cookie = AskedAgain(maker.AnswerTo(Asked(kBare), kClient, kNow));
  EXPECT_TRUE(maker.IsValid(cookie, kClient, kNow));
  EXPECT_FALSE(maker.IsValid(cookie, Ip("198.51.100.101"), kNow));
  EXPECT_FALSE(maker.IsValid(cookie, Ip("2001:db8::1"), kNow));
}

TEST(CookieTest, ServerPartOfAnotherLengthIsInvalid) {
  const CookieMaker maker = Maker(kSecret);
  Cookie cookie = AskedAgain(maker.AnswerTo(Asked(kBare), kClient, kNow));
  for (const uint8_t size : {0, 8, 15, 17, 32}) {
    cookie.server_size = size;
    EXPECT_FALSE(maker.IsValid(cookie, kClient, kNow)) << int{size};
  }
}

TEST(CookieSecretsTest, TakesOneOrTwoLinesWithOrWithoutAnEnd) {
  EXPECT_THAT(ParseCookieSecrets(kSecret, "f").value(), SizeIs(1));
  EXPECT_THAT(ParseCookieSecrets(fmt::format("{}\r\n{}\r\n", kSecret, kSecretAfter), "f").value(), SizeIs(2));
  EXPECT_EQ(ParseCookieSecrets("E5E973E5A6B2A43F48E7DC849E37BFCF", "f").value(),
            ParseCookieSecrets(kSecret, "f").value());
}

std::string ErrorOf(std::string_view text) {
  return std::string(ParseCookieSecrets(text, "/etc/cookies").status().message());
}

TEST(CookieSecretsTest, SaysWhichLineIsWrongWithoutShowingIt) {
  const std::string not_hex(kSecret.substr(1));
  EXPECT_THAT(
      ErrorOf(fmt::format("{}\n{}x\n", kSecret, not_hex)),
      AllOf(HasSubstr("/etc/cookies:2: "), HasSubstr("32 hexadecimal digits"), Not(HasSubstr(not_hex))));
  EXPECT_THAT(ErrorOf(not_hex), HasSubstr("/etc/cookies:1: "));
  EXPECT_THAT(ErrorOf(fmt::format("{}00", kSecret)), HasSubstr("/etc/cookies:1: "));
  EXPECT_THAT(ErrorOf(fmt::format("\n{}", kSecret)), HasSubstr("/etc/cookies:1: "));
  EXPECT_THAT(ErrorOf(fmt::format("+{}", not_hex)), HasSubstr("/etc/cookies:1: "));
  EXPECT_THAT(ErrorOf(""), HasSubstr("/etc/cookies:1: no cookie secret"));
}

TEST(CookieSecretsTest, RefusesOneMoreThanTheLimit) {
  std::string text;
  for (size_t i = 0; i < kMaxCookieSecrets; ++i) text += fmt::format("{}\n", kSecret);
  EXPECT_THAT(ParseCookieSecrets(text, "f").value(), SizeIs(kMaxCookieSecrets));
  EXPECT_THAT(ErrorOf(text + std::string(kSecret)), HasSubstr("/etc/cookies:3: more than 2"));
}

TEST(CookieSecretsTest, RandomOnesDiffer) { EXPECT_NE(RandomCookieSecret(), RandomCookieSecret()); }

}  // namespace
}  // namespace perigee::dns
