package wsman

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"github.com/meshcentral-go/sdk/internal/secret"
)

var fuzzLimits = Limits{Size: 1 << 14, Depth: 16, Elements: 1000}

// grownLimits are for what is written of what was read: escaped, with its namespaces on each element.
var grownLimits = Limits{Size: 1 << 24, Attributes: 1 << 10}

// What is read can be written, so that it is read the same.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{sampleGet, sampleRequest, sampleFault, testEvent, `<?xml version="1.0"?><Envelope xmlns:p="u"><Body><p:X p:y='&#65;'>a<![CDATA[b]]><!-- c --><Value>p:q</Value></p:X></Body></Envelope>`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEnvelope(b, fuzzLimits)
		if err != nil {
			return
		}
		// All in the same prefix-bearing form, as elements without a namespace cannot be below a default one.
		e.Namespaces = []Namespace{{"s", NamespaceSOAP}, {"a", NamespaceAddressing}, {"w", NamespaceWSMan}}
		first, err := AppendEnvelope(nil, e)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		again, err := ParseEnvelope(first, grownLimits)
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		again.Namespaces = e.Namespaces
		second, err := AppendEnvelope(nil, again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\n%s", err, first, second)
		}
	})
}

func FuzzFault(f *testing.F) {
	f.Add([]byte(sampleFault))
	f.Add([]byte(`<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Body><Fault><Code><Value>Sender</Value><Subcode><Value xmlns:x="urn:x">x:y</Value></Subcode></Code></Fault></Body></Envelope>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEnvelope(b, fuzzLimits)
		if err != nil {
			return
		}
		fault := e.Fault()
		if fault == nil {
			return
		}
		if len(fault.Error()) > 2000 {
			t.Fatalf("an error of %d bytes", len(fault.Error()))
		}
		fault.Detail = nil
		out, err := AppendEnvelope(nil, &Envelope{RelatesTo: "1", WriteBody: func(w *Writer) { w.Fault(fault) }})
		if err != nil {
			return // names without a namespace, below the default one
		}
		e, err = ParseEnvelope(out, grownLimits)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := e.Fault(); got.Reason != fault.Reason || got.Code != fault.Code || got.Subcode.Local != "" && got.Subcode != fault.Subcode {
			t.Fatalf("%+v became %+v", fault, got)
		}
	})
}

func FuzzDecode(f *testing.F) {
	b, err := AppendValue(nil, "AMT_Test", "AMT_Test", full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`<AMT_Test><Enabled>1</Enabled><State>true</State><Key>AA</Key><Start>20170131154009.000000-060</Start><Wake>00000001023000.000000:000</Wake><Realms/></AMT_Test>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		el, err := ParseElement(b, fuzzLimits)
		if err != nil {
			return
		}
		v := new(testClass)
		if err := Decode(el, v); err != nil {
			return
		}
		first, err := AppendValue(nil, "AMT_Test", "AMT_Test", v)
		if err != nil {
			if math.IsNaN(v.Volts) || math.IsInf(v.Volts, 0) {
				return
			}
			t.Fatalf("%v\n%s", err, b)
		}
		el, err = ParseElement(first, grownLimits)
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		again := new(testClass)
		if err := Decode(el, again); err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if second, err := AppendValue(nil, "AMT_Test", "AMT_Test", again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\n%s", err, first, second)
		}
		if v.Name != again.Name || !reflect.DeepEqual(v.Realms, again.Realms) || !reflect.DeepEqual(v.Wake, again.Wake) || len(v.Refs) != len(again.Refs) || v.Start.Unix() != again.Start.Unix() {
			t.Fatalf("%+v became %+v", v, again)
		}
	})
}

// Of what can be read, all elements that hold secrets are empty or redacted, and all others are as they were.
func FuzzRedactXML(f *testing.F) {
	for _, s := range []string{
		sampleRequest, `<a><p:Password xmlns:p="u">x</p:Password><Secret/></a>`, `<PSK>a<![CDATA[</PSK>]]>b</PSK>`,
		`<Key><KeyHint>a</KeyHint>b</Key>`, `<?xml a="?><a><Nonce>x</Nonce><b c=""/></a>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before, err := ParseElement(b, fuzzLimits)
		if err != nil {
			_ = RedactXML(b)
			return
		}
		out := RedactXML(b)
		after, err := ParseElement([]byte(out), grownLimits)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var compare func(a, b *Element)
		compare = func(a, b *Element) {
			hidden := b.Text == "" || b.Text == secret.Redacted
			if a.Name != b.Name || IsSecretName(a.Name) && (!hidden || len(b.Children) > 0) ||
				!IsSecretName(a.Name) && (a.Text != b.Text || len(a.Children) != len(b.Children)) {
				t.Fatalf("%+v became %+v\n%s", a, b, out)
			}
			for i := range b.Children {
				compare(&a.Children[i], &b.Children[i])
			}
		}
		compare(before, after)
	})
}
