#include "agent/config/datastore_defaults.h"

#include <fmt/format.h>

// Values of IPFS Cluster 1.1.6.
namespace ica::config {
namespace {

constexpr std::string_view kPebble =
    R"({"cache_size_bytes":1073741824,"bytes_per_sync":1048576,"disable_wal":false,)"
    R"("flush_delay_delete_range":0,"flush_delay_range_key":0,"flush_split_bytes":4194304,)"
    R"("format_major_version":24,"l0_compaction_file_threshold":750,)"
    R"("l0_compaction_threshold":4,"l0_stop_writes_threshold":12,)"
    R"("l_base_max_bytes":134217728,"max_open_files":1000,"mem_table_size":67108864,)"
    R"("mem_table_stop_writes_threshold":20,"read_only":false,"wal_bytes_per_sync":0,)"
    R"("levels":[)";

constexpr std::string_view kPebbleLevel =
    R"({"block_restart_interval":16,"block_size":4096,"block_size_threshold":90,)"
    R"("compression":1,"filter_type":0,"filter_policy":10,"index_block_size":4096,)"
    R"("target_file_size":)";

constexpr std::string_view kLevelDb =
    R"({"leveldb_options":{"block_cache_capacity":0,"block_cache_evict_removed":false,)"
    R"("block_restart_interval":0,"block_size":0,"compaction_expand_limit_factor":0,)"
    R"("compaction_gp_overlaps_factor":0,"compaction_l0_trigger":0,)"
    R"("compaction_source_limit_factor":0,"compaction_table_size":0,)"
    R"("compaction_table_size_multiplier":0,)"
    R"("compaction_table_size_multiplier_per_level":null,"compaction_total_size":0,)"
    R"("compaction_total_size_multiplier":0,)"
    R"("compaction_total_size_multiplier_per_level":null,"compression":0,)"
    R"("disable_buffer_pool":false,"disable_block_cache":false,)"
    R"("disable_compaction_backoff":false,"disable_large_batch_transaction":false,)"
    R"("iterator_sampling_rate":0,"no_sync":false,"no_write_merge":false,)"
    R"("open_files_cache_capacity":0,"read_only":false,"strict":0,"write_buffer":0,)"
    R"("write_l0_pause_trigger":0,"write_l0_slowdown_trigger":0}})";

constexpr std::string_view kBadger =
    R"({"gc_discard_ratio":0.2,"gc_interval":"15m0s","gc_sleep":"10s",)"
    R"("badger_options":{"dir":"","value_dir":"","sync_writes":true,"table_loading_mode":2,)"
    R"("value_log_loading_mode":0,"num_versions_to_keep":1,"max_table_size":16777216,)"
    R"("level_size_multiplier":10,"max_levels":7,"value_threshold":32,"num_memtables":5,)"
    R"("num_level_zero_tables":5,"num_level_zero_tables_stall":10,)"
    R"("level_one_size":268435456,"value_log_file_size":1073741823,)"
    R"("value_log_max_entries":1000000,"num_compactors":2,"compact_l_0_on_close":false,)"
    R"("read_only":false,"truncate":true}})";

constexpr std::string_view kBadger3 =
    R"({"gc_discard_ratio":0.2,"gc_interval":"15m0s","gc_sleep":"10s",)"
    R"("badger_options":{"dir":"","value_dir":"","sync_writes":false,)"
    R"("num_versions_to_keep":1,"read_only":false,"compression":0,"in_memory":false,)"
    R"("metrics_enabled":true,"num_goroutines":8,"mem_table_size":67108864,)"
    R"("base_table_size":2097152,"base_level_size":10485760,"level_size_multiplier":10,)"
    R"("table_size_multiplier":2,"max_levels":7,"v_log_percentile":0,"value_threshold":100,)"
    R"("num_memtables":5,"block_size":4096,"bloom_false_positive":0.01,)"
    R"("block_cache_size":0,"index_cache_size":0,"num_level_zero_tables":5,)"
    R"("num_level_zero_tables_stall":15,"value_log_file_size":1073741823,)"
    R"("value_log_max_entries":1000000,"num_compactors":4,"compact_l_0_on_close":false,)"
    R"("lmax_compaction":false,"zstd_compression_level":1,"verify_value_checksum":false,)"
    R"("checksum_verification_mode":0,"detect_conflicts":false,"namespace_offset":-1}})";

// Seven levels whose files double in size.
std::string pebble() {
  std::string json(kPebble);
  uint64_t target_file_size = 4 << 20;
  for (int level = 0; level < 7; ++level, target_file_size *= 2) {
    json += fmt::format("{}{}{}}}", level == 0 ? "" : ",", kPebbleLevel, target_file_size);
  }
  return fmt::format(R"({{"pebble_options":{}]}}}})", json);
}

}  // namespace

std::string datastore_defaults(std::string_view name) {
  std::string options;
  if (name == "pebble") {
    options = pebble();
  } else if (name == "leveldb") {
    options = kLevelDb;
  } else if (name == "badger") {
    options = kBadger;
  } else if (name == "badger3") {
    options = kBadger3;
  } else {
    return {};
  }
  return fmt::format(R"({{"{}":{}}})", name, options);
}

}  // namespace ica::config
