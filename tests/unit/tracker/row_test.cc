#include "agent/tracker/row.h"

#include <doctest/doctest.h>

#include "tests/unit/tracker/fakes.h"

using namespace ica;
using namespace ica::tracker;
using api::TrackerStatus;

TEST_CASE("rows are read as they were written") {
  Row row;
  row.status = TrackerStatus::PinError;
  row.lane = Lane::Retry;
  row.due = 1'700'000'000'123'456'789;
  row.seq = 77;
  row.since = 1'699'999'999'000'000'000;
  row.attempts = 3;
  row.reason = ipfs::Reason::Stalled;
  row.progress = {12, 1 << 20};
  row.error = "context canceled";
  const Row read = *decode_row(encode_row(row));
  CHECK(read.status == row.status);
  CHECK(read.lane == row.lane);
  CHECK(read.due == row.due);
  CHECK(read.seq == row.seq);
  CHECK(read.since == row.since);
  CHECK(read.attempts == row.attempts);
  CHECK(read.reason == row.reason);
  CHECK(read.progress.nodes == 12);
  CHECK(read.progress.bytes == 1 << 20);
  CHECK(read.error == row.error);
}

TEST_CASE("a row that waits for its first try is short") {
  Row row;
  row.lane = Lane::Fresh;
  row.due = row.since = 1'700'000'000'123'456'789;
  row.seq = 1'000'000;
  CHECK(encode_row(row).size() <= 24);
  CHECK(decode_row(encode_row(row))->seq == row.seq);
}

TEST_CASE("damaged records are refused, not guessed at") {
  Row row;
  row.attempts = 1;
  row.error = "x";
  const Bytes whole = encode_row(row);
  for (size_t n = 0; n < whole.size() - 1; ++n) {
    const auto read = decode_row(BytesView(whole).substr(0, n));
    CHECK((!read || n >= 5));  // cut after the short form it is a row without details
  }
  CHECK_FALSE(decode_row("\xff\xff\xff\xff").has_value());
  CHECK_FALSE(decode_queue_key("short").has_value());
  CHECK_FALSE(decode_tally("").has_value());
}

TEST_CASE("long errors are cut") {
  Row row;
  row.error = std::string(100'000, 'e');
  row.attempts = 1;
  CHECK(decode_row(encode_row(row))->error.size() == kMaxStoredError);
}

TEST_CASE("queue keys sort by lane, due time, sequence") {
  const Bytes a = encode_queue_key({Lane::Fresh, 5, 9});
  const Bytes b = encode_queue_key({Lane::Fresh, 6, 1});
  const Bytes c = encode_queue_key({Lane::Retry, 1, 1});
  const Bytes d = encode_queue_key({Lane::Retry, 1, 256});
  CHECK(a < b);
  CHECK(b < c);
  CHECK(c < d);
  const QueueKey read = *decode_queue_key(d);
  CHECK(read.lane == Lane::Retry);
  CHECK(read.due == 1);
  CHECK(read.seq == 256);
}

TEST_CASE("tallies keep negative numbers") {
  Tally tally;
  tally.seq = 5;
  tally.add(TrackerStatus::Pinned, -3);
  tally.add(TrackerStatus::Remote, 1'000'000);
  const Tally read = *decode_tally(encode_tally(tally));
  CHECK(read.seq == 5);
  CHECK(read.by_status == tally.by_status);
}
