#include "lib/rpc/roles.h"

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "perigee/v1/director.pb.h"
#include "perigee/v1/prober.pb.h"
#include "perigee/v1/replica.pb.h"

namespace perigee {
namespace {

using testing::HasSubstr;

bool Allowed(Role role, std::string_view path) { return MayCall(role, path).ok(); }

// All methods of the service in the file of `Message`, as paths.
template <typename Message>
std::vector<std::string> Paths() {
  const auto* service = Message::descriptor()->file()->service(0);
  std::vector<std::string> paths;
  for (int i = 0; i < service->method_count(); ++i)
    paths.push_back(fmt::format("/{}/{}", service->full_name(), service->method(i)->name()));
  return paths;
}

std::vector<std::string> AllPaths() {
  std::vector<std::string> all;
  for (const auto& paths :
       {Paths<v1::MeasureRequest>(), Paths<v1::PurgeRequest>(), Paths<v1::ExplainRequest>()}) {
    all.insert(all.end(), paths.begin(), paths.end());
  }
  return all;
}

TEST(Roles, AnOperatorMayCallEverything) {
  ASSERT_EQ(AllPaths().size(), 10u);
  for (const std::string& path : AllPaths()) EXPECT_TRUE(Allowed(Role::kOperator, path)) << path;
}

TEST(Roles, AReplicaMayCallNothingAndACertificateWithoutARoleNeither) {
  for (const std::string& path : AllPaths()) {
    EXPECT_FALSE(Allowed(Role::kReplica, path)) << path;
    EXPECT_FALSE(Allowed(Role::kNone, path)) << path;
  }
}

TEST(Roles, ADirectorMeasuresAndLooksAndChangesNothing) {
  std::vector<std::string> allowed;
  for (const std::string& path : AllPaths())
    if (Allowed(Role::kDirector, path)) allowed.push_back(path.substr(path.rfind('/') + 1));
  EXPECT_THAT(allowed, testing::UnorderedElementsAre("Measure", "Watch", "Stats", "Explain", "ListReplicas"));
}

TEST(Roles, HealthAndReflectionAreOpenToAllOfTheCdn) {
  for (const Role role : {Role::kNone, Role::kReplica, Role::kDirector, Role::kOperator}) {
    EXPECT_TRUE(Allowed(role, "/grpc.health.v1.Health/Check"));
    EXPECT_TRUE(Allowed(role, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"));
  }
}

TEST(Roles, AMethodWithoutARuleIsNobodys) {
  for (const std::string_view path : {"/perigee.v1.Replica/Reboot", "/perigee.v1.Replica/Purge/", "/", ""})
    EXPECT_FALSE(Allowed(Role::kOperator, path)) << path;
}

TEST(Roles, ARefusalSaysRoleAndMethodAndWhatToDo) {
  const absl::Status status = MayCall(Role::kReplica, "/perigee.v1.Replica/Purge");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("says replica, and perigee.v1.Replica/Purge takes an operator"));
  EXPECT_THAT(std::string(MayCall(Role::kNone, "/perigee.v1.Prober/Measure").message()),
              HasSubstr("cdnctl keys issue"));
}

TEST(Roles, AreReadFromUris) {
  for (const Role role : {Role::kReplica, Role::kDirector, Role::kOperator}) {
    EXPECT_EQ(RoleOf({"https://example.org", UriOf(role)}), role);
    EXPECT_EQ(RoleFromWord(Word(role)), role);
  }
  EXPECT_EQ(RoleOf({}), Role::kNone);
  EXPECT_EQ(RoleOf({"urn:perigee:role:"}), Role::kNone);
  EXPECT_EQ(RoleOf({"urn:perigee:role:none"}), Role::kNone);
  EXPECT_EQ(RoleOf({"urn:perigee:role:operators"}), Role::kNone);
  EXPECT_EQ(RoleOf({UriOf(Role::kReplica), UriOf(Role::kOperator)}), Role::kNone) << "which, then?";
}

}  // namespace
}  // namespace perigee
