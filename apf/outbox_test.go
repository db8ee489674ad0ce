package apf

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOutboxOneByOne: messages leave one by one, in their order, also when others come meanwhile.
func TestOutboxOneByOne(t *testing.T) {
	o := outbox{one: true}
	var want, got []Message
	p := NewParser(SideDevice, Limits{})
	take := func() {
		m, n, err := p.Next(o.moveTo(nil))
		require.NoError(t, err)
		require.NotZero(t, n)
		got = append(got, &KeepAliveReply{m.(*KeepAliveReply).Cookie})
	}
	for i := range uint32(1000) {
		m := &KeepAliveReply{i}
		o.add(m)
		want = append(want, m)
		if i%3 == 0 {
			take()
		}
	}
	for len(o.buf) > 0 {
		take()
	}
	require.Equal(t, want, got)
	require.Empty(t, o.moveTo(nil))
	require.Nil(t, o.buf)
	require.Nil(t, o.ends)
}

// BenchmarkOutboxOneByOne: what a peer has the server answer costs the same however much of it waits.
func BenchmarkOutboxOneByOne(b *testing.B) {
	o := outbox{one: true}
	buf := make([]byte, 0, 64)
	for b.Loop() {
		for range 64 << 10 {
			o.add(RequestSuccess{})
		}
		for len(o.buf) > 0 {
			buf = o.moveTo(buf[:0])
		}
	}
}
