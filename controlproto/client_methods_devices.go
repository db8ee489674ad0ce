package controlproto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// DeviceFilter limits a list of devices. Empty, it takes all that the account may see.
type DeviceFilter struct {
	Group     ID     // only of this device group
	GroupName string // only of the group of agents with this name
	Device    ID     // only this one
}

// Devices lists devices, group by group.
func (c *Client) Devices(ctx context.Context, f DeviceFilter) ([]Device, error) {
	m := &Nodes{GroupID: f.Group, GroupName: f.GroupName}
	if f.Device != "" {
		m.DeviceID = c.device(f.Device)
	}
	r, err := Do(ctx, c, m)
	if err != nil {
		return nil, err
	}
	return r.list(), nil
}

// list returns the devices with their groups filled in. Those of a single group, which may be 10,000, are not copied.
func (r *NodesReply) list() []Device {
	list := make([][]Device, 0, len(r.Devices))
	for id, devices := range r.Devices {
		for i := range devices {
			devices[i].Group = id
		}
		list = append(list, devices)
	}
	if len(list) == 1 {
		return list[0]
	}
	slices.SortFunc(list, func(a, b []Device) int { return strings.Compare(groupOf(a), groupOf(b)) })
	return slices.Concat(list...)
}

func groupOf(devices []Device) string {
	if len(devices) == 0 {
		return ""
	}
	return string(devices[0].Group)
}

// DeviceDetails tells all that the server knows of devices, or of all devices if none is named. Hardware and network
// take [DeviceDetails] on each.
func (c *Client) DeviceDetails(ctx context.Context, devices ...ID) ([]DeviceDetail, error) {
	m := &GetDeviceDetails{Type: "json"}
	for _, id := range devices {
		m.DeviceIDs = append(m.DeviceIDs, c.device(id))
	}
	r, err := Do(ctx, c, m)
	if err != nil {
		return nil, err
	}
	list, err := r.Details()
	if err != nil {
		return nil, requestError(m.Action(), err)
	}
	return list, nil
}

// DeviceDetailsCSV is [Client.DeviceDetails] as a table for spreadsheets.
func (c *Client) DeviceDetailsCSV(ctx context.Context, devices ...ID) (string, error) {
	m := &GetDeviceDetails{Type: "csv"}
	for _, id := range devices {
		m.DeviceIDs = append(m.DeviceIDs, c.device(id))
	}
	r, err := Do(ctx, c, m)
	if err != nil {
		return "", err
	}
	return r.Data, nil
}

// DeviceInfo is what several requests tell of one device.
type DeviceInfo struct {
	Device      Device
	System      *SysInfo          // nil: not known, or the account may not
	Network     *NetworkInfo      // the same
	LastConnect *LastConnectReply // nil: never, or not known
	Rights      Rights            // of the account on the device, if System is there
}

// DeviceInfo asks all about one device. A device that does not exist or that the account may not see is [ErrNotFound].
func (c *Client) DeviceInfo(ctx context.Context, device ID) (*DeviceInfo, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	device = c.device(device)
	var info DeviceInfo
	var found bool
	errs := make([]error, 4)
	var wg sync.WaitGroup
	wg.Go(func() {
		var list []Device
		if list, errs[0] = c.Devices(ctx, DeviceFilter{Device: device}); len(list) > 0 {
			info.Device, found = list[0], true
		}
	})
	wg.Go(func() {
		r, err := Do(ctx, c, &GetSysInfo{DeviceID: device, NodeInfo: true})
		if errs[1] = unlessRefused(err); r != nil {
			info.System, info.Rights = &r.SysInfo, r.Rights
		}
	})
	wg.Go(func() {
		r, err := Do(ctx, c, &GetNetworkInfo{DeviceID: device})
		if errs[2] = unlessRefused(err); r != nil && (r.Interfaces != nil || r.Old != nil) {
			info.Network = &r.NetworkInfo
		}
	})
	wg.Go(func() {
		r, err := Do(ctx, c, &LastConnectRequest{DeviceID: device})
		if errs[3] = unlessRefused(err); r != nil && !r.Time.IsZero() {
			info.LastConnect = r
		}
	})
	wg.Wait()
	switch {
	case errors.Join(errs...) != nil:
		return nil, errors.Join(errs...)
	case !found:
		return nil, requestError("nodes", fmt.Errorf("device %.128q: %w", string(device), ErrNotFound))
	}
	return &info, nil
}

// unlessRefused drops the error of a part that the server does not have or does not tell.
func unlessRefused(err error) error {
	var refused *ResultError
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

// EditDevice changes what the server stores of a device.
func (c *Client) EditDevice(ctx context.Context, change *ChangeDevice) error {
	return fail(Do(ctx, c, change))
}

// MoveDevices moves devices to another device group of the same type. Into one of another type, a stock server does not
// answer.
func (c *Client) MoveDevices(ctx context.Context, group ID, devices ...ID) error {
	return eachDevice(ctx, devices, func(ctx context.Context, id ID) error {
		return fail(Do(ctx, c, &ChangeDeviceMesh{DeviceIDs: []ID{id}, GroupID: group}))
	})
}

// RemoveDevices removes devices. One with an agent that runs comes back.
func (c *Client) RemoveDevices(ctx context.Context, devices ...ID) error {
	return eachDevice(ctx, devices, func(ctx context.Context, id ID) error {
		return fail(Do(ctx, c, &RemoveDevices{DeviceIDs: []ID{id}}))
	})
}

// AddLocalDevice adds a device without agent to a group of type [GroupLocal].
func (c *Client) AddLocalDevice(ctx context.Context, device *AddLocalDevice) error {
	return fail(Do(ctx, c, device))
}

// AddAMTDevice adds a device to a group of type [GroupAMT]. Servers for the internet only do not answer.
func (c *Client) AddAMTDevice(ctx context.Context, device *AddAMTDevice) error {
	return fail(Do(ctx, c, device))
}

// AddUserToDevice gives an account or a user group rights on one device. A bare name is that of an account. Rights to
// edit the group and to manage users or devices are not for devices. A stock server confirms also if it knows no such
// account, and does not answer if it knows no such device.
func (c *Client) AddUserToDevice(ctx context.Context, device, user ID, rights Rights) error {
	return c.deviceUser(ctx, &AddDeviceUser{DeviceID: device, Rights: rights}, user)
}

// RemoveUserFromDevice takes the rights on one device from an account or a user group.
func (c *Client) RemoveUserFromDevice(ctx context.Context, device, user ID) error {
	return c.deviceUser(ctx, &AddDeviceUser{DeviceID: device, Remove: true}, user)
}

func (c *Client) deviceUser(ctx context.Context, m *AddDeviceUser, user ID) error {
	if isID(user) {
		m.UserIDs = []ID{user}
	} else {
		m.Usernames = []string{string(user)}
	}
	return fail(Do(ctx, c, m))
}
