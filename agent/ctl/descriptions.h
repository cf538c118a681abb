#pragma once

#include <string_view>

namespace ica::ctl::text {

// What `help <command>` says under DESCRIPTION.
extern const std::string_view kProgram;
extern const std::string_view kId;
extern const std::string_view kAdd;
extern const std::string_view kStatus;
extern const std::string_view kRecover;
extern const std::string_view kVersion;
extern const std::string_view kPeersLs;
extern const std::string_view kPeersRm;
extern const std::string_view kPeersDrain;
extern const std::string_view kPeersCordon;
extern const std::string_view kPeersUncordon;
extern const std::string_view kRepinStatus;
extern const std::string_view kRepinPlan;
extern const std::string_view kRebalance;
extern const std::string_view kStateCompact;
extern const std::string_view kPinAdd;
extern const std::string_view kPinRm;
extern const std::string_view kPinUpdate;
extern const std::string_view kPinLs;
extern const std::string_view kHealthGraph;
extern const std::string_view kHealthMetrics;
extern const std::string_view kHealthAlerts;
extern const std::string_view kHealthBandwidth;
extern const std::string_view kHealthDigest;
extern const std::string_view kIpfsGc;
extern const std::string_view kCompletion;
extern const std::string_view kManual;

}  // namespace ica::ctl::text
