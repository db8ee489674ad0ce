package wsmantest

import (
	"strconv"
	"strings"
	"time"
)

// clockState is how far the firmware's clock is ahead of the configured one.
type clockState struct{ offset time.Duration }

func (d *Device) buildClock() {
	o := service("AMT_TimeSynchronizationService", "Intel(r) AMT Time Synchronization Service",
		"EnabledState", 5, "LocalTimeSyncEnabled", 0, "RequestedState", 12, "TimeSource", 0)
	d.define(&class{name: o.class, keys: serviceKeys, realms: []int{RealmNetworkTime}, methods: map[string]method{
		"GetLowAccuracyTimeSynch": func(c *call) (int, *fault) {
			c.set("Ta0", d.clock().Unix())
			return ok, nil
		},
		"SetHighAccuracyTimeSynch": d.setClock,
		"EnableLocalTimeSync": func(c *call) (int, *fault) {
			c.object.set("LocalTimeSyncEnabled", map[bool]int{false: 3, true: 2}[c.flag("Enable")])
			return ok, nil
		},
	}}, o)
}

// clock is the firmware's time, in whole seconds.
func (d *Device) clock() time.Time {
	return d.cfg.Now().Add(d.state.clock.offset).UTC().Truncate(time.Second)
}

// setClock is SetHighAccuracyTimeSynch(Ta0, Tm1, Tm2): Ta0 as GetLowAccuracyTimeSynch gave it, Tm1 the manager's time when
// it came, Tm2 when this was sent. What passed between, less the time that the manager took, is the round trip; half of it
// was spent on the way here.
func (d *Device) setClock(c *call) (int, *fault) {
	ta0, ok1 := c.seconds("Ta0")
	tm1, ok2 := c.seconds("Tm1")
	tm2, ok3 := c.seconds("Tm2")
	if !ok1 || !ok2 || !ok3 || tm2 < tm1 {
		return statusInvalidParameter, nil
	}
	now := d.clock().Unix()
	trip := max(0, now-ta0-(tm2-tm1))
	d.state.clock.offset += time.Duration(tm2+trip/2-now) * time.Second
	d.audit(auditNetworkTime, 0, nil, c.req)
	d.emit(EventClock, "set to %s", d.clock().Format(time.RFC3339))
	return ok, nil
}

// seconds is a time of the firmware: seconds since 1970 in 32 bits.
func (c *call) seconds(name string) (int64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(c.text(name)), 10, 32)
	return int64(n), err == nil
}

// Clock returns the firmware's time.
func (d *Device) Clock() time.Time {
	d.mu.Lock()
	defer d.unlock()
	return d.clock()
}

// SetClock changes the firmware's time.
func (d *Device) SetClock(t time.Time) {
	d.mu.Lock()
	defer d.unlock()
	d.state.clock.offset = t.Sub(d.cfg.Now())
	d.emit(EventClock, "set to %s", d.clock().Format(time.RFC3339))
}
