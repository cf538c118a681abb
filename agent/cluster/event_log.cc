#include "agent/cluster/event_log.h"

#include <nlohmann/json.hpp>

#include "common/base/json_writer.h"
#include "common/base/log.h"

namespace ica::cluster {
namespace {

using store::Family;

// Old events go in lumps: a range costs the same for one and for many.
constexpr uint64_t kLump = 1000;

Bytes key_of(uint64_t id) {
  Bytes key;
  for (int shift = 56; shift >= 0; shift -= 8) {
    key.push_back(static_cast<char>(id >> shift & 0xff));
  }
  return key;
}

uint64_t id_of(BytesView key) {
  uint64_t id = 0;
  for (const char c : key) {
    id = id << 8 | static_cast<unsigned char>(c);
  }
  return id;
}

std::string text_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Result<std::unique_ptr<EventLog>> EventLog::open(store::Store& store, const Clock& clock,
                                                 uint64_t max_events) {
  std::unique_ptr<EventLog> log(new EventLog(store, clock, max_events));
  auto cursor = store.cursor(Family::Events);
  cursor->seek_last();
  if (cursor->valid() && cursor->key().size() == sizeof(uint64_t)) {
    log->last_ = id_of(cursor->key());
    log->next_ = log->last_ + 1;
    cursor->seek_first();
    log->first_ = id_of(cursor->key());
  }
  TRY_VOID(cursor->status().context("reading the events"));
  return log;
}

void EventLog::append(std::string json, store::Batch& batch) {
  const uint64_t id = next_++;
  batch.put(Family::Events, key_of(id), json);
  last_ = id;
  if (id % kLump == 0 && id > max_) {
    batch.del_range(Family::Events, key_of(0), key_of(id - max_ + 1));
    first_ = id - max_ + 1;
  }
}

void EventLog::on_change(const crdt::PinChange& change, store::Batch& batch) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("type").string(change.after ? "pin" : "unpin");
  json.key("cid").string(change.cid.text());
  const api::Pin* pin = change.after ? &*change.after : change.before ? &*change.before : nullptr;
  json.key("name").string(pin != nullptr ? pin->options.name : "");
  json.key("allocations").begin_array();
  if (change.after) {
    for (const PeerId& peer : change.after->allocations.items) {
      json.string(peer.text());
    }
  }
  json.end_array();
  json.key("at").string(clock_.now().utc().rfc3339());
  json.end_object();
  append(std::move(out), batch);
}

void EventLog::operation_ended(const Cid& cid, api::TrackerStatus status, const std::string& error,
                               store::Batch& batch) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("type").string("status");
  json.key("cid").string(cid.text());
  json.key("status").string(api::to_string(status));
  json.key("error").string(error);
  json.key("at").string(clock_.now().utc().rfc3339());
  json.end_object();
  append(std::move(out), batch);
}

Result<std::vector<Event>> EventLog::read(uint64_t id, size_t limit) const {
  std::vector<Event> out;
  auto cursor = store_.cursor(Family::Events);
  for (cursor->seek(key_of(id + 1)); cursor->valid() && out.size() < limit; cursor->next()) {
    Event event;
    event.id = id_of(cursor->key());
    event.json = std::string(cursor->value());
    const auto json = nlohmann::json::parse(event.json, nullptr, false);
    if (!json.is_object()) {
      return fail(Code::Corrupt, "event {} is not readable", event.id);
    }
    event.type = text_at(json, "type");
    event.name = text_at(json, "name");
    out.push_back(std::move(event));
  }
  TRY_VOID(cursor->status());
  return out;
}

}  // namespace ica::cluster
