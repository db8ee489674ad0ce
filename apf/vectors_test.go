package apf

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// vectors returns the messages of testdata/vectors.txt.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	f, err := os.Open("testdata/vectors.txt")
	require.NoError(t, err)
	defer f.Close()
	all := make(map[string][]byte)
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		fields := strings.Fields(s.Text())
		all[fields[0]], err = hex.DecodeString(fields[1])
		require.NoError(t, err)
	}
	return all
}

func b(s string) []byte { return []byte(s) }

// meanings says what the vectors mean, and which side receives them. The order is one in which they can follow each other.
var meanings = []struct {
	name string
	to   Side
	m    Message
}{
	{"disconnect", SideServer, &Disconnect{DisconnectByApplication}},
	{"json-conntype", SideServer, &JSONControl{b(`{"action":"connType","value":2}`)}},
	{"json-meistate", SideServer, &JSONControl{b(`{"action":"meiState","value":{"OsHostname":"pc1"}}`)}},
	{"version", SideServer, &ProtocolVersion{1, 0, TriggerPeriodic, testUUID}},
	{"version-agent", SideServer, &ProtocolVersion{1, 0, 0, testUUID}},
	{"service-request-auth", SideServer, &ServiceRequest{b(ServiceAuth)}},
	{"userauth-password", SideServer, &UserAuthRequest{b("AbCdEfXhIjKlMnXp"), b(ServiceForward), b("password"), b("P@ssw0rd")}},
	{"userauth-agent", SideServer, &UserAuthRequest{b("AbCdEf@hIjKlMn$p"), b(ServiceForward), b("password"), b("AbCdEf@hIjKlMn$p")}},
	{"userauth-none", SideServer, &UserAuthRequest{b("AbCdEfXhIjKlMnXp"), b(ServiceForward), b("none"), nil}},
	{"service-request-forward", SideServer, &ServiceRequest{b(ServiceForward)}},
	{"forward", SideServer, &TCPForward{true, b("amt.example"), 16992}},
	{"forward-agent", SideServer, &TCPForward{false, b("pc1"), 16992}},
	{"cancel", SideServer, &CancelTCPForward{true, b("amt.example"), 5900}},
	{"udp", SideServer, &UDPSendTo{false, b("192.168.1.20"), 16992, b("10.0.0.5"), 5000, b("hello")}},
	{"options-reply", SideServer, &KeepAliveOptionsReply{30, 0}},
	{"keepalive", SideServer, &KeepAliveRequest{0xdeadbeef}},
	{"keepalive-agent", SideServer, &KeepAliveRequest{255}},
	{"confirmation", SideServer, &ChannelOpenConfirmation{4, 7, 4096}},
	{"confirmation-agent", SideServer, &ChannelOpenConfirmation{4, 4, 32768}},
	{"open-failure-2", SideServer, &ChannelOpenFailure{5, OpenConnectFailed}},
	{"data", SideServer, &ChannelData{7, 5, 0, b("hello")}},
	{"open-direct", SideServer, &ChannelOpen{b(ChannelDirect), 1, 4096, b("10.0.0.5"), 16992, b("10.0.0.9"), 49152}},

	{"service-accept-auth", SideDevice, &ServiceAccept{b(ServiceAuth)}},
	{"userauth-failure", SideDevice, &UserAuthFailure{b("password"), false}},
	{"userauth-failure-stock", SideDevice, &UserAuthFailure{b("password"), false}},
	{"userauth-success", SideDevice, &UserAuthSuccess{}},
	{"service-accept-forward", SideDevice, &ServiceAccept{b(ServiceForward)}},
	{"granted-16993", SideDevice, &RequestSuccess{true, 16993}},
	{"granted-16992", SideDevice, &RequestSuccess{true, 16992}},
	{"cancelled", SideDevice, &RequestSuccess{}},
	{"granted-664", SideDevice, &RequestSuccess{true, 664}},
	{"granted-623", SideDevice, &RequestSuccess{true, 623}},
	{"request-failure", SideDevice, &RequestFailure{}},
	{"granted-16995", SideDevice, &RequestSuccess{true, 16995}},
	{"granted-16994", SideDevice, &RequestSuccess{true, 16994}},
	{"granted-5900", SideDevice, &RequestSuccess{true, 5900}},
	{"json-mestate", SideDevice, &JSONControl{b(`{"action":"mestate"}`)}},
	{"json-console", SideDevice, &JSONControl{b(`{"action":"console","msg":"Invalid login username/password"}`)}},
	{"options", SideDevice, &KeepAliveOptionsRequest{30, 0}},
	{"options-90", SideDevice, &KeepAliveOptionsRequest{30, 90}},
	{"keepalive-reply", SideDevice, &KeepAliveReply{0xdeadbeef}},
	{"open", SideDevice, &ChannelOpen{b(ChannelForwarded), 4, 32768, nil, 16992, b("1.2.3.4"), 1024}},
	{"open-host", SideDevice, &ChannelOpen{b(ChannelForwarded), 4, 32768, b("h.example"), 16992, b("1.2.3.4"), 1024}},
	{"open-go", SideDevice, &ChannelOpen{b(ChannelForwarded), 4, 4096, b("::1"), 16992, b("::1"), 123}},
	{"open-failure-3", SideDevice, &ChannelOpenFailure{1, OpenUnknownType}},
	{"adjust", SideDevice, &WindowAdjust{7, 16385}},
	{"close", SideDevice, &ChannelClose{7}},
}

// expecting returns a parser that takes all vectors for a side.
func expecting(side Side) *Parser {
	p := NewParser(side, Limits{})
	p.LoggedIn()
	for _, v := range meanings {
		if _, ok := v.m.(*RequestFailure); ok || v.name == "cancelled" {
			p.Expect(false)
		} else if _, ok := v.m.(*RequestSuccess); ok {
			p.Expect(true)
		}
	}
	return p
}

// show prints a message with all its fields.
func show(m Message) string {
	switch m := m.(type) {
	case *UserAuthRequest: // prints no password by itself
		return fmt.Sprintf("%v %q %q", m, m.Service, m.Password)
	case *JSONControl:
		return fmt.Sprintf("JSON %s", m.text)
	}
	return fmt.Sprintf("%T%q", m, m)
}

// reader collects what a parser returns: the messages in print, and in their wire form.
type reader struct {
	p     *Parser
	shown []string
	wire  []byte
	data  []byte // of the current frame
	err   error
}

func (r *reader) read(b []byte) {
	for r.err == nil {
		m, n, err := r.p.Next(b)
		if r.err = err; err != nil {
			return
		}
		b = b[n:]
		if d, ok := m.(*ChannelData); ok {
			if int(d.Offset) != len(r.data) {
				r.err = errors.New("data out of place")
			}
			r.data = append(r.data, d.Data...)
			if uint32(len(r.data)) < d.Length {
				continue
			}
			m = &ChannelData{d.Recipient, d.Length, 0, r.data}
		}
		if m == nil {
			if len(b) > 0 && n > 0 {
				continue
			}
			return
		}
		r.shown = append(r.shown, show(m))
		r.wire = m.Append(r.wire)
		r.data = nil
	}
}

// TestVectors: every message is decoded to what it means, and encoded to what it was.
func TestVectors(t *testing.T) {
	all := vectors(t)
	require.Len(t, all, len(meanings))
	for _, v := range meanings {
		t.Run(v.name, func(t *testing.T) {
			p := NewParser(v.to, Limits{})
			p.LoggedIn()
			if g, ok := v.m.(*RequestSuccess); ok {
				p.Expect(g.HasPort)
			} else if _, ok := v.m.(*RequestFailure); ok {
				p.Expect(true)
			}
			r := reader{p: p}
			r.read(all[v.name])
			require.NoError(t, r.err)
			require.Equal(t, []string{show(v.m)}, r.shown)
			want := bytes.TrimSuffix(all[v.name], b("\x00"))
			if v.name != "userauth-failure-stock" {
				want = all[v.name]
			}
			require.Equal(t, want, v.m.Append(nil))
			_, err := p.EOF()
			require.NoError(t, err)
		})
	}
}

// TestPrefixes: no beginning of a message is a message, nor an error.
func TestPrefixes(t *testing.T) {
	for _, v := range meanings {
		whole := v.m.Append(nil)
		for i := range whole {
			r := reader{p: expecting(v.to)}
			for r.p.dueCount > 1 && v.m.Type() == TypeRequestSuccess { // the one that fits
				if r.p.due&1 == 1 == v.m.(*RequestSuccess).HasPort {
					break
				}
				r.p.due, r.p.dueCount = r.p.due>>1, r.p.dueCount-1
			}
			r.read(whole[:i])
			require.NoError(t, r.err, v.name)
			require.Empty(t, r.shown, "%s: %d bytes", v.name, i)
			m, err := r.p.EOF()
			switch {
			case i == 0:
				require.NoError(t, err)
			case v.name == "disconnect" && i >= 5:
				require.NoError(t, err)
				require.Equal(t, v.m, m)
			default:
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			}
		}
	}
}

// TestSplits: all messages in one piece, in two pieces at every place, and byte by byte.
func TestSplits(t *testing.T) {
	all := vectors(t)
	for _, side := range []Side{SideServer, SideDevice} {
		var wire, clean []byte
		var want []string
		for _, v := range meanings {
			if v.to == side {
				wire = append(wire, all[v.name]...)
				clean = v.m.Append(clean)
				want = append(want, show(v.m))
			}
		}
		check := func(r *reader, what string, args ...any) {
			t.Helper()
			require.NoError(t, r.err)
			require.Equal(t, want, r.shown, fmt.Sprintf(what, args...))
			require.Equal(t, clean, r.wire)
			_, err := r.p.EOF()
			require.NoError(t, err)
		}
		r := &reader{p: expecting(side)}
		r.read(wire)
		check(r, "in one piece")
		for i := 1; i < len(wire); i++ {
			r := &reader{p: expecting(side)}
			r.read(wire[:i])
			r.read(wire[i:])
			check(r, "cut at %d", i)
		}
		r = &reader{p: expecting(side)}
		for i := range wire {
			r.read(wire[i : i+1])
		}
		check(r, "byte by byte")
	}
}
