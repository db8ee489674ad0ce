package wsmantest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
)

const (
	enumerationTime = 30 * time.Second // how long a context lives between Pulls
	enumerationMost = 8                // contexts at once; the oldest is given up
)

// enumerations are the open contexts, oldest first.
type enumerations struct {
	last uint32
	open []enumeration
}

type enumeration struct {
	id    string
	class string
	items []wsman.Element // still to be pulled
	used  time.Time
}

func (d *Device) enumerate(k *class) (*result, *fault) {
	e := enumeration{class: k.name, id: d.newContext(), used: d.cfg.Now()}
	for _, o := range d.instances(k) {
		e.items = append(e.items, o.element())
	}
	if len(d.enums.open) >= enumerationMost {
		d.enums.open = d.enums.open[1:]
	}
	d.enums.open = append(d.enums.open, e)
	return &result{body: []wsman.Element{el(wsman.NamespaceEnumeration, "EnumerateResponse",
		textEl(wsman.NamespaceEnumeration, "EnumerationContext", e.id))}}, nil
}

// newContext counts in the first bytes, as the firmware does.
func (d *Device) newContext() string {
	d.enums.last++
	n := d.enums.last
	return fmt.Sprintf("%02X%02X%02X%02X-0000-0000-0000-000000000000", byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

// take removes the context that a request names.
func (d *Device) take(req *request) (enumeration, *fault) {
	body := req.First()
	id := strings.TrimSpace(body.ChildText("EnumerationContext"))
	for i, e := range d.enums.open {
		if e.id != id {
			continue
		}
		d.enums.open = append(d.enums.open[:i:i], d.enums.open[i+1:]...)
		if e.class != req.class || d.cfg.Now().Sub(e.used) > enumerationTime {
			return e, invalidContext()
		}
		return e, nil
	}
	return enumeration{}, invalidContext()
}

// pull gives the next instances: as many as asked for (one if nothing is said), as the device gives at once, and as fit in
// MaxCharacters, but at least one.
func (d *Device) pull(req *request) (*result, *fault) {
	const ns = wsman.NamespaceEnumeration
	if first := req.First(); first == nil || first.Name != OpPull {
		return nil, schemaError()
	}
	e, f := d.take(req)
	if f != nil {
		return nil, f
	}
	most := 1
	if n, err := strconv.Atoi(strings.TrimSpace(req.First().ChildText("MaxElements"))); err == nil && n > 0 {
		most = n
	}
	most = min(most, d.cfg.Quirks.PullItems, len(e.items))
	if n, err := strconv.Atoi(strings.TrimSpace(req.First().ChildText("MaxCharacters"))); err == nil && n > 0 {
		size := 0
		for i := range most {
			if size += textSize(&e.items[i]); size > n && i > 0 {
				most = i
				break
			}
		}
	}
	items := el(ns, "Items", e.items[:most]...)
	e.items, e.used = e.items[most:], d.cfg.Now()
	answer := el(ns, "PullResponse")
	if len(e.items) > 0 {
		if !d.cfg.Quirks.SameContext {
			e.id = d.newContext()
		}
		d.enums.open = append(d.enums.open, e)
		answer.Children = []wsman.Element{textEl(ns, "EnumerationContext", e.id), items}
	} else {
		answer.Children = []wsman.Element{items, el(ns, "EndOfSequence")}
		if d.cfg.Quirks.EndFirst {
			answer.Children = []wsman.Element{el(ns, "EndOfSequence"), items}
		}
	}
	return &result{body: []wsman.Element{answer}}, nil
}

// textSize is about what an element takes when it is written.
func textSize(e *wsman.Element) int {
	n := 2*len(e.Name) + 9 + len(e.Text)
	for i := range e.Children {
		n += textSize(&e.Children[i])
	}
	return n
}

func (d *Device) release(req *request) (*result, *fault) {
	if first := req.First(); first == nil || first.Name != OpRelease {
		return nil, schemaError()
	}
	if _, f := d.take(req); f != nil {
		return nil, f
	}
	return &result{}, nil
}
