package wsmantest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
)

// put replaces an instance. As on the firmware, a text or list that is missing is unset, so that who wants to change one
// property sends them all; numbers and booleans that are missing stay.
func (d *Device) put(req *request, k *class) (*result, *fault) {
	old, f := d.find(k, req.Selectors)
	if f != nil {
		return nil, f
	}
	// An instance of a subclass is written through its own class.
	if k = d.classes[old.class]; k.put == nil {
		return nil, actionNotSupported()
	}
	body := req.First()
	if body == nil || body.Name != old.class && body.Name != req.class {
		return nil, schemaError()
	}
	sent := objectFrom(old.class, body)
	o, f := d.merge(k, old, sent)
	if f != nil {
		return nil, f
	}
	if f := k.put(req, old, o); f != nil {
		return nil, f
	}
	if !slices.EqualFunc(old.props, o.props, sameElement) {
		if f := d.flashFault(); f != nil {
			return nil, f
		}
		old.props = o.props
		d.emit(EventSettings, "%s was changed", old.class)
	}
	return &result{body: []wsman.Element{old.element()}}, nil
}

// merge gives the instance that a Put asks for.
func (d *Device) merge(k *class, old, sent *object) (*object, *fault) {
	o := old.clone()
	for _, p := range sent.props {
		if !old.has(p.Name) && !slices.Contains(k.optional, p.Name) && d.cfg.Quirks.StrictPut {
			return nil, invalidRepresentation()
		}
	}
	names := append(slices.Clone(k.optional), namesOf(old)...)
	for _, name := range names {
		if slices.Contains(k.readOnly, name) || slices.Contains(k.keys, name) {
			continue
		}
		was, now := old.get(name), sent.all(name)
		scalar := isScalar(was) && !slices.Contains(k.texts, name)
		switch {
		case len(now) == 0 && (scalar || structured(old.all(name))):
			continue // stays
		case len(now) == 0 && slices.Contains(k.optional, name):
			o.set(name, nil)
		case len(now) == 0:
			o.set(name, "")
		case scalar && !fits(was, now[0].Text):
			return nil, schemaError() // "undefined", say, for a number
		default:
			o.set(name, now)
		}
	}
	return o, nil
}

func namesOf(o *object) []string {
	var out []string
	for _, p := range o.props {
		if !slices.Contains(out, p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}

// structured says whether a value is a time or a reference.
func structured(values []wsman.Element) bool {
	return len(values) > 0 && len(values[0].Children) > 0
}

// isScalar says whether a value is a boolean or a number, by its form.
func isScalar(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil || text == "true" || text == "false"
}

// fits says whether a value may follow another one: a boolean a boolean, a number a number.
func fits(was, now string) bool {
	now = strings.TrimSpace(now)
	if was == "true" || was == "false" {
		_, ok := parseBool(now)
		return ok
	}
	if isScalar(was) && now != "" {
		if now == "true" || now == "false" { // MeshCentral writes these for 1 and 0 here and there
			return was == "0" || was == "1"
		}
		return isScalar(now)
	}
	return true
}

func sameElement(a, b wsman.Element) bool {
	return a.Name == b.Name && a.Text == b.Text && slices.EqualFunc(a.Children, b.Children, sameElement)
}

// create makes an instance.
func (d *Device) create(req *request, k *class) (*result, *fault) {
	body := req.First()
	if k.create == nil {
		return nil, actionNotSupported()
	}
	if body == nil || body.Name != k.name {
		return nil, schemaError()
	}
	o, f := k.create(objectFrom(k.name, body))
	if f != nil {
		return nil, f
	}
	if f := d.flashFault(); f != nil {
		return nil, f
	}
	k.objects = append(k.objects, o)
	d.emit(EventSettings, "an instance of %s was made", k.name)
	created := refElement(wsman.NamespaceTransfer, "ResourceCreated", d.ref(o))
	return &result{body: []wsman.Element{created}}, nil
}

// delete removes an instance.
func (d *Device) delete(req *request, k *class) (*result, *fault) {
	if len(req.Selectors) == 0 && len(k.keys) > 0 {
		return nil, invalidSelectors()
	}
	o, f := d.find(k, req.Selectors)
	if f != nil {
		return nil, f
	}
	if k = d.classes[o.class]; k.remove == nil {
		return nil, actionNotSupported()
	}
	if f := k.remove(o); f != nil {
		return nil, f
	}
	if f := d.flashFault(); f != nil {
		return nil, f
	}
	d.discard(o)
	d.emit(EventSettings, "an instance of %s was deleted", o.class)
	return &result{}, nil
}

// flashWrite counts a change of the flash and says whether it was one too many.
func (d *Device) flashWrite() bool {
	d.writes++
	most := d.cfg.Quirks.FlashWrites
	return most == 0 || d.writes <= most
}

func (d *Device) flashFault() *fault {
	if !d.flashWrite() {
		return quotaLimit()
	}
	return nil
}
