package cim

import (
	"strconv"

	"github.com/meshcentral-go/sdk/wsman"
)

// BootConfigID is the InstanceID of the one boot configuration.
const BootConfigID = "Intel(r) AMT: Boot Configuration 0"

// BootConfig returns a reference to the one boot configuration.
func BootConfig() wsman.Ref {
	return wsman.NewRef("CIM_BootConfigSetting", wsman.Key("InstanceID", BootConfigID))
}

// What to boot from: values of InstanceID of CIM_BootSourceSetting. Which of them a machine has is in
// AMT_BootCapabilities.
const (
	BootSourceHardDrive  = "Intel(r) AMT: Force Hard-drive Boot"
	BootSourcePXE        = "Intel(r) AMT: Force PXE Boot"
	BootSourceCD         = "Intel(r) AMT: Force CD/DVD Boot"
	BootSourceDiagnostic = "Intel(r) AMT: Force Diagnostic Boot" // gone since AMT 7
	BootSourceHTTPS      = "Intel(r) AMT: Force OCR UEFI HTTPS Boot"

	bootSourceOption = "Intel(r) AMT: Force OCR UEFI Boot Option "
)

// BootSourceOption returns the InstanceID of boot option n, from 1: a pre-boot application or the Windows recovery
// environment. BIOSBootString of the instance says which.
func BootSourceOption(n int) string { return bootSourceOption + strconv.Itoa(n) }

// BootSource returns a reference to a boot source by its InstanceID.
func BootSource(id string) wsman.Ref {
	return wsman.NewRef("CIM_BootSourceSetting", wsman.Key("InstanceID", id))
}
