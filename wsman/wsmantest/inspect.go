package wsmantest

import (
	"fmt"
	"slices"

	"github.com/meshcentral-go/sdk/wsman"
)

// callMost is how many calls are remembered.
const callMost = 10000

// Call is a request that the device answered, after its digest was right.
type Call struct {
	Class       string
	Op          string // an operation or the name of a method
	Selectors   []wsman.Selector
	User        string
	Port        uint16
	Status      int    // of HTTP; 0 if nothing was answered
	ReturnValue int    // of a method
	Fault       string // the subcode of a fault
}

// String gives class and operation.
func (c Call) String() string {
	text := fmt.Sprintf("%s.%s %d", c.Class, c.Op, c.Status)
	switch {
	case c.Fault != "":
		text += " " + c.Fault
	case c.ReturnValue != 0:
		text += fmt.Sprintf(" ReturnValue %d", c.ReturnValue)
	}
	return text
}

// record keeps a call.
func (d *Device) record(c Call) {
	if len(d.calls) >= callMost {
		d.calls = slices.Delete(d.calls, 0, callMost/10)
	}
	d.calls = append(d.calls, c)
	d.changedLocked()
	d.log.Debug("wsmantest: call", "class", c.Class, "op", c.Op, "user", c.User, "port", c.Port, "status", c.Status, "fault", c.Fault, "value", c.ReturnValue)
}

// Calls returns the requests that were answered, oldest first; the last ten thousand of them.
func (d *Device) Calls() []Call {
	d.mu.Lock()
	defer d.unlock()
	return slices.Clone(d.calls)
}

// Called says how many calls there were of a class and an operation or method. Empty texts match any.
func (d *Device) Called(class, op string) int {
	d.mu.Lock()
	defer d.unlock()
	n := 0
	for _, c := range d.calls {
		if (class == "" || c.Class == class) && (op == "" || c.Op == op) {
			n++
		}
	}
	return n
}

// ClearCalls forgets the calls.
func (d *Device) ClearCalls() {
	d.mu.Lock()
	defer d.unlock()
	d.calls = nil
}

// Connections returns how many connections the device serves.
func (d *Device) Connections() int {
	d.mu.Lock()
	defer d.unlock()
	return len(d.conns)
}
