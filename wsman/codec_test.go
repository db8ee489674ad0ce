package wsman

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

type testState uint16

type testNested struct {
	SSID string `wsman:"SSID"`
	PSK  Secret `wsman:"PSKPassPhrase,omitempty"`
}

func (*testNested) Class() string { return "CIM_WiFiEndpointSettings" }

type testClass struct {
	Name     string         `wsman:"Name"`
	Enabled  bool           `wsman:"Enabled"`
	State    testState      `wsman:"State"`
	Offset   int32          `wsman:"Offset"`
	Capacity uint64         `wsman:"Capacity"`
	Volts    float64        `wsman:"Volts,omitempty"`
	Key      []byte         `wsman:"Key"`
	Start    time.Time      `wsman:"Start"`
	Wake     *time.Duration `wsman:"Wake"`
	Owner    Ref            `wsman:"Owner"`
	Realms   []uint32       `wsman:"Realms"`
	Refs     []Ref          `wsman:"Refs"`
	Mode     *uint8         `wsman:"Mode"`
	Settings *testNested    `wsman:"Settings"`
	Ignored  string
	Present  Present
	Extra    []Element
}

func (*testClass) Class() string { return "AMT_Test" }

func full() *testClass {
	wake, mode := 26*time.Hour+30*time.Minute, uint8(0)
	return &testClass{
		Name: `a <b> & "c" 'd' ü`, Enabled: true, State: 3, Offset: -4, Capacity: 1<<64 - 1, Volts: 1.5, Key: []byte{0, 255, 1},
		Start: time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC), Wake: &wake,
		Owner:    NewRef("CIM_ComputerSystem", Key("Name", "a&b"), RefKey("Handler", NewRef("CIM_X", Key("k", "v")))),
		Realms:   []uint32{2, 4294967295},
		Refs:     []Ref{{Address: "/wsman", ResourceURI: "u"}, {Address: Anonymous, ResourceURI: "v"}},
		Mode:     &mode,
		Settings: &testNested{SSID: "home", PSK: NewSecret("pass<word")},
		Extra:    []Element{{Space: "urn:other", Name: "OEM", Attrs: []Attr{{Name: "k", Value: `"v"`}}, Children: []Element{{Space: "urn:x", Name: "Y", Text: "1"}}}},
	}
}

func TestValueRoundTrip(t *testing.T) {
	b, err := AppendValue(nil, "AMT_Test", "AMT_Test", full())
	require.NoError(t, err)
	el, err := ParseElement(b, Limits{})
	require.NoError(t, err)
	got := new(testClass)
	require.NoError(t, Decode(el, got))
	want := full()
	want.Owner.Address = Anonymous
	want.Owner.Selectors[1].Ref.Address = Anonymous
	secrets := cmp.Comparer(func(a, b Secret) bool { return a.Equal(b) })
	if diff := cmp.Diff(want, got, secrets); diff != "" {
		t.Fatal(diff)
	}
	again, err := AppendValue(nil, "AMT_Test", "AMT_Test", got)
	require.NoError(t, err)
	require.Equal(t, string(b), string(again))
	require.Contains(t, string(b), `<r:Settings xmlns:s="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_WiFiEndpointSettings"><s:SSID>home</s:SSID>`)
	require.False(t, strings.Contains(string(b), "/>"))
}

func decodeTest(t *testing.T, xml string) (*testClass, error) {
	t.Helper()
	el, err := ParseElement([]byte(xml), Limits{})
	require.NoError(t, err)
	v := new(testClass)
	return v, Decode(el, v)
}

func TestLenientDecode(t *testing.T) {
	v, err := decodeTest(t, `<x xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><y:Enabled xmlns:y="urn:any"> 1 </y:Enabled><State>true</State><Offset/>`+
		`<Key> AA
 E= </Key><Realms>7</Realms><Mode xsi:nil="true"/><Name>first</Name><Name>second</Name><Unknown>1</Unknown><Unknown>2</Unknown>`+
		`<Start>2017-01-31T15:40:09.123</Start><Owner><EndpointReference><Address> default </Address></EndpointReference></Owner><Wake>PT0S</Wake></x>`)
	require.NoError(t, err)
	require.True(t, v.Enabled)
	require.EqualValues(t, 1, v.State)
	require.Equal(t, []byte{0, 1}, v.Key)
	require.Equal(t, []uint32{7}, v.Realms)
	require.Nil(t, v.Mode)
	require.Equal(t, "first", v.Name)
	require.Len(t, v.Extra, 2)
	require.Equal(t, time.Date(2017, 1, 31, 15, 40, 9, 123e6, time.UTC), v.Start)
	require.True(t, v.Owner.IsZero())
	require.Equal(t, "default", v.Owner.Address)
	require.Zero(t, *v.Wake)
}

func TestDecodeErrors(t *testing.T) {
	for xml, want := range map[string]string{
		"<x><State>70000</State></x>":                 `wsman: element x.State does not fit wsman.testState: value out of range: "70000"`,
		"<x><State>-1</State></x>":                    `wsman: element x.State does not fit wsman.testState: invalid syntax: "-1"`,
		"<x><Enabled>maybe</Enabled></x>":             `wsman: element x.Enabled does not fit bool: no boolean: "maybe"`,
		"<x><Key>***</Key></x>":                       `wsman: element x.Key does not fit []uint8: no base64`,
		"<x><Start>soon</Start></x>":                  `wsman: element x.Start does not fit time.Time: no date and time: "soon"`,
		"<x><Wake>P1M</Wake></x>":                     `wsman: element x.Wake does not fit time.Duration: no interval of days, hours, minutes and seconds`,
		"<x><Volts>1,5</Volts></x>":                   `wsman: element x.Volts does not fit float64: invalid syntax: "1,5"`,
		"<x><Realms>1</Realms><Realms>a</Realms></x>": `wsman: element x.Realms does not fit uint32: invalid syntax: "a"`,
		"<x><Offset>9223372036854775808</Offset></x>": `wsman: element x.Offset does not fit int32: value out of range: "9223372036854775808"`,
	} {
		_, err := decodeTest(t, xml)
		require.ErrorIs(t, err, ErrMalformed)
		require.EqualError(t, err, want)
	}
	require.ErrorIs(t, Decode(nil, new(testClass)), ErrMalformed)
	require.Error(t, Decode(&Element{}, testClass{}))
	require.Error(t, Decode(&Element{}, (*testClass)(nil)))
	require.Error(t, Decode(&Element{}, nil))
	for _, bad := range []any{
		new(map[string]string), new([][]string), new(**string), new(chan int),
		new(struct {
			A int `wsman:"A"`
			B int `wsman:"A"`
		}), new(struct {
			A int `wsman:"A,other"`
		}), new(struct {
			A int `wsman:"<"`
		}), new(struct {
			a int `wsman:"A"`
		}), new(struct {
			A func() `wsman:"A"`
		}),
	} {
		require.Error(t, Decode(&Element{}, bad), "%T", bad)
		_, err := AppendValue(nil, "u", "x", bad)
		require.Error(t, err, "%T", bad)
	}
	for _, bad := range []any{nil, (*testClass)(nil), "\x00", "\xff", -time.Second, math.NaN()} {
		_, err := AppendValue(nil, "u", "x", bad)
		require.Error(t, err, "%v", bad)
	}
}

func TestIntervals(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "PT0S": 0, "P1DT2H30M": 26*time.Hour + 30*time.Minute, "P1DT0H0M": 24 * time.Hour, "PT1.5S": 1500 * time.Millisecond,
		"P2W": 14 * 24 * time.Hour, "00000001023000.000000:000": 26*time.Hour + 30*time.Minute, "PT60S": time.Minute,
		"00000000000001.000002:000": time.Second + 2*time.Microsecond,
	} {
		got, err := parseInterval(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		again, err := parseInterval(string(appendInterval([]byte(nil), got)))
		require.NoError(t, err)
		require.Equal(t, want, again)
	}
	for _, text := range []string{"P", "PT", "P1", "1D", "PT1D", "P1S", "P1DT", "P1M", "P1Y", "P-1D", "PTTS", "PT1.5M", "P99999999999D", "P4294967295W",
		"00000001023000.000000:001", "0000000102300a.000000:000", "99999999999999.999999:000"} {
		_, err := parseInterval(text)
		require.Error(t, err, text)
	}
	for d, want := range map[time.Duration]string{24 * time.Hour: "P1D", 26*time.Hour + 30*time.Minute: "P1DT2H30M", 0: "PT0S", 90 * time.Second: "PT1M30S"} {
		require.Equal(t, want, string(appendInterval(nil, d)))
	}
	for text, want := range map[string]string{
		"2017-01-31T15:40:09.000Z": "2017-01-31T15:40:09Z", "2017-01-31T15:40:09+02:00": "2017-01-31T13:40:09Z",
		"2017-01-31": "2017-01-31T00:00:00Z", "20170131154009.000000+060": "2017-01-31T14:40:09Z", "20170131154009.000000-060": "2017-01-31T16:40:09Z",
	} {
		got, err := parseTime(text)
		require.NoError(t, err)
		require.Equal(t, want, got.Format(time.RFC3339), text)
	}
}

func TestIntervalsToTheNanosecond(t *testing.T) {
	for _, d := range []time.Duration{1, 2672459073, 48809875881, 59999999999, time.Second / 10, math.MaxInt64} {
		got, err := parseInterval(string(appendInterval(nil, d)))
		require.NoError(t, err)
		require.Equal(t, d, got)
	}
	got, err := parseInterval("PT8640000000S")
	require.NoError(t, err)
	require.Equal(t, 100000*24*time.Hour, got)
}

// Years are those of UTC.
func TestYearsOfFourDigits(t *testing.T) {
	for _, text := range []string{"0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "00000101000000.000000+001", "99991231235959.000000-001"} {
		_, err := decodeTest(t, "<x><Start>"+text+"</Start></x>")
		require.ErrorIs(t, err, ErrMalformed, text)
	}
	_, err := AppendValue(nil, "", "x", &testClass{Start: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	require.Error(t, err)
	b, err := AppendValue(nil, "", "x", &testClass{Start: time.Time{}.Add(time.Second - 1)})
	require.NoError(t, err)
	require.NotContains(t, string(b), "Start", "it would be read as no time")
}

// An empty element of an array or of a pointer is no reference and no time, as it is elsewhere.
func TestEmptyElements(t *testing.T) {
	type class struct {
		Refs []Ref      `wsman:"Refs"`
		At   *time.Time `wsman:"At"`
	}
	el, err := ParseElement([]byte(`<x><Refs/><Refs><Address>a</Address></Refs><Refs/><At/></x>`), Limits{})
	require.NoError(t, err)
	var v class
	require.NoError(t, Decode(el, &v))
	require.Equal(t, class{Refs: []Ref{{Address: "a"}}}, v)
}

// References are read as deep as they are written.
func TestDeepReferences(t *testing.T) {
	ref := NewRef("CIM_X")
	for depth := 1; ; depth++ {
		b, err := AppendEnvelope(nil, &Envelope{WriteBody: func(w *Writer) { w.Value("u", "X", &testClass{Owner: ref}) }})
		if err != nil {
			require.ErrorIs(t, err, ErrTooLarge)
			require.Greater(t, depth, 4)
			return
		}
		e, err := ParseEnvelope(b, Limits{})
		require.NoError(t, err)
		require.NoError(t, Decode(e.First(), new(testClass)))
		ref = NewRef("CIM_X", RefKey("k", ref))
	}
}

func TestRefString(t *testing.T) {
	loop := Ref{ResourceURI: "u/X"}
	loop.Selectors = []Selector{{Name: "a", Ref: &loop}}
	require.Equal(t, `X{a=X{a=X{a=X{a=X{a=...}}}}}`, loop.String())
	require.Equal(t, "CIM_X", NewRef("CIM_X").String())
	require.Equal(t, "", NewRef("CIM_X").Selector("a"))
	require.Equal(t, "urn:x", ResourceURI("urn:x"))
	require.Equal(t, "http://intel.com/wbem/wscim/1/ips-schema/1/IPS_OptInService", ResourceURI("IPS_OptInService"))
}

func TestPTStatus(t *testing.T) {
	for value, want := range map[uint32]string{
		0: "SUCCESS", 1: "INTERNAL_ERROR", 16: "NOT_PERMITTED", 36: "INVALID_PARAMETER", 38: "FLASH_WRITE_LIMIT_EXCEEDED", 0x31: "CERTIFICATE_NOT_READY", 0x32: "",
		0x400: "DISABLED_BY_POLICY", 2053: "INVALID_HANDLE", 2054: "INVALID_PASSWORD", 2057: "DATA_MISSING", 2058: "DUPLICATE", 2061: "PKI_GENERATING_KEYS",
		2081: "USER_CONSENT_REQUIRED", 2082: "OPERATION_IN_PROGRESS", 2083: "", 0x817: "", 0x1000: "APP_INTERNAL_ERROR", 0x100A: "URL_REQUIRED", 0x100B: "", 1 << 31: "",
	} {
		require.Equal(t, want, PTStatus(value), "%#x", value)
	}
}

func TestValueTypes(t *testing.T) {
	type odd struct {
		Raw     Element         `wsman:"Raw"`
		Raws    []Element       `wsman:"Raws"`
		Times   []time.Time     `wsman:"Times"`
		Secrets []Secret        `wsman:"Secrets"`
		Ref     *Ref            `wsman:"Ref"`
		Waits   []time.Duration `wsman:"Waits,omitempty"`
		Flags   []bool          `wsman:"Flags"`
		Float   float32         `wsman:"Float"`
		Small   []testNested    `wsman:"Small"`
		Pass    Secret          `wsman:"Pass,omitempty"`
		Bin     []byte          `wsman:"Bin,omitempty"`
		Extra   []Element
	}
	ref := NewRef("CIM_X")
	ref.Address = "/wsman"
	in := odd{
		Raw: Element{Name: "Raw", Space: "urn:r", Text: "1"}, Raws: []Element{{Name: "Raws", Space: "urn:r"}, {}},
		Times: []time.Time{time.Unix(1e9, 0).UTC(), {}}, Secrets: []Secret{NewSecret("a"), NewSecret("b")}, Ref: &ref,
		Waits: []time.Duration{time.Hour, 0}, Flags: []bool{true, false}, Float: 0.1, Small: []testNested{{SSID: "x"}},
		Extra: []Element{{Name: "E", Space: "urn:r"}},
	}
	b, err := AppendValue(nil, "urn:o", "Odd", in)
	require.NoError(t, err)
	for _, leaf := range []string{"Pass", "Bin"} {
		require.NotContains(t, string(b), leaf)
	}
	el, err := ParseElement(b, Limits{})
	require.NoError(t, err)
	var out odd
	require.NoError(t, Decode(el, &out))
	require.Equal(t, "1", out.Raw.Text)
	require.Len(t, out.Raws, 1)
	require.Equal(t, in.Times[:1], out.Times)
	require.Equal(t, "b", out.Secrets[1].Reveal())
	require.Equal(t, ref, *out.Ref)
	require.Equal(t, in.Waits, out.Waits)
	require.Equal(t, in.Flags, out.Flags)
	require.Equal(t, in.Float, out.Float)
	require.Equal(t, "x", out.Small[0].SSID)
	require.Equal(t, in.Extra, out.Extra)

	var text string
	require.NoError(t, Decode(&Element{Text: "x"}, &text))
	require.Equal(t, "x", text)
	b, err = AppendValue(nil, "urn:o", "X", "x")
	require.NoError(t, err)
	require.Equal(t, `<r:X xmlns:r="urn:o">x</r:X>`, string(b))
	_, err = DecodeRef(nil)
	require.ErrorIs(t, err, ErrMalformed)
	require.Equal(t, "\n\n\uFFFD", mustParse(t, "<a><![CDATA[\r\n\r\x02]]></a>").Text)
}

func mustParse(t *testing.T, s string) *Element {
	t.Helper()
	el, err := ParseElement([]byte(s), Limits{})
	require.NoError(t, err)
	return el
}
