#include "lib/sqlite/sqlite.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lib/base/testing/files.h"

namespace perigee::sqlite {
namespace {

using testing::HasSubstr;

class SqliteTest : public testing::Test {
 protected:
  Database OpenOrDie() { return *Database::Open(path_, Database::Mode::kReadWriteCreate); }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "test.sqlite";
};

TEST_F(SqliteTest, BytesAndNumbersComeBack) {
  Database db = OpenOrDie();
  ASSERT_TRUE(db.Execute("CREATE TABLE t(n INTEGER, s TEXT, b BLOB)").ok());
  const std::string bytes("a\0b\xff", 4);
  Statement insert = *db.Prepare("INSERT INTO t VALUES(?1, ?2, ?3)");
  ASSERT_TRUE(insert.Bind(1, int64_t{-1} << 62).BindText(2, "text").BindBlob(3, bytes).Run().ok());
  ASSERT_TRUE(insert.Bind(1, 7).BindText(2, {}).BindBlob(3, {}).Run().ok());
  Statement select = *db.Prepare("SELECT n, s, b FROM t ORDER BY rowid");
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Number(0), int64_t{-1} << 62);
  EXPECT_EQ(select.Text(1), "text");
  EXPECT_EQ(select.Blob(2), bytes);
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Blob(2), "");
  EXPECT_FALSE(*select.Step());
  EXPECT_EQ(*db.QueryNumber("SELECT count(*) FROM t WHERE s IS NULL OR b IS NULL"), 0);
}

TEST_F(SqliteTest, TransactionRollsBackUnlessCommitted) {
  Database db = OpenOrDie();
  ASSERT_TRUE(db.Execute("CREATE TABLE t(n)").ok());
  {
    Transaction dropped = *Transaction::Begin(db);
    ASSERT_TRUE(db.Execute("INSERT INTO t VALUES(1)").ok());
  }
  EXPECT_EQ(*db.QueryNumber("SELECT count(*) FROM t"), 0);
  {
    Transaction kept = *Transaction::Begin(db);
    ASSERT_TRUE(db.Execute("INSERT INTO t VALUES(1)").ok());
    ASSERT_TRUE(kept.Commit().ok());
  }
  EXPECT_EQ(*db.QueryNumber("SELECT count(*) FROM t"), 1);
}

TEST_F(SqliteTest, ErrorsNameTheFileAndTheReason) {
  Database db = OpenOrDie();
  const absl::Status status = db.Prepare("SELECT * FROM absent").status();
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_ + ": no such table: absent"));
  EXPECT_TRUE(
      absl::IsNotFound(Database::Open(folder_ / "no/such", Database::Mode::kReadWriteCreate).status()));
  EXPECT_TRUE(absl::IsNotFound(db.QueryNumber("SELECT 1 WHERE 0").status()));
}

TEST_F(SqliteTest, AWrongBindShowsInStepAndNotAfterwards) {
  Database db = OpenOrDie();
  Statement select = *db.Prepare("SELECT ?1");
  EXPECT_FALSE(select.Bind(5, 1).Step().ok());
  EXPECT_TRUE(*select.Bind(1, 3).Step());
  EXPECT_EQ(select.Number(0), 3);
}

TEST_F(SqliteTest, AFileThatIsNoDatabaseIsDataLoss) {
  std::ofstream(path_) << std::string(4096, 'x');
  Database db = OpenOrDie();  // SQLite looks at the file with the first statement only
  EXPECT_TRUE(absl::IsDataLoss(db.Execute("CREATE TABLE t(n)")));
}

TEST_F(SqliteTest, ReadOnlyRefusesToWrite) {
  ASSERT_TRUE(OpenOrDie().Execute("CREATE TABLE t(n)").ok());
  Database reader = *Database::Open(path_, Database::Mode::kReadOnly);
  EXPECT_TRUE(absl::IsPermissionDenied(reader.Execute("INSERT INTO t VALUES(1)")));
}

TEST_F(SqliteTest, ABlobIsReadAndMovesFromRowToRow) {
  Database db = OpenOrDie();
  ASSERT_TRUE(
      db.Execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB); INSERT INTO t VALUES(1, 'abc'), (2, 'de')")
          .ok());
  Blob blob = *Blob::Open(db, "t", "b", 1);
  std::string bytes(3, ' ');
  EXPECT_EQ(blob.size(), 3u);
  EXPECT_TRUE(blob.Read(0, 3, bytes.data()).ok());
  EXPECT_EQ(bytes, "abc");
  ASSERT_TRUE(blob.Reopen(2).ok());
  EXPECT_EQ(blob.size(), 2u);
  EXPECT_TRUE(blob.Read(0, 2, bytes.data()).ok());
  EXPECT_EQ(bytes, "dec");
}

TEST_F(SqliteTest, ABlobOfNoRowIsNotFound) {
  Database db = OpenOrDie();
  ASSERT_TRUE(
      db.Execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB); INSERT INTO t VALUES(1, 'abc')").ok());
  EXPECT_TRUE(absl::IsNotFound(Blob::Open(db, "t", "b", 7).status()));
  Blob blob = *Blob::Open(db, "t", "b", 1);
  EXPECT_TRUE(absl::IsNotFound(blob.Reopen(7)));
}

TEST_F(SqliteTest, CheckpointMovesTheWalIntoTheFile) {
  Database db = OpenOrDie();
  ASSERT_TRUE(db.Execute("PRAGMA journal_mode=WAL; CREATE TABLE t(n); INSERT INTO t VALUES(1)").ok());
  EXPECT_GT(std::filesystem::file_size(path_ + "-wal"), 0u);
  EXPECT_TRUE(*db.Checkpoint(/*truncate=*/true));
  EXPECT_EQ(std::filesystem::file_size(path_ + "-wal"), 0u);
}

}  // namespace
}  // namespace perigee::sqlite
