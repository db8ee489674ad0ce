package flows

import (
	"context"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// MaxAlarms is how many alarms a device keeps.
const MaxAlarms = 5

// Alarms lists the times at which the device wakes the host.
//
// Steps: Enumerate IPS_AlarmClockOccurrence.
func (d *Device) Alarms(ctx context.Context) (alarms []*ips.AlarmClockOccurrence, err error) {
	f := d.begin("alarms")
	err = f.do("list them", func() (err error) {
		alarms, err = collect[ips.AlarmClockOccurrence](ctx, f.Client)
		return err
	})
	return alarms, err
}

// AddAlarm wakes the host at a time, which is cut to whole seconds, and from then on at each interval, if there is one. Without
// one the alarm is removed when it has gone off. The name identifies it; there can be [MaxAlarms].
//
// Steps: AMT_AlarmClockService.AddAlarm.
func (d *Device) AddAlarm(ctx context.Context, name string, at time.Time, interval time.Duration) error {
	f := d.begin("alarms")
	return f.do("add one", func() error {
		at = at.UTC().Truncate(time.Second)
		if name == "" || !at.After(f.now()) || interval < 0 || interval%time.Minute != 0 {
			return fmt.Errorf("%w: an alarm has a name, a time to come and an interval of whole minutes, not %.40q, %v and %v", ErrInput, name, at, interval)
		}
		in := &amt.AlarmClockServiceAddAlarm{AlarmTemplate: &ips.AlarmClockOccurrence{
			InstanceID: name, ElementName: name, StartTime: at, Interval: interval, DeleteOnCompletion: interval == 0,
		}}
		_, err := in.Invoke(ctx, f.Client)
		return err
	})
}

// RemoveAlarm removes an alarm by its name.
//
// Steps: Delete IPS_AlarmClockOccurrence.
func (d *Device) RemoveAlarm(ctx context.Context, name string) error {
	return d.begin("alarms").do("remove one", func() error {
		return wsman.Delete[ips.AlarmClockOccurrence](ctx, d.Client, wsman.Key("InstanceID", name))
	})
}
