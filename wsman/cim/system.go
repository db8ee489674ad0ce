package cim

import (
	"encoding/hex"
	"fmt"

	"github.com/meshcentral-go/sdk/wsman"
)

// ManagedSystem returns a reference to the host, which power requests are about.
func ManagedSystem() wsman.Ref {
	return wsman.NewRef("CIM_ComputerSystem",
		wsman.Key("CreationClassName", "CIM_ComputerSystem"), wsman.Key("Name", "ManagedSystem"))
}

// Parts of the firmware: values of InstanceID of CIM_SoftwareIdentity.
const (
	SoftwareAMT         = "AMT" // the version of AMT: "16.1.25"
	SoftwareAMTApps     = "AMTApps"
	SoftwareFlash       = "Flash"
	SoftwareNetstack    = "Netstack"
	SoftwareBuildNumber = "Build Number"
	SoftwareSKU         = "Sku" // what the firmware can do, as bits
	SoftwareVendorID    = "VendorID"
)

// ProcessorChip is the ElementName of the CIM_Chip that has the processor's name in Version.
const ProcessorChip = "Managed System Processor Chip"

// PlatformUUID turns PlatformGUID of CIM_ComputerSystemPackage into the usual form of a UUID.
func PlatformUUID(guid string) (string, error) {
	b, err := hex.DecodeString(guid)
	if err != nil || len(b) != 16 {
		return "", fmt.Errorf("cim: a platform GUID has 32 hexadecimal digits, not %.40q", guid)
	}
	return UUIDText([16]byte(b)), nil
}

// UUIDText writes the 16 bytes of a UUID in the order of SMBIOS, where the first three groups are turned round, in the usual
// form.
func UUIDText(b [16]byte) string {
	return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x", b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8:10], b[10:])
}
