package relay

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// What stock peers send, from recordings and from their sources.
var controlVectors = []struct {
	text string
	want Control
}{
	{`{"ctrlChannel":"102938","type":"options","cols":0,"rows":0}`, &ControlOptions{Cols: new(int), Rows: new(int)}},
	{`{"type":"options","file":"/etc/hosts"}`, &ControlOptions{Head: Head{Marker: MarkerNone}, File: "/etc/hosts"}},
	{`{"ctrlChannel":"102938","type":"ping"}`, &ControlPing{}},
	{`{"ctrlChannel":102938,"type":"ping"}`, &ControlPing{Head: Head{Marker: MarkerNumber}}},
	{`{"ctrlChannel":"102938","type":"pong"}`, &ControlPong{}},
	{`{"ctrlChannel":102938,"type":"rtt","time":1700000000000}`, &ControlRTT{Head: Head{Marker: MarkerNumber}, Time: json.RawMessage("1700000000000")}},
	{`{"type":"rtt","ctrlChannel":"102938","time":5}`, &ControlRTT{Head: Head{TypeFirst: true}, Time: json.RawMessage("5")}},
	{`{"ctrlChannel":"102938","type":"close"}`, &ControlClose{}},
	{`{"ctrlChannel":"102938","type":"console","msg":"Waiting for user to grant access...","msgid":1}`,
		&ControlConsole{Msg: "Waiting for user to grant access...", ID: new(ConsoleWaiting)}},
	{`{"ctrlChannel":"102938","type":"console","msg":null,"msgid":0}`, &ControlConsole{ID: new(ConsoleClear)}},
	{`{"ctrlChannel":"102938","type":"metadata","users":{"user//admin":1}}`, &ControlMetadata{Users: map[string]int{"user//admin": 1}}},
	{`{"ctrlChannel":"102938","type":"termsize","cols":100,"rows":30}`, &ControlTermSize{Cols: 100, Rows: 30}},
	{`{"ctrlChannel":"102938","type":"lock"}`, &ControlLock{}},
	{`{"ctrlChannel":"102938","type":"autolock","value":false}`, &ControlAutoLock{}},
	{`{"type":"offer","sdp":"v=0\r\n"}`, &WebRTCOffer{Head: Head{Marker: MarkerNone}, SDP: "v=0\r\n"}},
	{`{"type":"answer","ctrlChannel":"102938","sdp":"v=0"}`, &WebRTCAnswer{Head: Head{TypeFirst: true}, SDP: "v=0"}},
	{`{"ctrlChannel":"102938","type":"webrtc1"}`, &WebRTCSwitch{Stage: 1}},
	{`{"ctrlChannel":"102938","type":"image","image":"data:x"}`, &ControlImage{Image: "data:x"}},
	{`{"ctrlChannel":"102938","type":"new","a":[1]}`, &UnknownControl{Type: "new", Extra: map[string]json.RawMessage{"a": json.RawMessage("[1]")}}},
	{`{"ctrlChannel":"102938","type":"termsize","cols":"wide","rows":3}`,
		nil}, // the member of another type survives, elsewhere
}

func TestControl(t *testing.T) {
	for _, v := range controlVectors {
		c, err := ParseControl([]byte(v.text))
		require.NoError(t, err, v.text)
		b, err := AppendControl([]byte("x"), c)
		require.NoError(t, err)
		if v.want == nil {
			require.JSONEq(t, `{"ctrlChannel":"102938","type":"termsize","cols":"wide","rows":3}`, string(b[1:]))
			continue
		}
		require.Equal(t, v.want, c, v.text)
		require.Equal(t, "x"+v.text, string(b))
		for i := range v.text {
			_, err := ParseControl([]byte(v.text[:i]))
			require.ErrorIs(t, err, ErrControl, v.text[:i])
		}
	}
	for _, bad := range []string{"", "5", "c", "{}", `{"type":null}`, `[1]`, `{"type":"a"}x`} {
		_, err := ParseControl([]byte(bad))
		require.ErrorIs(t, err, ErrControl, bad)
	}
}

func FuzzParseControl(f *testing.F) {
	for _, v := range controlVectors {
		f.Add([]byte(v.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxControlValues {
			return // near the bounds what is written may be beyond them: members that are always written, escapes
		}
		c, err := ParseControl(b)
		if err != nil {
			return
		}
		out, err := AppendControl(nil, c)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if !utf8.Valid(out) {
			t.Fatalf("%q is no text", out)
		}
		again, err := ParseControl(out)
		if err != nil {
			t.Fatalf("%q gave %q: %v", b, out, err)
		}
		more, err := AppendControl(nil, again)
		if err != nil || string(more) != string(out) {
			t.Fatalf("%q, then %q, %v", out, more, err)
		}
		require.Equal(t, c, again, "%q", b)
	})
}
