#include "agent/store/replace.h"

#include <map>
#include <rocksdb/sst_file_writer.h>

namespace ica::store {

namespace fs = std::filesystem;

namespace {

// Inside the data folder, so that the files are moved and not copied.
constexpr std::string_view kFolder = "replacing";

rocksdb::Slice slice(BytesView b) {
  return {b.data(), b.size()};
}

// The table that changes one family.
class Table {
 public:
  Table(Database& database, Family family, fs::path path)
      : database_(database),
        family_(family),
        path_(std::move(path)),
        writer_(rocksdb::EnvOptions(),
                rocksdb::Options(database.layout.db,
                                 database.layout.families[static_cast<size_t>(family)]),
                database.handle(family)) {}

  Status open() { return checked(writer_.Open(path_.string())); }

  // Everything that the family has now goes. A table's range does not touch the table's own keys.
  Status hide_present() {
    const std::unique_ptr<rocksdb::Iterator> last(
        database_.db->NewIterator({}, database_.handle(family_)));
    last->SeekToLast();
    if (!last->Valid()) {
      return checked(last->status());
    }
    used_ = true;
    const Bytes end = last->key().ToString() + '\0';
    return checked(writer_.DeleteRange(rocksdb::Slice(), slice(end)));
  }

  // In ascending order.
  Status put(BytesView key, BytesView value) {
    used_ = true;
    return checked(writer_.Put(slice(key), slice(value)));
  }

  // Whether there is anything to be taken in.
  Result<bool> finish() {
    if (used_) {
      TRY_VOID(checked(writer_.Finish()));
    }
    return used_;
  }

  rocksdb::IngestExternalFileArg argument() const {
    rocksdb::IngestExternalFileArg out;
    out.column_family = database_.handle(family_);
    out.external_files.push_back(path_.string());
    out.options.move_files = true;
    out.options.write_global_seqno = false;
    return out;
  }

 private:
  Status checked(const rocksdb::Status& status) const {
    if (!status.ok()) {
      return fail(error_from(status, "writing to", database_.path));
    }
    return {};
  }

  Database& database_;
  const Family family_;
  const fs::path path_;
  rocksdb::SstFileWriter writer_;
  bool used_ = false;
};

Status copy_family(const Store& from, Family family, Table& table) {
  TRY_VOID(table.hide_present());
  auto cursor = from.cursor(family);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    TRY_VOID(table.put(cursor->key(), cursor->value()));
  }
  return cursor->status();
}

Status copy_keys(const Store& from, Family family, std::vector<Bytes> keys, Table& table) {
  std::sort(keys.begin(), keys.end());
  for (const Bytes& key : keys) {
    TRY(const auto value, from.get(family, key));
    if (!value) {
      return fail(Code::NotFound, "a record that is to be replaced has no successor");
    }
    TRY_VOID(table.put(key, *value));
  }
  return {};
}

Status take_in(Database& database, const std::vector<std::unique_ptr<Table>>& tables) {
  std::vector<rocksdb::IngestExternalFileArg> arguments;
  for (const auto& table : tables) {
    TRY(const bool used, table->finish());
    if (used) {
      arguments.push_back(table->argument());
    }
  }
  if (arguments.empty()) {
    return {};
  }
  const auto status = database.db->IngestExternalFiles(arguments);
  if (!status.ok()) {
    return fail(error_from(status, "writing to", database.path));
  }
  return {};
}

}  // namespace

Status replace_content(Database& database, const Replacement& what, const Store& from) {
  const fs::path folder = database.path / kFolder;
  std::error_code error;
  fs::remove_all(folder, error);
  fs::create_directory(folder, error);
  if (error) {
    return fail(Code::Io, "making {}: {}", folder.string(), error.message());
  }
  std::vector<std::unique_ptr<Table>> tables;
  const auto next_table = [&](Family family) -> Result<Table*> {
    auto table = std::make_unique<Table>(database, family,
                                         folder / fmt::format("{}.sst", to_string(family)));
    TRY_VOID(table->open());
    tables.push_back(std::move(table));
    return tables.back().get();
  };
  for (const Family family : what.families) {
    TRY(Table* const table, next_table(family));
    TRY_VOID(copy_family(from, family, *table));
  }
  std::map<Family, std::vector<Bytes>> keys;
  for (const auto& [family, key] : what.keys) {
    keys[family].push_back(key);
  }
  for (auto& [family, list] : keys) {
    TRY(Table* const table, next_table(family));
    TRY_VOID(copy_keys(from, family, std::move(list), *table));
  }
  Status taken = take_in(database, tables);
  tables.clear();
  fs::remove_all(folder, error);
  return taken;
}

}  // namespace ica::store
