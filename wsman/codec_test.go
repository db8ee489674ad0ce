package wsman

import (
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
