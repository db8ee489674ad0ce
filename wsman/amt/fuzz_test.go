package amt_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meshcentral-go/sdk/wsman"
)

// FuzzDecode reads arbitrary XML as any class, input or output: the first two bytes choose which. What can be read must come
// back the same when it is written and read again.
func FuzzDecode(f *testing.F) {
	all := messages()
	for i, m := range all {
		if i%16 == 0 {
			b, err := wsman.AppendValue([]byte{byte(i >> 8), byte(i)}, m.class, m.element, m.fresh())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	same := cmp.Options{
		// A prefix in the code of a fault that nobody declared may stand for something where it is written.
		cmp.Transformer("attributes", func(attrs []wsman.Attr) (kept [][3]string) {
			for _, a := range attrs {
				if a.Space != "http://www.w3.org/2000/xmlns/" {
					kept = append(kept, [3]string{a.Space, a.Name, a.Value})
				}
			}
			return kept
		}),
		cmp.Comparer(func(a, b time.Time) bool { return a.Unix() == b.Unix() }), // whole seconds are written
		cmp.Transformer("address", func(r wsman.Ref) [3]any {
			if r.Address == "" {
				r.Address = wsman.Anonymous // what "" is written as
			}
			return [3]any{r.Address, r.ResourceURI, r.Selectors}
		}),
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 {
			return
		}
		m := all[(int(b[0])<<8|int(b[1]))%len(all)]
		el, err := wsman.ParseElement(b[2:], wsman.Limits{Size: 1 << 14, Elements: 1000, Depth: 16})
		if err != nil {
			return
		}
		v := m.fresh()
		if wsman.Decode(el, v) != nil {
			return
		}
		out, err := wsman.AppendValue(nil, m.class, m.element, v)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		// It is longer: escaped, with its namespaces on each element.
		el, err = wsman.ParseElement(out, wsman.Limits{Size: 1 << 24, Attributes: 1 << 10})
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		again := m.fresh()
		if err := wsman.Decode(el, again); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if diff := cmp.Diff(v, again, same); diff != "" {
			t.Fatalf("%s\n%s", diff, out)
		}
	})
}

// FuzzBootParameters reads arbitrary parameters of one-click recovery.
func FuzzBootParameters(f *testing.F) {
	f.Add(bootParameterSample)
	f.Add("hoABAAAAAAA=")
	f.Add("hoABAP////8A")
	f.Fuzz(func(t *testing.T, text string) { reparse(t, text) })
}
