#include "agent/rpc/frames.h"

namespace ica::rpc {
namespace {

constexpr std::string_view kServiceId[] = {"Name", "Method"};
constexpr std::string_view kResponse[] = {"Service", "Error", "ErrType"};

}  // namespace

void write(Bytes& out, const ServiceId& value) {
  MsgpackStruct fields(out);
  if (!value.service.empty()) {
    fields.key("Name").raw(value.service);
  }
  if (!value.method.empty()) {
    fields.key("Method").raw(value.method);
  }
}

void read(MsgpackReader& in, ServiceId& value) {
  MsgpackFields fields(in, kServiceId);
  while (fields.next()) {
    (fields.index() == 0 ? value.service : value.method) = in.raw();
  }
}

void write(Bytes& out, const ResponseHeader& value) {
  MsgpackStruct fields(out);
  if (!value.service.service.empty() || !value.service.method.empty()) {
    fields.key("Service");
    write(out, value.service);
  }
  if (!value.error.empty()) {
    fields.key("Error").raw(value.error);
  }
  if (value.type != ErrorType::Method) {
    fields.key("ErrType").integer(static_cast<int>(value.type));
  }
}

void read(MsgpackReader& in, ResponseHeader& value) {
  MsgpackFields fields(in, kResponse);
  while (fields.next()) {
    switch (fields.index()) {
      case 0:
        read(in, value.service);
        break;
      case 1:
        value.error = in.raw();
        break;
      case 2: {
        const int64_t type = in.integer();
        value.type = type >= 0 && type <= 3 ? static_cast<ErrorType>(type) : ErrorType::Server;
        break;
      }
    }
  }
}

Error to_error(ResponseHeader&& header) {
  const Code code = header.type == ErrorType::Authorization ? Code::PermissionDenied
                    : header.type == ErrorType::Method      ? Code::Internal
                                                            : Code::Protocol;
  return {code, std::move(header.error)};
}

}  // namespace ica::rpc
