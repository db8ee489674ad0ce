package flows

import (
	"context"
	"errors"
	"fmt"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// Inventory is what a device is made of. What it does not have is nil or empty, and its class is named in Absent. So is what it
// has and does not tell, of which Failed has the error.
type Inventory struct {
	UUID       string            // of the platform, as the operating system shows it
	AMT        string            // the version of AMT: "16.1.25"
	Firmware   map[string]string // versions of the firmware's parts, by the names that begin with cim.Software
	General    *amt.GeneralSettings
	Setup      *ips.HostBasedSetupService
	Chassis    *cim.Chassis
	Board      *cim.Card
	BIOS       *cim.BIOSElement
	CPU        string // the processor's name
	Processors []*cim.Processor
	Memory     []*cim.PhysicalMemory
	Media      []*cim.MediaAccessDevice
	Packages   []*cim.PhysicalPackage
	Ports      []*amt.EthernetPortSettings
	Absent     []string
	Failed     map[string]error // by class, of those in Absent; nil if there are none
}

// Bytes returns the size of a drive.
func Bytes(m *cim.MediaAccessDevice) uint64 { return m.MaxMediaSize * 1000 }

// WiFi says whether a network interface is a wireless one.
func WiFi(p *amt.EthernetPortSettings) bool { return p.WLANLinkProtectionLevel != nil }

// Inventory reads what the device is made of.
//
// Steps: Get AMT_GeneralSettings, IPS_HostBasedSetupService, CIM_ComputerSystemPackage, CIM_Chassis; Enumerate CIM_Chip; Get
// CIM_Card, CIM_BIOSElement; Enumerate CIM_Processor, CIM_PhysicalMemory, CIM_MediaAccessDevice, CIM_PhysicalPackage,
// AMT_EthernetPortSettings, CIM_SoftwareIdentity. All but the first may be missing, or answered with a fault or with what cannot be
// understood. Refused credentials, connections that fail and the end of ctx end the flow.
func (d *Device) Inventory(ctx context.Context) (*Inventory, error) {
	inv := &Inventory{Firmware: map[string]string{}}
	f := d.begin("inventory")
	err := f.do("read AMT_GeneralSettings", func() (err error) {
		inv.General, err = wsman.Get[amt.GeneralSettings](ctx, f.Client)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		class string
		read  func() error
	}{
		{"IPS_HostBasedSetupService", func() error { return getInto(ctx, f, &inv.Setup) }},
		{"CIM_ComputerSystemPackage", func() error { return inv.platform(ctx, f) }},
		{"CIM_Chassis", func() error { return getInto(ctx, f, &inv.Chassis) }},
		{"CIM_Chip", func() error { return inv.chips(ctx, f) }},
		{"CIM_Card", func() error { return getInto(ctx, f, &inv.Board) }},
		{"CIM_BIOSElement", func() error { return getInto(ctx, f, &inv.BIOS) }},
		{"CIM_Processor", func() error { return allInto(ctx, f, &inv.Processors) }},
		{"CIM_PhysicalMemory", func() error { return allInto(ctx, f, &inv.Memory) }},
		{"CIM_MediaAccessDevice", func() error { return allInto(ctx, f, &inv.Media) }},
		{"CIM_PhysicalPackage", func() error { return allInto(ctx, f, &inv.Packages) }},
		{"AMT_EthernetPortSettings", func() error { return allInto(ctx, f, &inv.Ports) }},
		{"CIM_SoftwareIdentity", func() error { return inv.software(ctx, f) }},
	} {
		present, err := f.optional("read "+part.class, part.read)
		if err != nil {
			if ctx.Err() != nil || !odd(err) {
				return nil, err
			}
			if inv.Failed == nil {
				inv.Failed = map[string]error{}
			}
			inv.Failed[part.class] = err
		}
		if !present {
			inv.Absent = append(inv.Absent, part.class)
		}
	}
	if inv.AMT == "" {
		inv.AMT = wsman.ServerVersion(f.Client.Server())
	}
	return inv, nil
}

// odd says whether an error is of the one request: the device has answered, though not with what was asked for.
func odd(err error) bool {
	if errors.Is(err, wsman.ErrNoAnswer) || errors.Is(err, wsman.ErrCredentials) || errors.Is(err, wsman.ErrRealm) {
		return false
	}
	var fault *wsman.Fault
	var failed *wsman.HTTPError
	return errors.As(err, &fault) || errors.As(err, &failed) || errors.Is(err, wsman.ErrMalformed) || errors.Is(err, wsman.ErrTooLarge)
}

func getInto[T any, P wsman.Instance[T]](ctx context.Context, f flow, to **T) (err error) {
	*to, err = wsman.Get[T, P](ctx, f.Client)
	return err
}

func allInto[T any, P wsman.Instance[T]](ctx context.Context, f flow, to *[]*T) (err error) {
	*to, err = collect[T, P](ctx, f.Client)
	return err
}

func (inv *Inventory) platform(ctx context.Context, f flow) error {
	p, err := wsman.Get[cim.ComputerSystemPackage](ctx, f.Client)
	if err != nil {
		return err
	}
	inv.UUID, err = cim.PlatformUUID(p.PlatformGUID)
	return err
}

func (inv *Inventory) chips(ctx context.Context, f flow) error {
	chips, err := collect[cim.Chip](ctx, f.Client)
	for _, c := range chips {
		if c.ElementName == cim.ProcessorChip {
			inv.CPU = c.Version
		}
	}
	return err
}

// maxFirmware bounds the parts of a firmware that are kept; devices have some dozen.
const maxFirmware = 100

func (inv *Inventory) software(ctx context.Context, f flow) error {
	parts := map[string]string{}
	for s, err := range wsman.Enumerate[cim.SoftwareIdentity](ctx, f.Client) {
		if err != nil {
			return err
		}
		if len(parts) == maxFirmware {
			return fmt.Errorf("%w: more than %d parts of firmware", wsman.ErrMalformed, maxFirmware)
		}
		parts[s.InstanceID] = s.VersionString
	}
	inv.Firmware = parts
	inv.AMT = inv.Firmware[cim.SoftwareAMT]
	return nil
}
