package wsman

// PTStatus names the return values of AMT's own methods, those of classes AMT_, where the method has no table of its own.
func PTStatus(value uint32) string {
	if value < uint32(len(ptStatus)) {
		return ptStatus[value]
	}
	switch {
	case value >= 0x800 && value-0x800 < uint32(len(ptStatus800)):
		return ptStatus800[value-0x800]
	case value >= 0x1000 && value-0x1000 < uint32(len(ptStatus1000)):
		return ptStatus1000[value-0x1000]
	case value == 0x400:
		return "DISABLED_BY_POLICY"
	}
	return ""
}

var ptStatus = [...]string{
	"SUCCESS", "INTERNAL_ERROR", "NOT_READY", "INVALID_PT_MODE", "INVALID_MESSAGE_LENGTH",
	"TABLE_FINGERPRINT_NOT_AVAILABLE", "INTEGRITY_CHECK_FAILED", "UNSUPPORTED_ISVS_VERSION", "APPLICATION_NOT_REGISTERED",
	"INVALID_REGISTRATION_DATA", "APPLICATION_DOES_NOT_EXIST", "NOT_ENOUGH_STORAGE", "INVALID_NAME", "BLOCK_DOES_NOT_EXIST",
	"INVALID_BYTE_OFFSET", "INVALID_BYTE_COUNT", "NOT_PERMITTED", "NOT_OWNER", "BLOCK_LOCKED_BY_OTHER", "BLOCK_NOT_LOCKED",
	"INVALID_GROUP_PERMISSIONS", "GROUP_DOES_NOT_EXIST", "INVALID_MEMBER_COUNT", "MAX_LIMIT_REACHED", "INVALID_AUTH_TYPE",
	"AUTHENTICATION_FAILED", "INVALID_DHCP_MODE", "INVALID_IP_ADDRESS", "INVALID_DOMAIN_NAME", "UNSUPPORTED_VERSION",
	"REQUEST_UNEXPECTED", "INVALID_TABLE_TYPE", "INVALID_PROVISIONING_STATE", "UNSUPPORTED_OBJECT", "INVALID_TIME",
	"INVALID_INDEX", "INVALID_PARAMETER", "INVALID_NETMASK", "FLASH_WRITE_LIMIT_EXCEEDED", "INVALID_IMAGE_LENGTH",
	"INVALID_IMAGE_SIGNATURE", "PROPOSE_ANOTHER_VERSION", "INVALID_PID_FORMAT", "INVALID_PPS_FORMAT", "BIST_COMMAND_BLOCKED",
	"CONNECTION_FAILED", "CONNECTION_TOO_MANY", "RNG_GENERATION_IN_PROGRESS", "RNG_NOT_READY", "CERTIFICATE_NOT_READY",
}

// From 0x800.
var ptStatus800 = [...]string{
	0x00: "NETWORK_IF_ERROR_BASE", 0x01: "UNSUPPORTED_OEM_NUMBER", 0x02: "UNSUPPORTED_BOOT_OPTION", 0x03: "INVALID_COMMAND",
	0x04: "INVALID_SPECIAL_COMMAND", 0x05: "INVALID_HANDLE", 0x06: "INVALID_PASSWORD", 0x07: "INVALID_REALM",
	0x08: "STORAGE_ACL_ENTRY_IN_USE", 0x09: "DATA_MISSING", 0x0A: "DUPLICATE", 0x0B: "EVENTLOG_FROZEN",
	0x0C: "PKI_MISSING_KEYS", 0x0D: "PKI_GENERATING_KEYS", 0x0E: "INVALID_KEY", 0x0F: "INVALID_CERT",
	0x10: "CERT_KEY_NOT_MATCH", 0x11: "MAX_KERB_DOMAIN_REACHED", 0x12: "UNSUPPORTED", 0x13: "INVALID_PRIORITY",
	0x14: "NOT_FOUND", 0x15: "INVALID_CREDENTIALS", 0x16: "INVALID_PASSPHRASE", 0x18: "NO_ASSOCIATION", 0x1B: "AUDIT_FAIL",
	0x1C: "BLOCKING_COMPONENT", 0x21: "USER_CONSENT_REQUIRED", 0x22: "OPERATION_IN_PROGRESS",
}

// From 0x1000: codes of Intel's client library.
var ptStatus1000 = [...]string{
	"APP_INTERNAL_ERROR", "NOT_INITIALIZED", "LIB_VERSION_UNSUPPORTED", "INVALID_PARAM", "RESOURCES", "HARDWARE_ACCESS_ERROR",
	"REQUESTOR_NOT_REGISTERED", "NETWORK_ERROR", "PARAM_BUFFER_TOO_SHORT", "COM_NOT_INITIALIZED_IN_THREAD", "URL_REQUIRED",
}

// StateChange names the return values of RequestStateChange of classes CIM_, and of those that inherit it.
func StateChange(value uint32) string {
	switch value {
	case 4098:
		return "TIMEOUT_PARAMETER_NOT_SUPPORTED"
	case 4099:
		return "BUSY"
	}
	return PowerStateChange(value)
}

// PowerStateChange names the return values of RequestPowerStateChange, ChangeBootOrder and SetBootConfigRole.
func PowerStateChange(value uint32) string {
	switch value {
	case 0:
		return "COMPLETED"
	case 1:
		return "NOT_SUPPORTED"
	case 2:
		return "UNKNOWN_ERROR"
	case 3:
		return "TIMEOUT"
	case 4:
		return "FAILED"
	case 5:
		return "INVALID_PARAMETER"
	case 6:
		return "IN_USE"
	case 4096:
		return "JOB_STARTED"
	case 4097:
		return "INVALID_STATE_TRANSITION"
	}
	return ""
}

// WiFiPortConfiguration names the return values of AMT_WiFiPortConfigurationService.
func WiFiPortConfiguration(value uint32) string {
	return nameAt(value, "COMPLETED", "NOT_SUPPORTED", "FAILED", "INVALID_PARAMETER", "INVALID_REFERENCE")
}

// HostBasedSetup names the return values of Setup, AdminSetup and UpgradeClientToAdmin of IPS_HostBasedSetupService.
func HostBasedSetup(value uint32) string {
	return nameAt(value, "SUCCESS", "INTERNAL_ERROR", "INVALID_STATE", "INVALID_PARAM", "METHOD_DISABLED", "AUTH_FAILED",
		"FLASH_WRITE_LIMIT_EXCEEDED")
}

// AddNextCertInChain names the return values of that method of IPS_HostBasedSetupService.
func AddNextCertInChain(value uint32) string {
	return nameAt(value, "SUCCESS", "INVALID_PARAM", "INTERNAL_ERROR", "INVALID_STATE", "CERT_VERIFY_FAILED", "CERT_CHAIN_TOO_LONG")
}

// OptIn names the return values of IPS_OptInService.
func OptIn(value uint32) string {
	return nameAt(value, "SUCCESS", "INTERNAL_ERROR", "INVALID_STATE", "BLOCKED", "FAILED")
}

func nameAt(value uint32, names ...string) string {
	if value < uint32(len(names)) { //nolint:gosec // a handful
		return names[value]
	}
	return ""
}
