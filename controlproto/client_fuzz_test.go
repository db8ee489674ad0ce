package controlproto

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// FuzzClientReceive gives the client's reader lines as messages while requests of all kinds are under way. Whatever a server
// sends, no request gets more replies than it waits for, none blocks the reader, and what is answered is forgotten.
func FuzzClientReceive(f *testing.F) {
	for _, seed := range []string{
		`{"action":"nodes","nodes":{},"responseid":"A"}`,
		`{"action":"nodes","nodes":{"mesh//m":[{"_id":"node//x"}]},"tag":"A"}`,
		`{"action":"changeDeviceMesh","responseid":"A","result":"Permission denied"}`,
		`{"action":"report","data":{"groups":{},"columns":[]}}` + "\n" + `{"action":"report","data":{}}`,
		`{"action":"getnetworkinfo","nodeid":"node//x","netif2":{}}` + "\n" + `{"action":"getnetworkinfo","nodeid":"x"}`,
		`{"action":"getnetworkinfo","nodeid":7}`,
		`{"action":"removedevices","responseid":"D","result":"ok"}` + "\n" + `{"action":"removedevices","responseid":"D","result":"Denied"}`,
		`{"action":"removeDeviceShare","responseid":"E","removed":null}` + "\n" + `{"action":"removeDeviceShare","responseid":"E","result":"OK"}`,
		`{"action":"event","event":{"action":"nodeconnect","nodeid":"node//x","conn":1}}`,
		`{"action":"msg","type":"console","nodeid":"node//x","value":"Run commands can't execute, already busy."}`,
		`{"action":"msg","type":"runcommands","result":"out","responseid":"A"}`,
		`{action:"pong"}` + "\n" + `{"action":"pong"}` + "\n" + `{"action":"ping"}`,
		`{"action":"close","cause":"noauth","msg":"tokenrequired","email2fa":true}`,
		`{"action":"stopped","msg":"Session count exceed"}`,
		`{"action":"addmeshuser","responseid":"A","result":"Added user x","success":1,"failed":0}`,
		"{\"action\":\"\\u006eodes\",\"responseid\":\"A\",\"responseid\":\"\xff\"}",
		`{"action":"report","responseid":"F","result":"late"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := msgconn.Pipe()
		defer a.Close(0, "")
		defer b.Close(0, "")
		c := &Client{cfg: ClientConfig{}.withDefaults(), subs: map[*subscription]struct{}{}, changed: make(chan struct{}), log: slog.New(slog.DiscardHandler)}
		l := newLink(c, a)
		defer l.end(ErrClientClosed)
		events := c.subscribe(t.Context(), 4, 1<<10, true, (&Filter{Devices: []ID{"node//x"}}).wants)
		texts := c.subscribe(t.Context(), 4, 1<<10, false, (&MessageFilter{Types: []string{"console"}}).wants)
		defer events.cancel(nil)
		defer texts.cancel(nil)

		decode := func(e Envelope) (any, error) {
			var m Unknown
			return &m, e.Decode(&m)
		}
		var calls []*call
		begin := func(id, action string, missing int, key *slotKey) *call {
			spec, ok := LookupAction(action)
			require.True(t, ok, action)
			k := &call{spec: spec, id: `"` + id + `"`, decode: decode, missing: missing, replies: make(chan reply, missing), sent: true}
			if spec.Extra > 0 {
				k.accept = func(r *received) bool { return len(r.result) > 0 }
			}
			require.NoError(t, l.begin(t.Context(), k, key))
			calls = append(calls, k)
			return k
		}
		begin("A", "nodes", 1, nil)
		begin("B", "files", 1, &slotKey{action: "files"})
		begin("C", "getnetworkinfo", 1, &slotKey{"getnetworkinfo", "nodeid", "x"})
		begin("D", "removedevices", 2, nil)
		begin("E", "removeDeviceShare", 1, nil)
		stray := begin("F", "report", 1, &slotKey{action: "report"})
		l.abandon(stray)

		for line := range bytes.Lines(data) {
			if l.receive(bytes.TrimSuffix(line, []byte("\n"))) != nil {
				break
			}
		}
		require.Empty(t, stray.replies, "a request that was given up gets nothing")
		for _, k := range calls {
			got := len(k.replies)
			_, waits := l.calls[k.id]
			switch {
			case k == stray:
				require.Equal(t, waits, l.slots[slotKey{action: "report"}] != nil)
			case waits:
				require.Equal(t, cap(k.replies), got+k.missing)
				require.Positive(t, k.missing)
			default:
				require.Equal(t, cap(k.replies), got)
				require.Nil(t, k.slot)
			}
		}
		for _, s := range []*subscription{events, texts} {
			require.LessOrEqual(t, len(s.queue), 4)
			require.LessOrEqual(t, s.bytes, 1<<10)
		}
	})
}
