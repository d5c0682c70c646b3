// Request smuggling: what two servers could read differently (RFC 9112 §11.2) is refused by the real server
// on a real socket, and the bytes behind it are never a request.
#include <mutex>

#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

struct Attack {
  const char* name;
  std::string bytes;
  int status = 400;
};
// Names them in what googletest says of a failure.
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

const std::string kHost = "Host: cdn.test\r\n";
const std::string kHead = "GET /a HTTP/1.1\r\n" + kHost;
const std::string kPost = "POST /a HTTP/1.1\r\n" + kHost;
const std::string kChunked = "Transfer-Encoding: chunked\r\n";
const std::string kEnd = "0\r\n\r\n";
// What every attack would like to see answered.
const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: cdn.test\r\n\r\n";
const std::string kNul(1, '\0');

// Keeps all that it is sent, and answers nothing.
class RecordingOrigin {
 public:
  ScriptedOrigin::Script Script() {
    return [this](const std::string& head, TestSocket& socket) {
      const std::string rest = socket.ReadAll();
      const std::lock_guard lock(mutex_);
      seen_ += head + rest;
      return false;
    };
  }
  std::string seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  mutable std::mutex mutex_;
  std::string seen_;
};

class SmugglingTest : public ServerTest, public ::testing::WithParamInterface<Attack> {
 protected:
  // The one answer; then the connection must be at its end.
  TestResponse Refused() {
    Start(recording_.Script());
    TestSocket client = TestSocket::ConnectTo(port());
    client.Send(GetParam().bytes + kSmuggled);
    TestResponse response = ReadResponse(client);
    EXPECT_EQ(response.Field("Connection"), "close");
    EXPECT_TRUE(client.AtEnd());
    server_.reset();
    origin_->Stop();  // now it has seen all that it was sent
    return response;
  }

  RecordingOrigin recording_;
};

std::string NameOf(const ::testing::TestParamInfo<Attack>& info) { return info.param.name; }

// --- Refused by its head: the origin sees nothing ---

class HeadSmugglingTest : public SmugglingTest {};

TEST_P(HeadSmugglingTest, IsRefusedAndClosedAndTheOriginSeesNothing) {
  EXPECT_EQ(Refused().status, GetParam().status);
  EXPECT_EQ(origin_->connections(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    TwoLengths, HeadSmugglingTest,
    ::testing::Values(
        Attack{"ClTe", kPost + "Content-Length: 5\r\n" + kChunked + "\r\n" + kEnd},
        Attack{"TeCl", kPost + kChunked + "Content-Length: 5\r\n\r\n" + kEnd},
        Attack{"ClZeroTe", kPost + "Content-Length: 0\r\n" + kChunked + "\r\n" + kEnd},
        Attack{"TeTe", kPost + kChunked + kChunked + "\r\n" + kEnd},
        Attack{"TeTeIdentity", kPost + kChunked + "Transfer-Encoding: identity\r\n\r\n" + kEnd},
        Attack{"TeIdentityTe", kPost + "Transfer-Encoding: identity\r\n" + kChunked + "\r\n" + kEnd},
        Attack{"TeXchunked", kPost + "Transfer-Encoding: xchunked\r\n\r\n" + kEnd},
        Attack{"TeChunkedIdentity", kPost + "Transfer-Encoding: chunked, identity\r\n\r\n" + kEnd},
        Attack{"TeChunkedChunked", kPost + "Transfer-Encoding: chunked, chunked\r\n\r\n" + kEnd},
        Attack{"TeChunkedParameter", kPost + "Transfer-Encoding: chunked;q=1\r\n\r\n" + kEnd},
        Attack{"TeQuoted", kPost + "Transfer-Encoding: \"chunked\"\r\n\r\n" + kEnd},
        Attack{"TeIdentity", kPost + "Transfer-Encoding: identity\r\n\r\n" + kEnd},
        Attack{"TeEmpty", kPost + "Transfer-Encoding:\r\n\r\n" + kEnd},
        Attack{"TeGzip", kPost + "Transfer-Encoding: gzip\r\n\r\n" + kEnd},
        Attack{"TeGzipChunked", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n" + kEnd, 501},
        Attack{"TeSpaceBeforeColon", kPost + "Transfer-Encoding : chunked\r\n\r\n" + kEnd},
        Attack{"TeTabBeforeColon", kPost + "Transfer-Encoding\t: chunked\r\n\r\n" + kEnd},
        Attack{"TeLeadingSpace", kPost + " Transfer-Encoding: chunked\r\n\r\n" + kEnd},
        Attack{"TeVerticalTab", kPost +
                                    "Transfer-Encoding: \x0b"
                                    "chunked\r\n\r\n" +
                                    kEnd},
        Attack{"TeFolded", kPost + "Transfer-Encoding:\r\n chunked\r\n\r\n" + kEnd},
        Attack{"TeBehindBareCr", kPost + "X: y\rTransfer-Encoding: chunked\r\n\r\n" + kEnd},
        Attack{"TeBehindBareLf", kPost + "X: y\nTransfer-Encoding: chunked\r\n\r\n" + kEnd},
        Attack{"TeInHttp10", "POST /a HTTP/1.0\r\n" + kHost + kChunked + "\r\n" + kEnd},
        Attack{"TeUnknownInHttp10", "POST /a HTTP/1.0\r\n" + kHost + "Transfer-Encoding: x\r\n\r\n" + kEnd},
        Attack{"ClTwiceTheSame", kPost + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
        Attack{"ClTwice", kPost + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
        Attack{"ClList", kPost + "Content-Length: 5, 5\r\n\r\nhello"},
        Attack{"ClPlus", kPost + "Content-Length: +5\r\n\r\nhello"},
        Attack{"ClMinus", kPost + "Content-Length: -5\r\n\r\nhello"},
        Attack{"ClHex", kPost + "Content-Length: 0x5\r\n\r\nhello"},
        Attack{"ClFraction", kPost + "Content-Length: 5.0\r\n\r\nhello"},
        Attack{"ClInnerSpace", kPost + "Content-Length: 1 5\r\n\r\nhello"},
        Attack{"ClEmpty", kPost + "Content-Length:\r\n\r\nhello"},
        Attack{"ClOverflow", kPost + "Content-Length: 18446744073709551616\r\n\r\nhello"},
        Attack{"ClOverflowToFive", kPost + "Content-Length: 18446744073709551621\r\n\r\nhello"},
        Attack{"ClSpaceBeforeColon", kPost + "Content-Length : 5\r\n\r\nhello"},
        Attack{"ClOfGetTwice", kHead + "Content-Length: 0\r\nContent-Length: 46\r\n\r\n"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Lines, HeadSmugglingTest,
    ::testing::Values(Attack{"ObsoleteFold", kHead + "X: a\r\n b\r\n\r\n"},
                      Attack{"ObsoleteFoldByTab", kHead + "X: a\r\n\tb\r\n\r\n"},
                      Attack{"SpaceBeforeFirstField", "GET /a HTTP/1.1\r\n " + kHost + "\r\n"},
                      Attack{"BareCrInValue", kHead + "X: a\rb\r\n\r\n"},
                      Attack{"BareLfInValue", kHead + "X: a\nb: c\r\n\r\n"},
                      Attack{"BareLfs", "GET /a HTTP/1.1\nHost: cdn.test\n\n"},
                      Attack{"BareLfAtTheEnd", kHead + "\n"}, Attack{"CrLfLf", kHead + "X: a\r\n\n"},
                      Attack{"NulInValue", kHead + "X: a" + kNul + "b\r\n\r\n"},
                      Attack{"NulInName", kHead + "X" + kNul + ": a\r\n\r\n"},
                      Attack{"ControlInValue", kHead + "X: a\x01"
                                                       "b\r\n\r\n"},
                      Attack{"DeleteInValue", kHead + "X: a\x7f"
                                                      "b\r\n\r\n"},
                      Attack{"SpaceBeforeColon", kHead + "X : a\r\n\r\n"},
                      Attack{"SpaceInName", kHead + "X Y: a\r\n\r\n"},
                      Attack{"EmptyName", kHead + ": a\r\n\r\n"}, Attack{"NoColon", kHead + "X\r\n\r\n"},
                      Attack{"NonAsciiName", kHead + "X\xc3\xa9: a\r\n\r\n"},
                      Attack{"CrAlone", "\rGET /a HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"LfFirst", "\nGET /a HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"SpaceFirst", " GET /a HTTP/1.1\r\n" + kHost + "\r\n"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    RequestLine, HeadSmugglingTest,
    ::testing::Values(Attack{"TwoSpaces", "GET  /a HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"TwoSpacesBeforeVersion", "GET /a  HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"SpaceBehindVersion", "GET /a HTTP/1.1 \r\n" + kHost + "\r\n"},
                      Attack{"Tab", "GET\t/a\tHTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"SpaceInTarget", "GET /a b HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"ControlInTarget", "GET /a\x01 HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"NulInTarget", "GET /a" + kNul + " HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"DeleteInTarget", "GET /a\x7f HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"NonAsciiInTarget", "GET /\xc3\xa9 HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"Fragment", "GET /a#b HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"NoTarget", "GET HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"Authority", "GET cdn.test HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"OtherScheme", "GET ftp://cdn.test/a HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"UserInTarget", "GET http://user@cdn.test/a HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"BadPortInTarget", "GET http://cdn.test:x/a HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"MethodIsNoToken", "GE(T /a HTTP/1.1\r\n" + kHost + "\r\n"},
                      Attack{"Http09", "GET /a\r\n\r\n"},
                      Attack{"LowerCaseVersion", "GET /a http/1.1\r\n" + kHost + "\r\n"},
                      Attack{"LongVersion", "GET /a HTTP/1.10\r\n" + kHost + "\r\n"},
                      Attack{"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
                      Attack{"Http3", "GET /a HTTP/3.0\r\n" + kHost + "\r\n", 505},
                      Attack{"TlsHello", "\x16\x03\x01\x02\x01\x01\r\n\r\n"},
                      Attack{"NoHost", "GET /a HTTP/1.1\r\n\r\n"},
                      Attack{"TwoHosts", kHead + "Host: evil.test\r\n\r\n"},
                      Attack{"TheSameHostTwice", kHead + kHost + "\r\n"},
                      Attack{"HostList", "GET /a HTTP/1.1\r\nHost: cdn.test, evil.test\r\n\r\n"},
                      Attack{"HostWithUser", "GET /a HTTP/1.1\r\nHost: user@cdn.test\r\n\r\n"},
                      Attack{"HostWithPath", "GET /a HTTP/1.1\r\nHost: cdn.test/a\r\n\r\n"},
                      Attack{"HostWithBadPort", "GET /a HTTP/1.1\r\nHost: cdn.test:80x\r\n\r\n"},
                      Attack{"HostWithSpace", "GET /a HTTP/1.1\r\nHost: cdn.test evil.test\r\n\r\n"},
                      Attack{"NoHostBesideAbsoluteForm", "GET http://cdn.test/a HTTP/1.1\r\n\r\n"}),
    NameOf);

// --- Refused within its body: the origin may have begun to read it, but sees no second request ---

class BodySmugglingTest : public SmugglingTest {};

TEST_P(BodySmugglingTest, IsRefusedAndClosedAndNoFollowingByteIsARequest) {
  EXPECT_EQ(Refused().status, 400);
  EXPECT_LE(origin_->requests(), 1);
  EXPECT_THAT(recording_.seen(), Not(HasSubstr("smuggled")));
}

INSTANTIATE_TEST_SUITE_P(
    Chunks, BodySmugglingTest,
    ::testing::Values(Attack{"NoSize", kPost + kChunked + "\r\n\r\nhello\r\n" + kEnd},
                      Attack{"NoHex", kPost + kChunked + "\r\nx\r\nhello\r\n" + kEnd},
                      Attack{"Plus", kPost + kChunked + "\r\n+5\r\nhello\r\n" + kEnd},
                      Attack{"Minus", kPost + kChunked + "\r\n-5\r\nhello\r\n" + kEnd},
                      Attack{"HexPrefix", kPost + kChunked + "\r\n0x5\r\nhello\r\n" + kEnd},
                      Attack{"LeadingSpace", kPost + kChunked + "\r\n 5\r\nhello\r\n" + kEnd},
                      Attack{"TrailingSpace", kPost + kChunked + "\r\n5 \r\nhello\r\n" + kEnd},
                      Attack{"Underscore", kPost + kChunked + "\r\n0_5\r\nhello\r\n" + kEnd},
                      Attack{"Overflow", kPost + kChunked + "\r\n10000000000000005\r\nhello\r\n" + kEnd},
                      Attack{"BareLfBehindSize", kPost + kChunked + "\r\n5\nhello\r\n" + kEnd},
                      Attack{"BareCrBehindSize", kPost + kChunked + "\r\n5\rhello\r\n" + kEnd},
                      Attack{"NothingBehindData", kPost + kChunked + "\r\n5\r\nhello" + kEnd},
                      Attack{"BareLfBehindData", kPost + kChunked + "\r\n5\r\nhello\n" + kEnd},
                      Attack{"TooMuchData", kPost + kChunked + "\r\n5\r\nhello!\r\n" + kEnd},
                      Attack{"ExtensionIsNoToken", kPost + kChunked + "\r\n5;a(\r\nhello\r\n" + kEnd},
                      Attack{"BareLfInExtension", kPost + kChunked + "\r\n5;a\nb\r\nhello\r\n" + kEnd},
                      Attack{"BareCrInExtension", kPost + kChunked + "\r\n5;a\rb\r\nhello\r\n" + kEnd},
                      Attack{"LongExtension",
                             kPost + kChunked + "\r\n5;" + std::string(5'000, 'a') + "\r\nhello\r\n" + kEnd},
                      Attack{"EndlessExtension", kPost + kChunked + "\r\n5;" + std::string(200'000, 'a')},
                      Attack{"LengthInTrailer", kPost + kChunked + "\r\n0\r\nContent-Length: 46\r\n\r\n"},
                      Attack{"CodingInTrailer",
                             kPost + kChunked + "\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"},
                      Attack{"BareLfInTrailer", kPost + kChunked + "\r\n0\r\nX: a\nb: c\r\n\r\n"},
                      Attack{"NoColonInTrailer", kPost + kChunked + "\r\n0\r\nX\r\n\r\n"},
                      Attack{"GetWithBadChunk", kHead + kChunked + "\r\n5\nhello\r\n" + kEnd}),
    NameOf);

// --- What is no attack, though it looks like one ---

TEST_F(ServerTest, TheTargetsHostCountsAndNotTheHostField) {
  more_.served_names = *ServedNames::Parse({"cdn.test"});
  Start(Answer(Ok("hello")));
  EXPECT_EQ(Ask(port(), "GET http://cdn.test/a HTTP/1.1\r\nHost: evil.test\r\n\r\n").status, 200);
  EXPECT_EQ(Ask(port(), "GET http://evil.test/a HTTP/1.1\r\nHost: cdn.test\r\n\r\n").status, 421);
  EXPECT_THAT(origin_->last_head(), HasSubstr(fmt::format("Host: 127.0.0.1:{}\r\n", origin_->port())));
}

TEST_F(ServerTest, EmptyLinesBeforeARequestAreSkipped) {
  Start(Answer(Ok("hello")));
  EXPECT_EQ(Ask(port(), "\r\n\r\n" + Get("/a")).body, "hello");
}

TEST_F(ServerTest, ABodyIsNeverTheNextRequest) {
  Start([](const std::string& head, TestSocket& socket) {
    if (head.starts_with("POST")) socket.ReadBytes(kSmuggled.size());
    return socket.Send(Ok(head.substr(0, head.find(' ', 5)), kPrivate));
  });
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send(kPost + fmt::format("Content-Length: {}\r\n\r\n{}", kSmuggled.size(), kSmuggled) +
              Get("/next"));
  EXPECT_EQ(ReadResponse(client).body, "POST /a");
  EXPECT_EQ(ReadResponse(client).body, "GET /next");
}

// parser_test.cc has the rest of them.
TEST_F(ServerTest, TheOriginsAnswerMustHaveOneLengthToo) {
  limits_.failure_hold = milliseconds(0);
  Start(Answer(
      "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"));
  EXPECT_EQ(Fetch("/a").status, 502);
  origin_->SetScript(Answer(Ok("whole")));
  EXPECT_EQ(Fetch("/a").body, "whole") << "nothing of it was stored";
}

// --- Trailers (RFC 9110 §6.5.1: may be dropped, must not be merged unless their definition allows it) ---

TEST_F(ServerTest, TrailersAreDroppedInBothDirections) {
  std::string seen;
  Gate over;
  Start([&seen, over](const std::string& head, TestSocket& socket) {
    if (head.starts_with("POST")) {
      seen = head + socket.ReadUntil(kEnd);
      over.Open();
    }
    return socket.Send(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTrailer: X-Late\r\nTransfer-Encoding: "
        "chunked\r\n\r\n"
        "5\r\nhello\r\n0\r\nX-Late: 1\r\nCache-Control: no-store\r\nSet-Cookie: a=b\r\n\r\n");
  });
  EXPECT_EQ(Ask(port(), kPost + kChunked +
                            "Trailer: X-Late\r\n\r\n5\r\nhello\r\n0\r\nX-Late: 1\r\nHost: evil\r\n\r\n")
                .body,
            "hello");
  ASSERT_TRUE(over.Wait());
  EXPECT_THAT(seen, Not(HasSubstr("X-Late: 1")));
  EXPECT_THAT(seen, Not(HasSubstr("evil")));
  for (const char* expected : {"fwd=uri-miss", "hit"}) {
    const TestResponse response = Fetch("/b");
    EXPECT_EQ(response.body, "hello");
    EXPECT_THAT(response.Field("Cache-Status"), HasSubstr(expected)) << "no-store came too late to count";
    for (const char* late : {"X-Late", "Set-Cookie", "Trailer"}) EXPECT_EQ(response.Field(late), "") << late;
  }
}

}  // namespace
}  // namespace perigee::replica
