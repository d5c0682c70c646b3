#include "services/dns/generation/generation.h"

#include <fstream>

#include "gmock/gmock.h"
#include "lib/base/testing/files.h"
#include "services/dns/generation/generation_testing.h"
#include "services/dns/geography/testing/mmdb.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class ConfigureTest : public ::testing::Test {
 protected:
  absl::StatusOr<Configuration> Try(v1::FleetConfig fleet) {
    return Configure(std::move(fleet), {.folder = folder_.path()}, surroundings_);
  }
  absl::Status ErrorOf(std::string_view more) { return Try(FleetOf({"a", "b"}, more)).status(); }
  absl::Status ErrorOfSecrets(const std::string& text) {
    std::ofstream(folder_ / "secret") << text;
    return ErrorOf("dns { cookies { secret_file: 'secret' } }");
  }

  TemporaryFolder folder_;
  SystemClock clock_;
  boost::asio::io_context loop_;
  const Surroundings surroundings_{.clock = clock_, .loop = loop_, .process_secrets = {RandomCookieSecret()}};
};

TEST_F(ConfigureTest, MakesAllPartsOfAGoodFile) {
  const auto made = Try(FleetOf({"a", "b"}, "zone { name: 'else.org' } dns { identity: 'x' }"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->fleet.replica_size(), 2);
  EXPECT_EQ(made->zones.zones().size(), 2u);
  EXPECT_EQ(made->steering.ages.soft, seconds(3600));
  EXPECT_TRUE(made->cookies.has_value()) << "of the process's own secret";
  EXPECT_FALSE(Try(FleetOf({"a"}, "dns { cookies { disabled: true } }"))->cookies.has_value());
}

TEST_F(ConfigureTest, SaysWhereADomainAndReplicasComeFrom) {
  v1::FleetConfig fleet = FleetOf({"a"});
  fleet.clear_domain();
  EXPECT_THAT(Message(Try(fleet).status()), StartsWith("no domain: give one with -n"));
  EXPECT_THAT(Message(Try(FleetOf({})).status()), StartsWith("the fleet file has no replica: add"));
}

TEST_F(ConfigureTest, ReadsTheGeographyDatabaseOrSaysWhyNot) {
  MmdbWriter writer;
  writer.Add(*IpPrefix::Parse("198.18.7.0/24"), {53.35, -6.26});
  writer.WriteTo(folder_ / "places.mmdb");
  std::ofstream(folder_ / "broken.mmdb") << "no database";
  const auto with = [this](const char* file) {
    v1::FleetConfig fleet = FleetOf({"a"});
    fleet.mutable_steering()->set_geography_database(file);
    return Try(fleet);
  };
  const auto made = with("places.mmdb");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(made->geography->Find(*IpAddress::Parse("198.18.7.9")));
  EXPECT_EQ(Try(FleetOf({"a"}))->geography, nullptr);
  for (const char* file : {"broken.mmdb", "none.mmdb"}) {
    EXPECT_THAT(Message(with(file).status()),
                StartsWith(fmt::format("steering.geography_database: \"{}\": ", folder_ / file)));
  }
}

TEST_F(ConfigureTest, ErrorsNameTheFieldAndTheFile) {
  const absl::Status missing = ErrorOf("zone { name: 'example.org' file: 'none' }");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.message(), "zone[0]: \"" + folder_ / "none" + "\": there is no such file");
  std::ofstream(folder_ / "broken") << "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns.else.\n@ A 1.2.3\n";
  EXPECT_THAT(Message(ErrorOf("zone { name: 'example.org' file: 'broken' }")),
              StartsWith("zone[0]: " + folder_ / "broken" + ":4: "));

  v1::FleetConfig fleet = FleetOf({"a"});
  auto& lost = *fleet.mutable_steering()->add_override();
  lost.set_prefix("192.0.2.0/24");
  lost.set_replica("gone");
  EXPECT_EQ(Try(fleet).status(),
            absl::InvalidArgumentError("steering.override: 192.0.2.0/24: there is no replica 'gone'"));
}

TEST_F(ConfigureTest, ASecretFileThatIsNoneIsNamed) {
  const std::string secret(32, 'a');
  EXPECT_TRUE(ErrorOfSecrets(secret + "\n" + secret + "\n").ok());
  EXPECT_THAT(Message(ErrorOfSecrets("not hexadecimal\n")), StartsWith(folder_ / "secret" + ":1: "));
  const absl::Status large = ErrorOfSecrets(secret + std::string(4096, '\n'));
  EXPECT_EQ(large.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(large.message(),
            "dns.cookies.secret_file: \"" + folder_ / "secret" + "\" is larger than 4096 bytes");
  const absl::Status missing = ErrorOf("dns { cookies { secret_file: 'none' } }");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.message(),
            "dns.cookies.secret_file: \"" + folder_ / "none" + "\": there is no such file");
}

TEST(NeedsRestart, NamesWhatTheProcessBoundOrOpenedAtItsStart) {
  const auto changed = [](std::string_view more) {
    return NeedsRestart(FleetOf({"a"}), FleetOf({"a", "b"}, more));
  };
  EXPECT_THAT(changed("dns { identity: 'x' } zone { name: 'else.org' }"), IsEmpty());
  EXPECT_THAT(changed("dns { metrics_listen: '127.0.0.1:9353' }"), ElementsAre("dns.metrics_listen"));
  EXPECT_THAT(changed("dns { decision_log: 'x' measurement_log: 'z' state_file: 'y' }"),
              ElementsAre("dns.decision_log", "dns.measurement_log", "dns.state_file"));
  EXPECT_THAT(changed("control { ca_file: 'a' certificate_file: 'b' key_file: 'c' }"),
              ElementsAre("control"));
}

}  // namespace
}  // namespace perigee::dns
