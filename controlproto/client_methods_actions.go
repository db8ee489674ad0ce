package controlproto

import (
	"context"
	"iter"
	"time"
)

// Power switches devices off, resets them or puts them to sleep, by their agents or by Intel AMT. The server confirms
// before it looks at rights or asks anybody: no error does not mean that it was done.
func (c *Client) Power(ctx context.Context, action PowerAction, devices ...ID) error {
	return eachDevice(ctx, devices, func(ctx context.Context, id ID) error {
		return fail(Do(ctx, c, &PowerActionRequest{DeviceIDs: []ID{id}, Type: action}))
	})
}

// Wake wakes devices, by packets from the server and from agents in the same network. A [ResultError] says that a
// device is not known by an address.
func (c *Client) Wake(ctx context.Context, devices ...ID) error {
	return eachDevice(ctx, devices, func(ctx context.Context, id ID) error {
		return fail(Do(ctx, c, &WakeDevices{DeviceIDs: []ID{id}}))
	})
}

// Console types a line at the console of a device's agent and returns what the agent says from then on, to this session
// and by commands of others: a console has no marks where an answer ends, so the loop ends when it is broken off or
// with ctx. An error of the line itself comes first.
func (c *Client) Console(ctx context.Context, device ID, line string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		device := c.device(device)
		said := c.Messages(ctx, MessageFilter{Actions: []string{actionMsg}, Types: []string{"console"}, Devices: []ID{device}})
		if _, err := Do(ctx, c, &MsgConsole{DeviceID: device, Value: line}); err != nil {
			yield("", err)
			return
		}
		for e, err := range said {
			var m MsgConsole
			if err == nil {
				err = e.Decode(&m)
			}
			if !yield(m.Value, err) {
				return
			}
		}
	}
}

// OpenURL opens an address in the browser of who uses a device. The error says whether the agent was told.
func (c *Client) OpenURL(ctx context.Context, device ID, url string) error {
	return fail(Do(ctx, c, &MsgOpenURL{DeviceID: device, URL: url}))
}

// MessageBox shows a message on a device. The error says whether the agent was told.
func (c *Client) MessageBox(ctx context.Context, m *MsgMessageBox) error { return fail(Do(ctx, c, m)) }

// Toast shows a notice on devices. Stock servers confirm first and say for which devices it was refused afterwards,
// when nobody listens any more.
func (c *Client) Toast(ctx context.Context, title, msg string, devices ...ID) error {
	return fail(Do(ctx, c, &Toast{DeviceIDs: devices, Title: title, Msg: msg}))
}

// GroupMessage shows a message on all devices of a group whose agents are connected, for some time; zero is until it is
// closed.
func (c *Client) GroupMessage(ctx context.Context, group ID, title, msg string, shown time.Duration) error {
	devices, err := c.online(ctx, group)
	if err != nil {
		return err
	}
	return eachDevice(ctx, devices, func(ctx context.Context, id ID) error {
		return c.MessageBox(ctx, &MsgMessageBox{DeviceID: id, Title: title, Msg: msg, Timeout: &shown})
	})
}

// GroupToast shows a notice on all devices of a group whose agents are connected.
func (c *Client) GroupToast(ctx context.Context, group ID, title, msg string) error {
	devices, err := c.online(ctx, group)
	if err != nil || len(devices) == 0 {
		return err
	}
	return c.Toast(ctx, title, msg, devices...)
}

// online lists the devices of a group with a connected agent.
func (c *Client) online(ctx context.Context, group ID) ([]ID, error) {
	list, err := c.Devices(ctx, DeviceFilter{Group: group})
	var ids []ID
	for i := range list {
		if list[i].Conn&ConnAgent != 0 {
			ids = append(ids, list[i].ID)
		}
	}
	return ids, err
}
