package controlproto

import (
	"encoding/json"
	"time"
)

// SysInfo is what an agent tells of hardware and system. Which members are there depends on the system. (meshuser.js,
// serverCommandGetSysInfo; computer-identifiers.js)
//
//	{"hash":"...","time":1795333103445,"hardware":{"identifiers":{"bios_vendor":"...", ...},"linux":{...}},"pendingReboot":false}
type SysInfo struct {
	Hash          string                     `json:"hash"` // SHA-384 over it, in hex
	Time          time.Time                  `json:"time,ms"`
	Hardware      *Hardware                  `json:"hardware"`
	PendingReboot json.RawMessage            `json:"pendingReboot"` // false, or why
	Extra         map[string]json.RawMessage `json:"-"`
}

// Hardware is the main part of [SysInfo].
type Hardware struct {
	Identifiers *Identifiers               `json:"identifiers"`
	Windows     *WindowsHardware           `json:"windows"`
	Linux       *LinuxHardware             `json:"linux"`
	Darwin      *DarwinHardware            `json:"darwin"`
	TPM         json.RawMessage            `json:"tpm"`
	Agent       *AgentVersions             `json:"agentvers"`
	Network     *HardwareNetwork           `json:"network"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// Identifiers name the machine and its parts. Makers write what they like, "To be filled by O.E.M." too.
type Identifiers struct {
	BIOSDate     string                     `json:"bios_date"`
	BIOSVendor   string                     `json:"bios_vendor"`
	BIOSVersion  string                     `json:"bios_version"`
	BIOSSerial   string                     `json:"bios_serial"`
	BIOSMode     string                     `json:"bios_mode"`
	BoardName    string                     `json:"board_name"`
	BoardSerial  string                     `json:"board_serial"`
	BoardVendor  string                     `json:"board_vendor"`
	BoardVersion string                     `json:"board_version"`
	ProductUUID  string                     `json:"product_uuid"`
	ProductName  string                     `json:"product_name"`
	CPU          string                     `json:"cpu_name"`
	GPUs         []string                   `json:"gpu_name"`
	Storage      []StorageDevice            `json:"storage_devices"`
	Extra        map[string]json.RawMessage `json:"-"`
}

// StorageDevice is one of [Identifiers].
type StorageDevice struct {
	Caption string                     `json:"Caption"`
	Model   string                     `json:"Model"`
	Size    int64                      `json:"Size"` // bytes
	Extra   map[string]json.RawMessage `json:"-"`
}

// WindowsHardware is what Windows tells by WMI; the objects hold WMI's names.
type WindowsHardware struct {
	OS         *WindowsOS                 `json:"osinfo"`
	Memory     []MemoryModule             `json:"memory"`
	CPUs       []json.RawMessage          `json:"cpu"`
	GPUs       []json.RawMessage          `json:"gpu"`
	Drives     []json.RawMessage          `json:"drives"`
	Partitions []json.RawMessage          `json:"partitions"`
	Volumes    map[string]Volume          `json:"volumes"` // by letter
	Extra      map[string]json.RawMessage `json:"-"`
}

// WindowsOS is one of [WindowsHardware].
type WindowsOS struct {
	Caption        string                     `json:"Caption"`
	Version        string                     `json:"Version"`
	BuildNumber    string                     `json:"BuildNumber"`
	Architecture   string                     `json:"OSArchitecture"`
	LastBootUpTime string                     `json:"LastBootUpTime"` // as WMI writes it
	Extra          map[string]json.RawMessage `json:"-"`
}

// MemoryModule is one module of memory.
type MemoryModule struct {
	BankLabel     string                     `json:"BankLabel"`
	DeviceLocator string                     `json:"DeviceLocator"`
	Manufacturer  string                     `json:"Manufacturer"`
	PartNumber    string                     `json:"PartNumber"`
	Capacity      json.RawMessage            `json:"Capacity"` // bytes, as number or text
	Speed         json.RawMessage            `json:"Speed"`
	Extra         map[string]json.RawMessage `json:"-"`
}

// Volume is a volume of a disk.
type Volume struct {
	Name             string                     `json:"name"`
	Type             string                     `json:"type"`
	Size             json.RawMessage            `json:"size"`
	Free             json.RawMessage            `json:"sizeremaining"`
	VolumeStatus     string                     `json:"volumeStatus"` // of BitLocker
	ProtectionStatus string                     `json:"protectionStatus"`
	Identifier       string                     `json:"identifier"`
	RecoveryPassword Secret                     `json:"recoveryPassword"` // only for full rights
	Extra            map[string]json.RawMessage `json:"-"`
}

// LinuxHardware is what Linux tells.
type LinuxHardware struct {
	Memory   *LinuxMemory               `json:"memory"`
	LastBoot time.Time                  `json:"LastBootUpTime,ms"`
	Volumes  map[string]json.RawMessage `json:"volumes"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// LinuxMemory is what dmidecode tells.
type LinuxMemory struct {
	Devices []json.RawMessage          `json:"Memory_Device"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// DarwinHardware is what macOS tells.
type DarwinHardware struct {
	Memory   []json.RawMessage          `json:"memory"`
	LastBoot time.Time                  `json:"LastBootUpTime,ms"`
	Volumes  map[string]json.RawMessage `json:"volumes"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// AgentVersions is how the agent was built.
type AgentVersions struct {
	CompileTime string                     `json:"compileTime"`
	OpenSSL     string                     `json:"openssl"`
	CommitDate  string                     `json:"commitDate"`
	CommitHash  string                     `json:"commitHash"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// HardwareNetwork is what [SysInfo] tells of the network.
type HardwareNetwork struct {
	DNS   []string                   `json:"dns"`
	Extra map[string]json.RawMessage `json:"-"`
}

// NetworkInfo is what an agent tells of its interfaces.
//
//	{"updateTime":1795333103445,"netif2":{"eth0":[{"family":"IPv4","address":"192.0.2.2", ...}]}}
type NetworkInfo struct {
	Updated    time.Time                     `json:"updateTime,ms"`
	Interfaces map[string][]NetworkInterface `json:"netif2"` // by name
	Old        []OldNetworkInterface         `json:"netif"`  // from old agents
	Extra      map[string]json.RawMessage    `json:"-"`
}

// OldNetworkInterface is an interface as old agents tell it.
type OldNetworkInterface struct {
	Name       string                     `json:"name"`
	Desc       string                     `json:"desc"`
	MAC        string                     `json:"mac"`
	GatewayMAC string                     `json:"gatewaymac"`
	IPv4       string                     `json:"v4addr"`
	Netmask    string                     `json:"v4mask"`
	Gateway    string                     `json:"v4gateway"`
	DNSSuffix  string                     `json:"dnssuffix"`
	Extra      map[string]json.RawMessage `json:"-"`
}
