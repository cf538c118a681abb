#include "agent/p2p/mdns_message.h"

#include <algorithm>

#include "common/base/ascii.h"

namespace ica::p2p {

namespace {

enum Type : uint16_t { kA = 1, kPtr = 12, kTxt = 16, kAaaa = 28, kSrv = 33, kAny = 255 };

constexpr uint16_t kInternet = 1;
constexpr uint16_t kCacheFlush = 0x8000;  // "this is all there is of this record"
constexpr uint16_t kResponse = 0x8400;    // with authority
constexpr uint32_t kTtl = 120;            // seconds
// The reference registers this port; nobody connects to it, the addresses are in the TXT record.
constexpr uint16_t kPort = 4001;
constexpr size_t kHeader = 12;
constexpr size_t kMaxRecords = 256;
constexpr size_t kMaxName = 255;
constexpr int kMaxJumps = 16;
constexpr std::string_view kAddressKey = "dnsaddr=";
constexpr size_t kMaxTxt = 255;

// ---- writing ----

void put16(Bytes& out, uint16_t v) {
  out.push_back(static_cast<char>(v >> 8));
  out.push_back(static_cast<char>(v));
}

void put32(Bytes& out, uint32_t v) {
  put16(out, static_cast<uint16_t>(v >> 16));
  put16(out, static_cast<uint16_t>(v));
}

void put_name(Bytes& out, std::string_view name) {
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    out.push_back(static_cast<char>(dot));
    out.append(name.substr(0, dot));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  out.push_back('\0');
}

void put_record(Bytes& out, std::string_view name, uint16_t type, uint16_t flush,
                const Bytes& data) {
  put_name(out, name);
  put16(out, type);
  put16(out, kInternet | flush);
  put32(out, kTtl);
  put16(out, static_cast<uint16_t>(data.size()));
  out += data;
}

void put_header(Bytes& out, uint16_t flags, uint16_t questions, uint16_t answers) {
  put16(out, 0);
  put16(out, flags);
  put16(out, questions);
  put16(out, answers);
  put16(out, 0);
  put16(out, 0);
}

// ---- reading ----

class Reader {
 public:
  explicit Reader(BytesView packet) : packet_(packet) {}

  bool ok() const { return ok_; }
  size_t at() const { return at_; }
  void seek(size_t at) { at_ = at; }

  uint16_t u16() {
    if (at_ + 2 > packet_.size()) {
      ok_ = false;
      return 0;
    }
    const auto v = static_cast<uint16_t>(u8(packet_)[at_] << 8 | u8(packet_)[at_ + 1]);
    at_ += 2;
    return v;
  }
  BytesView take(size_t count) {
    if (count > packet_.size() - std::min(at_, packet_.size())) {
      ok_ = false;
      return {};
    }
    const BytesView out = packet_.substr(at_, count);
    at_ += count;
    return out;
  }
  // Lower case, with dots. Pointers lead backwards only, so that it ends.
  std::string name() {
    std::string out;
    size_t from = at_;
    size_t lowest = at_;
    bool jumped = false;
    for (int jumps = 0; ok_;) {
      if (from >= packet_.size()) {
        ok_ = false;
        break;
      }
      const uint8_t length = u8(packet_)[from];
      if (length == 0) {
        if (!jumped) {
          at_ = from + 1;
        }
        return out;
      }
      if ((length & 0xc0) == 0xc0) {
        if (from + 1 >= packet_.size() || ++jumps > kMaxJumps) {
          break;
        }
        const size_t target = static_cast<size_t>(length & 0x3f) << 8 | u8(packet_)[from + 1];
        if (!jumped) {
          at_ = from + 2;
          jumped = true;
        }
        if (target >= lowest) {
          break;
        }
        lowest = target;
        from = target;
        continue;
      }
      if (length > 63 || from + 1 + length > packet_.size() || out.size() + length > kMaxName) {
        break;
      }
      if (!out.empty()) {
        out.push_back('.');
      }
      for (size_t i = 0; i < length; ++i) {
        out.push_back(ascii_lower(packet_[from + 1 + i]));
      }
      from += 1U + length;
    }
    ok_ = false;
    return {};
  }

 private:
  BytesView packet_;
  size_t at_ = 0;
  bool ok_ = true;
};

void take_txt(BytesView data, std::vector<Multiaddr>& out) {
  while (!data.empty()) {
    const size_t length = u8(data)[0];
    data.remove_prefix(1);
    if (length > data.size()) {
      return;
    }
    const BytesView text = data.substr(0, length);
    data.remove_prefix(length);
    if (!text.starts_with(kAddressKey) || out.size() >= kMaxMdnsAddresses) {
      continue;
    }
    auto address = Multiaddr::parse(text.substr(kAddressKey.size()));
    if (address && address->peer_id()) {
      out.push_back(*std::move(address));
    }
  }
}

}  // namespace

Bytes mdns_question() {
  Bytes out;
  put_header(out, 0, 1, 0);
  put_name(out, kMdnsService);
  put16(out, kPtr);
  put16(out, kInternet);
  return out;
}

Bytes mdns_answer(const std::string& instance, const std::vector<Multiaddr>& addresses,
                  const std::vector<boost::asio::ip::address>& hosts) {
  const std::string full = fmt::format("{}.{}", instance, kMdnsService);
  const std::string host = instance + ".local";
  Bytes records;
  Bytes data;
  put_name(data, full);
  put_record(records, kMdnsService, kPtr, 0, data);

  data.clear();
  put16(data, 0);
  put16(data, 0);
  put16(data, kPort);
  put_name(data, host);
  put_record(records, full, kSrv, kCacheFlush, data);

  data.clear();
  for (const Multiaddr& address : addresses) {
    const std::string text = std::string(kAddressKey) + address.text();
    if (text.size() <= kMaxTxt && data.size() < kMaxMdnsPacket / 2) {
      data.push_back(static_cast<char>(text.size()));
      data += text;
    }
  }
  if (data.empty()) {
    data.push_back('\0');
  }
  put_record(records, full, kTxt, kCacheFlush, data);

  uint16_t count = 3;
  for (const auto& address : hosts) {
    if (count >= 32) {
      break;
    }
    if (address.is_v4()) {
      const auto bytes = address.to_v4().to_bytes();
      put_record(records, host, kA, kCacheFlush, Bytes(bytes.begin(), bytes.end()));
    } else {
      const auto bytes = address.to_v6().to_bytes();
      put_record(records, host, kAaaa, kCacheFlush, Bytes(bytes.begin(), bytes.end()));
    }
    ++count;
  }
  Bytes out;
  put_header(out, kResponse, 0, count);
  return out + records;
}

Result<MdnsPacket> decode_mdns(BytesView packet) {
  if (packet.size() < kHeader || packet.size() > kMaxMdnsPacket) {
    return fail(Code::Protocol, "mdns: packet of {} bytes", packet.size());
  }
  Reader in(packet);
  in.u16();
  const bool response = (in.u16() & 0x8000) != 0;
  const size_t questions = in.u16();
  size_t records = in.u16();
  records += in.u16();
  records += in.u16();
  if (questions + records > kMaxRecords) {
    return fail(Code::Protocol, "mdns: {} records", questions + records);
  }
  MdnsPacket out;
  for (size_t i = 0; i < questions && in.ok(); ++i) {
    const std::string name = in.name();
    const uint16_t type = in.u16();
    in.u16();
    out.asks = out.asks ||
               (in.ok() && !response && name == kMdnsService && (type == kPtr || type == kAny));
  }
  const std::string ending = fmt::format(".{}", kMdnsService);
  for (size_t i = 0; i < records && in.ok(); ++i) {
    const std::string name = in.name();
    const uint16_t type = in.u16();
    in.u16();
    in.take(4);  // the time to live: whoever is gone is noticed by dialling
    const BytesView data = in.take(in.u16());
    if (in.ok() && response && type == kTxt && name.ends_with(ending)) {
      take_txt(data, out.addresses);
    }
  }
  if (!in.ok()) {
    return fail(Code::Protocol, "mdns: malformed packet");
  }
  return out;
}

}  // namespace ica::p2p
