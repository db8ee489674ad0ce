package wsmantest

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	alarmMost  = 5
	alarmClass = "IPS_AlarmClockOccurrence"
)

// Alarm is a time at which the computer starts.
type Alarm struct {
	ID       string
	Name     string
	Start    time.Time
	Interval time.Duration // 0: once
	Delete   bool          // it is deleted after it rang
}

func (d *Device) buildAlarms() {
	d.define(&class{name: alarmClass, keys: []string{"InstanceID"}, realms: remoteControl, remove: func(o *object) *fault {
		d.emit(EventClock, "alarm %q was removed", o.get("InstanceID"))
		return nil
	}})
	o := service("AMT_AlarmClockService", "Intel(r) AMT Alarm Clock Service")
	d.define(&class{name: o.class, keys: serviceKeys, realms: remoteControl, methods: map[string]method{"AddAlarm": d.addAlarm}}, o)
}

// addAlarm is AMT_AlarmClockService.AddAlarm. The template's properties are in another namespace than the method's.
func (d *Device) addAlarm(c *call) (int, *fault) {
	in := c.embedded("AlarmTemplate", alarmClass)
	if in == nil || in.get("InstanceID") == "" {
		return statusInvalidParameter, nil
	}
	a, valid := alarmOf(in)
	switch {
	case !valid || !a.Start.After(d.clock()):
		return statusInvalidParameter, nil
	case len(d.classes[alarmClass].objects) >= alarmMost:
		return statusMaxLimit, nil
	case d.one(alarmClass, "InstanceID", a.ID) != nil:
		return statusDuplicate, nil
	case !d.flashWrite():
		return statusFlashLimit, nil
	}
	if a.Name == "" {
		a.Name = a.ID
	}
	o := newObject(alarmClass, "DeleteOnCompletion", a.Delete, "ElementName", a.Name, "InstanceID", a.ID, "Interval", a.Interval, "StartTime", a.Start)
	d.store(o)
	c.set("AlarmClock", d.ref(o))
	d.emit(EventClock, "alarm %q at %s", a.ID, a.Start.Format(time.RFC3339))
	return ok, nil
}

func alarmOf(o *object) (a Alarm, valid bool) {
	a = Alarm{ID: o.get("InstanceID"), Name: o.get("ElementName"), Delete: o.flag("DeleteOnCompletion")}
	var err error
	if a.Start, err = time.Parse(time.RFC3339, inner(o, "StartTime", "Datetime")); err != nil {
		return a, false
	}
	a.Start = a.Start.UTC()
	if text := inner(o, "Interval", "Interval"); text != "" {
		a.Interval, valid = parseInterval(text)
		return a, valid
	}
	return a, true
}

// inner is the text of a time, whose element is inside that of the property.
func inner(o *object, property, name string) string {
	for i := range o.props {
		if p := &o.props[i]; p.Name == property {
			if t := p.ChildText(name); t != "" {
				return strings.TrimSpace(t)
			}
			return strings.TrimSpace(p.Text)
		}
	}
	return ""
}

var intervalForm = regexp.MustCompile(`^P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:\d{1,5}(?:\.\d+)?S)?)?$`)

// parseInterval reads days, hours and minutes; the firmware knows no seconds here.
func parseInterval(text string) (time.Duration, bool) {
	m := intervalForm.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	var total time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		if n, err := strconv.Atoi(m[i+1]); err == nil {
			total += time.Duration(n) * unit
		}
	}
	return total, true
}

// Alarms returns the alarms.
func (d *Device) Alarms() []Alarm {
	d.mu.Lock()
	defer d.unlock()
	var out []Alarm
	for _, o := range d.classes[alarmClass].objects {
		a, _ := alarmOf(o)
		out = append(out, a)
	}
	return out
}

// Ring starts the computer if an alarm has come by the device's clock, as the real one does on its own, and returns the
// alarms that rang.
func (d *Device) Ring() []Alarm {
	d.mu.Lock()
	defer d.unlock()
	var rang []Alarm
	for _, o := range append([]*object(nil), d.classes[alarmClass].objects...) {
		a, _ := alarmOf(o)
		now := d.clock()
		if a.Start.After(now) {
			continue
		}
		rang = append(rang, a)
		switch {
		case a.Interval > 0:
			o.set("StartTime", a.Start.Add((now.Sub(a.Start)/a.Interval+1)*a.Interval))
		case a.Delete:
			d.discard(o)
		}
		d.emit(EventClock, "alarm %q rang", a.ID)
	}
	if len(rang) > 0 && d.power() != PowerOn {
		d.changePower(PowerOn, reasonAlarm)
	}
	return rang
}
