package wsman

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestParseElement(t *testing.T) {
	el := func(name, text string, children ...Element) Element {
		return Element{Name: name, Text: text, Children: children}
	}
	for source, want := range map[string]Element{
		"<a/>":                        el("a", ""),
		"<a />":                       el("a", ""),
		"<a></a>":                     el("a", ""),
		"<a\n></a\n>":                 el("a", ""),
		"\uFEFF<a>x</a> <!-- x -->\n": el("a", "x"),
		`<?xml version="1.0" encoding='UTF-8' standalone="yes"?> <a> x </a>`: el("a", " x "),
		"<a> <b>1</b>\n<b>2</b> </a>":                                        el("a", "", el("b", "1"), el("b", "2")),
		"<a>x<b/>y</a>":                                                      el("a", "xy", el("b", "")),
		"<a>1<!-- no --></a>":                                                el("a", "1"),
		"<a>1<!-- no -->2<!----><![CDATA[<3>&amp;]]>4</a>":                   el("a", "12<3>&amp;4"),
		"<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#x1F600;</a>":               el("a", "<>&\"'AB\U0001F600"),
		"<a>&amp;lt;</a>":                                                    el("a", "&lt;"), // once
		"<a>x\r\ny\rz</a>":                                                   el("a", "x\ny\nz"),
		"<a>&#0;&#xD800;&#1114112;\x01</a>":                                  el("a", "\uFFFD\uFFFD\uFFFD\uFFFD"),
		"<a>caf\xe9</a>":                                                     el("a", "caf\uFFFD"),
		"<x:a>1</x:a>":                                                       el("a", "1"), // an undeclared prefix
		"<größe>ü</größe>":                                                   el("größe", "ü"),
	} {
		got, err := ParseElement([]byte(source), Limits{})
		require.NoError(t, err, "%q", source)
		require.Equal(t, want, *got, "%q", source)
	}
}

func TestNamespaces(t *testing.T) {
	got, err := ParseElement([]byte(`<a xmlns="urn:1" xmlns:p= "urn:2" p:x = '1' y="a&#10;b&quot;`+"\n"+`"><p:b xmlns:p="urn:3" p:z="2"/><b xmlns=""/><p:b/></a>`), Limits{})
	require.NoError(t, err)
	require.Equal(t, &Element{
		Space: "urn:1", Name: "a", Attrs: []Attr{{"urn:2", "x", "1"}, {"", "y", "a\nb\" "}},
		Children: []Element{{Space: "urn:3", Name: "b", Attrs: []Attr{{"urn:3", "z", "2"}}}, {Name: "b"}, {Space: "urn:2", Name: "b"}},
	}, got)
	require.Equal(t, "1", got.Attr("x"))
	require.Equal(t, "", got.Attr("none"))
	require.Nil(t, got.Path("b", "c", "d"))
}

// Blanks between elements are no text, however they are written, and text that is XML's can be written again.
func TestTextThatIsNone(t *testing.T) {
	for xml, want := range map[string]Element{
		"<X> <!-- c -->\n<Y></Y></X>":                          {Name: "X", Children: []Element{{Name: "Y"}}},
		"<X><Y/>&#32;<![CDATA[\n]]></X>":                       {Name: "X", Children: []Element{{Name: "Y"}}},
		"<X><Y/>&#32;t</X>":                                    {Name: "X", Text: " t", Children: []Element{{Name: "Y"}}},
		"<X> <!-- c -->&#32;</X>":                              {Name: "X", Text: "  "},
		"<X a=\"\uFFFE\">\uFFFF<![CDATA[\uFFFE]]></X>":         {Name: "X", Attrs: []Attr{{Name: "a", Value: "\uFFFD"}}, Text: "\uFFFD\uFFFD"},
		`<X p:xmlns="u"/>`:                                     {Name: "X"},
		`<X xmlns:p="http://www.w3.org/2000/xmlns/" p:a="u"/>`: {Name: "X"},
	} {
		el, err := ParseElement([]byte(xml), Limits{})
		require.NoError(t, err)
		require.Equal(t, want, *el, xml)
	}
	_, err := ParseElement([]byte(`<X xmlns="`+strings.Repeat("u", maxNamespace+1)+`"/>`), Limits{})
	require.ErrorIs(t, err, ErrTooLarge)
	w := NewWriter(nil)
	w.Start("", "X", Attr{Name: "xmlns", Value: "u"})
	require.Error(t, w.Err())
}

// The prefix in the code of a fault stays declared when the fault is passed on as elements.
func TestCodePrefixIsWritten(t *testing.T) {
	el, err := ParseElement([]byte(`<Code xmlns:q="urn:q"><Value>q:Code</Value></Code>`), Limits{})
	require.NoError(t, err)
	w := NewWriter(nil)
	w.Element(el)
	b, err := w.Bytes()
	require.NoError(t, err)
	require.Equal(t, `<Code><Value xmlns:q="urn:q">q:Code</Value></Code>`, string(b))
}

func TestHostileXML(t *testing.T) {
	many := func(n int, s string) string { return strings.Repeat(s, n) }
	attributes := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ` a%d="x"`, i)
		}
		return b.String()
	}
	for source, want := range map[string]error{
		"":                                ErrMalformed,
		" ":                               ErrMalformed,
		"x":                               ErrMalformed,
		"<a>":                             ErrMalformed,
		"<a></b>":                         ErrMalformed,
		"<a></ab>":                        ErrMalformed,
		"<a></a":                          ErrMalformed,
		"</a>":                            ErrMalformed,
		"<a/><b/>":                        ErrMalformed,
		"<a/>x":                           ErrMalformed,
		"x<a/>":                           ErrMalformed,
		"<a/></a>":                        ErrMalformed,
		"<>":                              ErrMalformed,
		"< a/>":                           ErrMalformed,
		"<a/ >":                           ErrMalformed,
		"<:a/>":                           ErrMalformed,
		"<a:/>":                           ErrMalformed,
		"<a:b:c/>":                        ErrMalformed,
		"<1/>":                            ErrMalformed,
		"<a b/>":                          ErrMalformed,
		"<a b=c/>":                        ErrMalformed,
		"<a b='c/>":                       ErrMalformed,
		"<a b='<'/>":                      ErrMalformed,
		"<a b='c'd='e'/>":                 ErrMalformed,
		"<a":                              ErrMalformed,
		"<a b":                            ErrMalformed,
		"<a b=":                           ErrMalformed,
		"<!-- <a/>":                       ErrMalformed,
		"<a><![CDATA[ </a>":               ErrMalformed,
		"<![CDATA[x]]><a/>":               ErrMalformed,
		"<a>&nbsp;</a>":                   ErrMalformed,
		"<a>& </a>":                       ErrMalformed,
		"<a>&#x;</a>":                     ErrMalformed,
		"<a>&#+65;</a>":                   ErrMalformed,
		"<a>&#xFFFFFFFFFF;</a>":           ErrMalformed,
		"<a>&" + many(100, "a") + ";</a>": ErrMalformed,
		"<?xml version='1.0'":             ErrMalformed,
		"<?xml version='1.0' encoding='ISO-8859-1'?><a/>": ErrMalformed,
		"<?php x ?><a/>": ErrMalformed,
		"<a><?x?></a>":   ErrMalformed,
		`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`:     ErrMalformed,
		`<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`: ErrMalformed,
		"<a><!ELEMENT x></a>":                          ErrMalformed,
		many(33, "<a>") + many(33, "</a>"):             ErrTooLarge,
		many(200000, "<a>"):                            ErrTooLarge,
		"<a>" + many(70000, "<b/>") + "</a>":           ErrTooLarge,
		"<a" + attributes(65) + "/>":                   ErrTooLarge,
		"<a>" + many(1<<20, "x") + "</a>":              ErrTooLarge,
	} {
		_, err := ParseElement([]byte(source), Limits{})
		require.ErrorIs(t, err, want, "%.60q", source)
		require.Less(t, len(err.Error()), 400)
	}
	// Prefixes in force are bounded: each name looks through them.
	var b strings.Builder
	for i := range 10 {
		b.WriteString("<a")
		for j := range 50 {
			fmt.Fprintf(&b, ` xmlns:p%d="u"`, 100*i+j)
		}
		b.WriteString(">")
	}
	_, err := ParseElement([]byte(b.String()), Limits{})
	require.ErrorIs(t, err, ErrTooLarge)
	// Text in many pieces is joined without copying it each time.
	got, err := ParseElement([]byte("<a>"+many(60000, "x<!---->")+"</a>"), Limits{})
	require.NoError(t, err)
	require.Len(t, got.Text, 60000)
	// A long text before many elements is looked through once: else this takes a minute.
	got, err = ParseElement([]byte("<a>"+many(700<<10, " ")+"x"+many(60000, "<b/>")+"</a>"), Limits{})
	require.NoError(t, err)
	require.Len(t, got.Children, 60000)
}

const sampleFault = `<?xml version="1.0" encoding="UTF-8"?><a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope" xmlns:b="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:c="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:e="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><a:Header><b:RelatesTo>7</b:RelatesTo><b:Action a:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/fault</b:Action></a:Header><a:Body><a:Fault><a:Code><a:Value>a:Sender</a:Value><a:Subcode><a:Value>b:DestinationUnreachable</a:Value></a:Subcode></a:Code><a:Reason><a:Text xml:lang="en-US">No route can be determined to reach the destination role defined by the WSAddressing To.</a:Text></a:Reason><a:Detail></a:Detail></a:Fault></a:Body></a:Envelope>`

const sampleGet = `<?xml version="1.0" encoding="UTF-8"?><a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope" xmlns:b="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:c="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:g="http://intel.com/wbem/wscim/1/amt-schema/1/AMT_TLSSettingData" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><a:Header><b:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</b:To><b:RelatesTo>7</b:RelatesTo><b:Action a:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse</b:Action><b:MessageID>uuid:00000000-8086-8086-8086-000000000101</b:MessageID><c:ResourceURI>http://intel.com/wbem/wscim/1/amt-schema/1/AMT_TLSSettingData</c:ResourceURI></a:Header><a:Body><g:AMT_TLSSettingData><g:AcceptNonSecureConnections>false</g:AcceptNonSecureConnections><g:ElementName>Intel(r) AMT 802.3 TLS Settings</g:ElementName><g:Enabled>true</g:Enabled><g:InstanceID>Intel(r) AMT 802.3 TLS Settings</g:InstanceID><g:MutualAuthentication>false</g:MutualAuthentication></g:AMT_TLSSettingData></a:Body></a:Envelope>`

const sampleRequest = `<?xml version="1.0" encoding="utf-8"?>
<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">
<Header>
 <a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action><a:To>/wsman</a:To>
 <w:ResourceURI>http://intel.com/wbem/wscim/1/amt-schema/1/AMT_TLSSettingData</w:ResourceURI>
 <a:MessageID>7</a:MessageID>
 <a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>
 <w:OperationTimeout>PT60S</w:OperationTimeout>
 <w:SelectorSet><w:Selector Name="InstanceID">Intel(r) AMT 802.3 TLS Settings</w:Selector></w:SelectorSet>
</Header><Body></Body></Envelope>`

// Each prefix of a message is refused, without a panic, and with an error that says so.
func TestEnvelopePrefixes(t *testing.T) {
	for _, whole := range []string{sampleGet, sampleFault, sampleRequest, testEvent} {
		_, err := ParseEnvelope([]byte(whole), Limits{})
		require.NoError(t, err)
		for i := range whole {
			_, err := ParseEnvelope([]byte(whole[:i]), Limits{})
			require.ErrorIs(t, err, ErrMalformed, "%d", i)
		}
	}
}

func TestEnvelopeSamples(t *testing.T) {
	e, err := ParseEnvelope([]byte(sampleRequest), Limits{})
	require.NoError(t, err)
	want, err := AppendEnvelope(nil, e)
	require.NoError(t, err)
	require.Equal(t, strings.NewReplacer("\n ", "", "\n", "", "\r", "").Replace(sampleRequest), string(want))

	e, err = ParseEnvelope([]byte(sampleGet), Limits{})
	require.NoError(t, err)
	require.Nil(t, e.Fault())
	require.Equal(t, ActionGet+ResponseSuffix, e.Action)
	require.Equal(t, "7", e.RelatesTo)
	require.Equal(t, "AMT_TLSSettingData", ClassName(e.ResourceURI))
	require.Equal(t, "true", e.First().ChildText("Enabled"))
	require.Equal(t, ResourceURI("AMT_TLSSettingData"), e.First().Space)
	again, err := AppendEnvelope(nil, e)
	require.NoError(t, err)
	e2, err := ParseEnvelope(again, Limits{})
	require.NoError(t, err)
	require.Equal(t, e, e2)

	e, err = ParseEnvelope([]byte(sampleFault), Limits{})
	require.NoError(t, err)
	f := e.Fault()
	require.Equal(t, QName{NamespaceAddressing, "DestinationUnreachable"}, f.Subcode)
	require.ErrorIs(t, f, ErrUnsupported)
	// One of ours is read the same, by whatever prefix.
	again, err = AppendEnvelope(nil, &Envelope{RelatesTo: "7", WriteBody: func(w *Writer) { w.Fault(f) }})
	require.NoError(t, err)
	e, err = ParseEnvelope(again, Limits{})
	require.NoError(t, err)
	require.Equal(t, f, e.Fault())
	f.Subcode = QName{"urn:odd", "Odd"}
	again, err = AppendEnvelope(nil, &Envelope{RelatesTo: "7", WriteBody: func(w *Writer) { w.Fault(f) }})
	require.NoError(t, err)
	e, err = ParseEnvelope(again, Limits{})
	require.NoError(t, err)
	require.Equal(t, f, e.Fault())
}

// Missing namespaces, other prefixes, another order: firmware is not of one mind.
func TestEnvelopeLenient(t *testing.T) {
	e, err := ParseEnvelope([]byte("<Envelope><Body><X/></Body><Header><Action> a </Action><OperationTimeout>soon</OperationTimeout></Header></Envelope>"), Limits{})
	require.NoError(t, err)
	require.Equal(t, "a", e.Action)
	require.Equal(t, "X", e.First().Name)
	for _, s := range []string{"<Envelop/>", "<Envelope/>", "<Envelope><Header/></Envelope>"} {
		_, err = ParseEnvelope([]byte(s), Limits{})
		require.ErrorIs(t, err, ErrMalformed)
	}
	// References within references end somewhere.
	deep := strings.Repeat(`<Selector Name="a"><EndpointReference><ReferenceParameters><SelectorSet>`, 12) +
		strings.Repeat(`</SelectorSet></ReferenceParameters></EndpointReference></Selector>`, 12)
	_, err = ParseEnvelope([]byte("<Envelope><Header><SelectorSet>"+deep+"</SelectorSet></Header><Body/></Envelope>"), Limits{Depth: 100})
	require.ErrorIs(t, err, ErrMalformed)
}

func TestFaultText(t *testing.T) {
	f := &Fault{Subcode: QName{Local: "x\ny"}, Code: QName{Local: "Sender"}, Reason: strings.Repeat("r", 500), Detail: []Element{{Name: "Secret", Text: "s3"}}}
	s := fmt.Sprintf("%v %+v", f, f)
	require.NotContains(t, s, "\n")
	require.NotContains(t, s, "s3")
	require.Less(t, len(s), 500)
	require.True(t, utf8.ValidString(s))
	require.Equal(t, "wsman: fault Sender", (&Fault{Code: QName{Local: "Sender"}}).Error())
}

func TestWriter(t *testing.T) {
	write := func(f func(w *Writer), declared ...Namespace) (string, error) {
		w := NewWriter(nil, declared...)
		f(w)
		b, err := w.Bytes()
		return string(b), err
	}
	s, err := write(func(w *Writer) {
		w.Start("urn:a", "A", Attr{"urn:b", "k", "<\"&\n>"}, Attr{"", "l", "1"})
		w.Leaf("urn:a", "B", "a & b < c > \"d\"\r")
		w.Leaf("urn:b", "C", "")
		w.End()
	})
	require.NoError(t, err)
	require.Equal(t, `<r:A xmlns:r="urn:a" xmlns:s="urn:b" s:k="&lt;&quot;&amp;&#xA;&gt;" l="1"><r:B>a &amp; b &lt; c &gt; "d"&#xD;</r:B><s:C></s:C></r:A>`, s)
	s, err = write(func(w *Writer) { w.Leaf("urn:a", "A", "x") }, Namespace{"g", "urn:a"})
	require.NoError(t, err)
	require.Equal(t, "<g:A>x</g:A>", s)
	// A prefix that was declared anew within is not used for what it stood for outside.
	s, err = write(func(w *Writer) {
		w.start("urn:a", "A", []Namespace{{"p", "urn:a"}}, nil)
		w.start("urn:b", "B", []Namespace{{"p", "urn:b"}}, nil)
		w.Leaf("urn:a", "C", "")
		w.End()
		w.Leaf("urn:a", "D", "")
		w.End()
	})
	require.NoError(t, err)
	require.Equal(t, `<p:A xmlns:p="urn:a"><p:B xmlns:p="urn:b"><r:C xmlns:r="urn:a"></r:C></p:B><p:D></p:D></p:A>`, s)
	deep := &Element{Name: "a"}
	for range 100 {
		deep = &Element{Name: "a", Children: []Element{*deep}}
	}
	loop := Ref{ResourceURI: "u"}
	loop.Selectors = []Selector{{Name: "x", Ref: &loop}}
	for name, f := range map[string]func(w *Writer){
		"injection in a name":     func(w *Writer) { w.Leaf("", "a><b", "") },
		"no name":                 func(w *Writer) { w.Leaf("", "", "") },
		"attribute":               func(w *Writer) { w.Leaf("", "a", "", Attr{"", "b='", ""}) },
		"control character":       func(w *Writer) { w.Leaf("", "a", "\x00") },
		"no UTF-8":                func(w *Writer) { w.Leaf("", "a", "\xff") },
		"not ended":               func(w *Writer) { w.Start("", "a") },
		"ended twice":             func(w *Writer) { w.Leaf("", "a", ""); w.End() },
		"too deep":                func(w *Writer) { w.Element(deep) },
		"a reference to itself":   func(w *Writer) { w.Start("", "a"); w.Ref(loop); w.End() },
		"no namespace in another": func(w *Writer) { w.start("u", "a", []Namespace{{"", "u"}}, nil); w.Leaf("", "b", ""); w.End() },
	} {
		_, err := write(f)
		require.Error(t, err, name)
	}
}

func TestRedactXML(t *testing.T) {
	for source, want := range map[string]string{
		"<a>b</a>": "<a>b</a>",
		"<a><g:Password x='>'>p</g:Password><b/></a>":             "<a><g:Password x='>'>[redacted]</g:Password><b/></a>",
		"<PSKPassPhrase>p":                                        "<PSKPassPhrase>[redacted]",
		"<RFBPassword></RFBPassword>":                             "<RFBPassword></RFBPassword>",
		"<RFBPassword/><x>y</x>":                                  "<RFBPassword/><x>y</x>",
		"<!-- <Password>p</Password> --><x/>":                     "<!-- <Password>p</Password> --><x/>",
		"<x <":                                                    "[redacted]",
		"text":                                                    "text",
		"<PSK>a<![CDATA[</PSK>]]>b</PSK><x>y</x>":                 "<PSK>[redacted]</PSK><x>y</x>",
		"<Key><KeyHint>a</KeyHint>b</Key>":                        "<Key>[redacted]</Key>",
		"<Key><b/><Key>a</Key>b</Key><x>y</x>":                    "<Key>[redacted]</Key><x>y</x>",
		`<?xml a="?><Nonce>n</Nonce><b c="">y</b>`:                `<?xml a="?><Nonce>[redacted]</Nonce><b c="">y</b>`,
		"<x a='1'><ConfigurationNonce>n</ConfigurationNonce></x>": "<x a='1'><ConfigurationNonce>[redacted]</ConfigurationNonce></x>",
	} {
		require.Equal(t, want, RedactXML([]byte(source)))
	}
}
