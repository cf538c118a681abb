#include "agent/store/database.h"

namespace ica::store {

namespace {

rocksdb::Slice slice(BytesView b) {
  return {b.data(), b.size()};
}
BytesView bytes(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}

class RocksCursor final : public Cursor {
 public:
  RocksCursor(DatabasePtr database, Family family, Bytes lower, Bytes upper, bool fill_cache,
              SnapshotPtr snapshot)
      : database_(std::move(database)),
        snapshot_(std::move(snapshot)),
        lower_(std::move(lower)),
        upper_(std::move(upper)),
        lower_slice_(slice(lower_)),
        upper_slice_(slice(upper_)) {
    rocksdb::ReadOptions options;
    options.snapshot = raw(snapshot_);
    if (!lower_.empty()) {
      options.iterate_lower_bound = &lower_slice_;
    }
    if (!upper_.empty()) {
      options.iterate_upper_bound = &upper_slice_;
    }
    options.fill_cache = fill_cache;
    iterator_.reset(database_->db->NewIterator(options, database_->handle(family)));
  }

  void seek(BytesView key) override { iterator_->Seek(slice(std::max(key, BytesView(lower_)))); }
  void seek_first() override {
    lower_.empty() ? iterator_->SeekToFirst() : iterator_->Seek(lower_slice_);
  }
  void seek_last() override { iterator_->SeekToLast(); }
  void next() override { iterator_->Next(); }
  void prev() override { iterator_->Prev(); }
  bool valid() const override { return iterator_->Valid(); }
  BytesView key() const override { return bytes(iterator_->key()); }
  BytesView value() const override { return bytes(iterator_->value()); }
  Status status() const override {
    const rocksdb::Status status = iterator_->status();
    if (!status.ok()) {
      return fail(error_from(status, "reading", database_->path));
    }
    return {};
  }

 private:
  DatabasePtr database_;
  SnapshotPtr snapshot_;
  const Bytes lower_;
  const Bytes upper_;
  const rocksdb::Slice lower_slice_;
  const rocksdb::Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;  // before what it points to is gone
};

}  // namespace

Bytes prefix_end(BytesView prefix) {
  Bytes end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) {
    end.pop_back();
  }
  if (!end.empty()) {
    end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  }
  return end;
}

std::unique_ptr<Cursor> make_cursor(DatabasePtr database, Family family, Bytes lower, Bytes upper,
                                    bool fill_cache, SnapshotPtr snapshot) {
  return std::make_unique<RocksCursor>(std::move(database), family, std::move(lower),
                                       std::move(upper), fill_cache, std::move(snapshot));
}

}  // namespace ica::store
