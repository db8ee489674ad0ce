package apf

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// str is a string whose length is a lie.
func lie(n uint32, s string) string { return string(binary.BigEndian.AppendUint32(nil, n)) + s }

func wireString(s string) string { return lie(uint32(len(s)), s) }

// TestParserRefuses: what is wrong is refused as soon as that can be seen, and nothing is read after it.
func TestParserRefuses(t *testing.T) {
	huge := lie(0x7FFFFFFF, "")
	request := func(name string) string { return "\x50" + wireString(name) + "\x01" }
	for name, c := range map[string]struct {
		side   Side
		login  bool // before it
		in     string
		reason error
	}{
		"unknown type":                {in: "\x0a", reason: ErrMalformed},
		"zero":                        {in: "\x00", reason: ErrMalformed},
		"HTTP":                        {in: "G", reason: ErrMalformed},
		"TLS":                         {in: "\x16", reason: ErrMalformed},
		"POST":                        {in: "POST / HTTP/1.1", reason: ErrLimit},
		"service name":                {in: "\x05" + lie(33, ""), reason: ErrLimit},
		"huge service name":           {in: "\x05" + lie(0xFFFFFFFF, ""), reason: ErrLimit},
		"user name":                   {in: "\x32" + lie(65, ""), reason: ErrLimit},
		"method":                      {in: "\x32" + wireString("u") + wireString(ServiceForward) + lie(17, ""), reason: ErrLimit},
		"password":                    {in: "\x32" + wireString("u") + wireString(ServiceForward) + wireString("password") + "\x00" + lie(2049, ""), reason: ErrLimit},
		"change of the password":      {in: "\x32" + wireString("u") + wireString(ServiceForward) + wireString("password") + "\x01" + wireString("x"), reason: ErrProtocol},
		"request name":                {in: "\x50" + lie(33, ""), reason: ErrLimit},
		"forward address":             {in: request(RequestForward) + huge, reason: ErrLimit},
		"cancel address":              {in: request(RequestCancelForward) + lie(256, ""), reason: ErrLimit},
		"datagram address":            {in: request(RequestUDPSendTo) + huge, reason: ErrLimit},
		"datagram originator":         {in: request(RequestUDPSendTo) + wireString("") + "\x00\x00\x00\x01" + huge, reason: ErrLimit},
		"datagram":                    {in: request(RequestUDPSendTo) + wireString("") + "\x00\x00\x00\x01" + wireString("") + "\x00\x00\x00\x01" + lie(1501, ""), reason: ErrLimit},
		"after an unknown request":    {in: request("tcpip-backward") + "\xd0\x00\x00\x00\x00", reason: ErrProtocol},
		"channel type":                {in: "\x5a" + lie(33, ""), reason: ErrLimit},
		"channel address":             {in: "\x5a" + wireString(ChannelDirect) + strings.Repeat("\x00", 12) + huge, reason: ErrLimit},
		"channel originator":          {in: "\x5a" + wireString(ChannelDirect) + strings.Repeat("\x00", 12) + wireString("") + "\x00\x00\x00\x01" + lie(256, ""), reason: ErrLimit},
		"data":                        {in: "\x5e\x00\x00\x00\x04" + lie(1<<20+1, ""), reason: ErrLimit},
		"data of 4 GiB":               {in: "\x5e\x00\x00\x00\x04" + lie(0xFFFFFFFF, ""), reason: ErrLimit},
		"JSON":                        {in: "\xfa" + lie(256<<10+1, ""), reason: ErrLimit},
		"JSON during the login":       {login: true, in: "\xfa" + lie(16<<10+1, ""), reason: ErrLimit},
		"keep-alive before the login": {login: true, in: "\xd0", reason: ErrProtocol},
		"forward before the login":    {login: true, in: "\x50", reason: ErrProtocol},
		"open before the login":       {login: true, in: "\x5a", reason: ErrProtocol},
		"data before the login":       {login: true, in: "\x5e\x00\x00\x00\x04" + lie(0, ""), reason: ErrProtocol},
		"success nobody asked for":    {side: SideDevice, in: "\x51", reason: ErrProtocol},
		"failure nobody asked for":    {side: SideDevice, in: "\x52", reason: ErrProtocol},
		"success to the server":       {in: "\x51", reason: ErrProtocol},
		"methods":                     {side: SideDevice, in: "\x33" + lie(256, ""), reason: ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{len(c.in), 1} {
				p := NewParser(c.side, Limits{})
				if !c.login {
					p.LoggedIn()
				}
				r := reader{p: p}
				for i := 0; i < len(c.in); i += piece {
					r.read([]byte(c.in[i : i+piece]))
				}
				require.ErrorIs(t, r.err, c.reason)
				require.Less(t, cap(p.buf), 256, "what is refused was not waited for")
				_, n, err := p.Next([]byte{1})
				require.Zero(t, n)
				require.ErrorIs(t, err, c.reason)
				_, err = p.EOF()
				require.Error(t, err)
			}
		})
	}
}

// TestParserHoldsNothing: the memory for a message that came in pieces is given back.
func TestParserHoldsNothing(t *testing.T) {
	p := NewParser(SideServer, Limits{})
	p.LoggedIn()
	wire := JSONControl{[]byte(`{"action":"` + strings.Repeat("x", 100<<10) + `"}`)}.Append(nil)
	r := reader{p: p}
	for len(wire) > 0 {
		n := min(1400, len(wire))
		r.read(wire[:n])
		wire = wire[n:]
	}
	require.NoError(t, r.err)
	require.Len(t, r.shown, 1)
	r.read(KeepAliveRequest{1}.Append(nil))
	require.Len(t, r.shown, 2)
	require.Nil(t, p.buf)
}

// TestParserDue: answers are told apart by what was asked, and no more than a certain number can be due.
func TestParserDue(t *testing.T) {
	p := NewParser(SideDevice, Limits{})
	for i := range maxDue {
		require.True(t, p.Expect(i%3 != 0))
	}
	require.False(t, p.Expect(true))
	var wire []byte
	for i := range maxDue {
		wire = RequestSuccess{HasPort: i%3 != 0, Port: uint32(i)}.Append(wire)
	}
	r := reader{p: p}
	r.read(wire)
	require.NoError(t, r.err)
	require.Equal(t, wire, r.wire)
	require.True(t, p.Expect(true))
}

// TestStrayZero: one zero after a refusal is dropped, a second is not.
func TestStrayZero(t *testing.T) {
	wire := vectors(t)["userauth-failure-stock"]
	p := NewParser(SideDevice, Limits{})
	m, n, err := p.Next(wire[:14])
	require.NoError(t, err)
	require.Equal(t, 14, n)
	require.IsType(t, &UserAuthFailure{}, m, "it does not wait for the 15th byte")
	m, n, err = p.Next(wire[14:])
	require.NoError(t, err)
	require.Nil(t, m)
	require.Equal(t, 1, n)
	_, _, err = p.Next([]byte{0})
	require.ErrorIs(t, err, ErrMalformed)
}

func TestAllocsCodec(t *testing.T) {
	if raceDetector {
		t.Skip("not under the race detector")
	}
	wires := make(map[Side][]byte)
	buf := make([]byte, 0, 4096)
	for _, v := range meanings {
		if t := v.m.Type(); t != TypeRequestSuccess && t != TypeRequestFailure {
			wires[v.to] = v.m.Append(wires[v.to])
		}
		n := testing.AllocsPerRun(100, func() { buf = v.m.Append(buf[:0]) })
		require.Zero(t, n, "%s: Append", v.name)
	}
	for side, wire := range wires {
		p := NewParser(side, Limits{})
		p.LoggedIn()
		messages := 0
		n := testing.AllocsPerRun(100, func() {
			for b := wire; len(b) > 0; {
				_, k, err := p.Next(b)
				if err != nil {
					t.Fatal(err)
				}
				b = b[k:]
				messages++
			}
		})
		require.Zero(t, n, "parser of the %v", side)
		require.Greater(t, messages, 1000)
	}
}

// FuzzParser: whatever comes, in whatever pieces, the parser finds the same messages, takes what it is given, and holds no
// more than its limits. Written again, the messages are the same.
func FuzzParser(f *testing.F) {
	for _, v := range meanings {
		f.Add(v.m.Append(nil), v.to == SideDevice, true, uint16(3))
	}
	f.Add([]byte("POST / HTTP/1.1\r\n"), false, false, uint16(0))
	f.Fuzz(func(t *testing.T, in []byte, device, loggedIn bool, cut uint16) {
		parse := func(pieces ...[]byte) *reader {
			p := NewParser(SideServer, Limits{JSON: 1 << 10})
			if device {
				p = NewParser(SideDevice, Limits{JSON: 1 << 10})
			}
			if loggedIn {
				p.LoggedIn()
			}
			for i := range maxDue {
				p.Expect(i%2 == 0)
			}
			r := &reader{p: p}
			for _, piece := range pieces {
				r.read(piece)
			}
			if len(p.buf) > 8<<10 {
				t.Fatalf("holds %d bytes", len(p.buf))
			}
			return r
		}
		whole := parse(in)
		written := parse(whole.wire)
		require.Equal(t, whole.shown, written.shown)
		require.Equal(t, whole.wire, written.wire)
		at := min(int(cut), len(in))
		two := parse(in[:at], in[at:])
		require.Equal(t, whole.shown, two.shown)
		require.Equal(t, whole.err == nil, two.err == nil)
		if len(in) < 1<<10 {
			var bytes [][]byte
			for i := range in {
				bytes = append(bytes, in[i:i+1])
			}
			single := parse(bytes...)
			require.Equal(t, whole.shown, single.shown)
			require.Equal(t, whole.err == nil, single.err == nil)
		}
	})
}
