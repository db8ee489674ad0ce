package apf

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzServerLogin: whatever a device says before it is logged in, it is not served.
func FuzzServerLogin(f *testing.F) {
	add := func(messages ...Message) {
		var wire []byte
		for _, m := range messages {
			wire = m.Append(wire)
		}
		f.Add(wire)
	}
	add(version, wantAuth, login, wantPfwd, forward)
	add(isLMS, state, version, wantAuth, loginNone)
	add(version, wantPfwd, forward)
	add(&ChannelOpen{ChannelType: b(ChannelDirect)}, &KeepAliveRequest{})
	f.Fuzz(func(t *testing.T, in []byte) {
		p := NewParser(SideServer, Limits{})
		s := NewServerSession(ServerSessionConfig{AllowSkippedAuth: true})
		var out []byte
		for len(in) > 0 {
			m, n, err := p.Next(in)
			if in = in[n:]; err != nil || m == nil {
				break
			}
			var ev Event
			if out, ev, err = s.Handle(out, m, time.Unix(0, 0)); err != nil {
				break
			}
			switch ev {
			case EventNone:
			case EventLogin:
				out = s.Refuse(out)
			default:
				t.Fatalf("event %d before the login", ev)
			}
			require.Equal(t, PhaseLogin, s.Phase())
			require.LessOrEqual(t, len(s.held), 16)
		}
		require.Empty(t, s.Ports())
		// What was answered is the acceptance of the first service and the refusal, or less.
		all := append(acceptAuth.Append(nil), UserAuthFailure{b("password"), false}.Append(nil)...)
		require.True(t, bytes.HasPrefix(all, out), "%q", out)
	})
}

// FuzzMux: whatever a peer says about channels, both ends keep their accounts, and another channel works.
func FuzzMux(f *testing.F) {
	for _, device := range []bool{false, true} {
		for _, v := range meanings {
			if forChannel(v.m.Type()) {
				f.Add(v.m.Append(v.m.Append(nil)), device)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, device bool) {
		cfg := MuxConfig{Window: 1000, MaxFrame: 100, SendBuffer: 1000}
		if device {
			cfg.Side, cfg.ReuseSlots, cfg.AdjustStep = SideDevice, true, 499
		}
		e := newMuxEnd(t, cfg)
		const quiet = 0xFFFF // the number that the good channel has at the peer
		good := e.open()
		e.said()
		e.confirm(good.id, quiet, 10)
		check := func() {
			wire := e.Append(nil, 1<<20, e.now)
			p := NewParser(SideServer, Limits{})
			p.LoggedIn()
			for len(wire) > 0 {
				m, n, err := p.Next(wire)
				require.NoError(t, err)
				wire = wire[n:]
				require.NotNil(t, m)
			}
			slots, opening := 0, 0
			for _, ch := range e.retries { // these keep their places
				require.True(t, ch.hasSlot && ch.isOpening)
			}
			slots, opening = len(e.retries), len(e.retries)
			for _, ch := range e.channels {
				if ch.hasSlot {
					slots++
				}
				if ch.isOpening {
					opening++
				}
				require.LessOrEqual(t, int64(ch.rx.n), int64(1000+windowSlack))
				require.GreaterOrEqual(t, ch.credit, int64(0))
			}
			for _, ch := range e.incoming {
				if ch.state == chanPending {
					slots++
				}
			}
			require.Equal(t, slots, e.slots)
			require.Equal(t, opening, e.opening)
		}
		var mine []*MuxChannel
		for range 2 {
			mine = append(mine, e.open())
		}
		for len(in) > 0 {
			m, n, err := e.p.Next(in)
			if in = in[n:]; err != nil || m == nil {
				break
			}
			if !forChannel(m.Type()) {
				continue
			}
			if d, ok := m.(*ChannelData); ok && d.Recipient == good.id {
				continue
			}
			if c, ok := m.(*ChannelClose); ok && c.Recipient == good.id {
				continue
			}
			if a, ok := m.(*WindowAdjust); ok && a.Recipient == good.id {
				continue
			}
			e.Handle(m, e.now)
			for _, ch := range e.incoming {
				e.Accept(ch)
				e.Read(ch, make([]byte, 100))
			}
			for _, ch := range mine {
				e.Write(ch, make([]byte, 30))
				e.Read(ch, make([]byte, 100))
			}
			check()
			e.after(time.Second)
		}
		require.NoError(t, good.Err())
		require.Equal(t, 1, e.Write(good, b("x")))
		require.Contains(t, e.said(), "5e0000ffff0000000178")
		for _, ch := range append(mine, e.incoming...) {
			e.Close(ch, e.now)
		}
		check()
		e.after(time.Hour)
		check()
		e.after(time.Hour)
		e.Fail(ErrClosed)
		require.Empty(t, e.channels)
	})
}
