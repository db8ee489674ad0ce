package apf

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// muxPair is two ends in memory with an open channel between them.
type muxPair struct {
	server, device     *Mux
	a, z               *MuxChannel
	toDevice, toServer *Parser
	wire               []byte
}

func newMuxPair(t testing.TB, window uint32) *muxPair {
	p := &muxPair{toDevice: NewParser(SideDevice, Limits{}), toServer: NewParser(SideServer, Limits{}), z: new(MuxChannel), a: new(MuxChannel)}
	p.toServer.LoggedIn()
	p.server = NewMux(MuxConfig{Window: window})
	p.device = NewMux(MuxConfig{Side: SideDevice, Window: window, OnOpen: func(o *ChannelOpen, _ time.Time) {
		require.True(t, p.device.Incoming(p.z, o))
		require.True(t, p.device.Accept(p.z))
	}})
	require.NoError(t, p.server.Open(p.a, OpenRequest{Port: 1}, time.Time{}))
	for p.move() {
	}
	require.True(t, p.a.Opened())
	return p
}

// move carries what both ends have to send to the other one, and reports whether there was anything.
func (p *muxPair) move() bool {
	n := p.carry(p.server, p.toDevice, p.device)
	m := p.carry(p.device, p.toServer, p.server)
	return n+m > 0
}

func (p *muxPair) carry(from *Mux, parser *Parser, to *Mux) int {
	p.wire = from.Append(p.wire[:0], writeSize, time.Time{})
	for b := p.wire; len(b) > 0; {
		m, n, err := parser.Next(b)
		if err != nil {
			panic(err)
		}
		if b = b[n:]; m != nil {
			to.Handle(m, time.Time{})
		}
	}
	return len(p.wire)
}

// transferSize is how much transfer sends.
const transferSize = 1 << 20

// transfer sends bytes in frames that are as large as the buffers allow, and reads them.
func (p *muxPair) transfer(data, into []byte) {
	for sent, got := 0, 0; got < transferSize; {
		sent += p.server.Write(p.a, data[:min(len(data), transferSize-sent)])
		p.move()
		for {
			n := p.device.Read(p.z, into)
			if got += n; n < len(into) {
				break
			}
		}
	}
}

// BenchmarkMux is a channel through both ends in memory: writing, framing, parsing, windows and reading.
//
//	go test ./apf -run '^$' -bench Mux
func BenchmarkMux(b *testing.B) {
	p := newMuxPair(b, 1<<20)
	data, into := make([]byte, 32<<10), make([]byte, 32<<10)
	p.transfer(data, into)
	b.SetBytes(transferSize)
	b.ReportAllocs()
	for b.Loop() {
		p.transfer(data, into)
	}
	b.ReportMetric(float64(transferSize)/float64(16<<10-dataHeader), "frames/op")
}

// TestAllocsMux: a frame costs no memory, from writing to reading it, nor does the credit for it.
func TestAllocsMux(t *testing.T) {
	if raceDetector {
		t.Skip("not under the race detector")
	}
	p := newMuxPair(t, 128<<10)
	data, into := make([]byte, 32<<10), make([]byte, 32<<10)
	p.transfer(data, into)
	n := testing.AllocsPerRun(20, func() { p.transfer(data, into) })
	require.Less(t, n/float64(transferSize/(16<<10)), 0.05, "allocations per frame; the collector may take a buffer away")
}

// delayed is one direction of a connection that takes its time.
type delayed struct {
	mu     sync.Mutex
	cond   *sync.Cond
	queue  []delayedPiece
	closed bool
}

type delayedPiece struct {
	at   time.Time
	data []byte
}

func newDelayed() *delayed {
	d := new(delayed)
	d.cond = sync.NewCond(&d.mu)
	return d
}

// delayedConn is an end of a connection with a delay in each direction, and no limit on what is under way.
type delayedConn struct {
	in, out *delayed
	delay   time.Duration
	left    []byte
}

func (c *delayedConn) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		c.in.mu.Lock()
		for len(c.in.queue) == 0 && !c.in.closed {
			c.in.cond.Wait()
		}
		if len(c.in.queue) == 0 {
			c.in.mu.Unlock()
			return 0, io.EOF
		}
		piece := c.in.queue[0]
		c.in.queue = c.in.queue[1:]
		c.in.mu.Unlock()
		<-time.After(time.Until(piece.at))
		c.left = piece.data
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *delayedConn) Write(p []byte) (int, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.closed {
		return 0, net.ErrClosed
	}
	c.out.queue = append(c.out.queue, delayedPiece{time.Now().Add(c.delay), append([]byte(nil), p...)})
	c.out.cond.Signal()
	return len(p), nil
}

func (c *delayedConn) Close() error {
	for _, d := range []*delayed{c.in, c.out} {
		d.mu.Lock()
		d.closed = true
		d.cond.Broadcast()
		d.mu.Unlock()
	}
	return nil
}

func (c *delayedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *delayedConn) SetWriteDeadline(time.Time) error { return nil }

// benchPair connects both ends over streams and opens a channel to a device that sends without end.
func benchPair(b *testing.B, sa, sb Stream, window uint32) (*Channel, func()) {
	s, d := testServerConfig(), testDeviceConfig()
	s.Window = window
	d.Accept = func(context.Context, *OpenRequest) (func(net.Conn), error) {
		return func(c net.Conn) {
			data := make([]byte, 32<<10)
			for {
				if _, err := c.Write(data); err != nil {
					return
				}
			}
		}, nil
	}
	ready := make(chan struct{})
	s.Ready, s.ForwardTime = func(*Conn) { close(ready) }, time.Minute // until the last port has come
	server := run(b.Context(), NewServerConn(sa, s), ready)
	device := run(b.Context(), NewDeviceConn(sb, d), nil)
	<-ready
	ch, err := server.Dial(b.Context(), "", 16992)
	require.NoError(b, err)
	return ch, func() {
		server.Close()
		<-server.result
		<-device.result
	}
}

// BenchmarkDistance is a channel from a device that is 50 ms of round trip away, with a window of 1 MiB, which bounds it to
// 20 MB/s.
//
//	go test ./apf -run '^$' -bench Distance
func BenchmarkDistance(b *testing.B) {
	up, down := newDelayed(), newDelayed()
	ch, end := benchPair(b, &delayedConn{up, down, 25 * time.Millisecond, nil}, &delayedConn{down, up, 25 * time.Millisecond, nil}, 1<<20)
	defer end()
	const size = 4 << 20
	b.SetBytes(size)
	for b.Loop() {
		_, err := io.CopyN(io.Discard, ch, size)
		require.NoError(b, err)
	}
}

// BenchmarkLoopback is a channel over a TCP connection of this machine.
func BenchmarkLoopback(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer l.Close()
	sb, err := net.Dial("tcp", l.Addr().String())
	require.NoError(b, err)
	sa, err := l.Accept()
	require.NoError(b, err)
	ch, end := benchPair(b, sa, sb, 1<<20)
	defer end()
	const size = 1 << 20
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		_, err := io.CopyN(io.Discard, ch, size)
		require.NoError(b, err)
	}
}

// quiet is a stream with a device that logs in and then says nothing.
type quiet struct {
	said  []byte
	limit time.Time // of reading
	over  chan struct{}
	once  sync.Once
	held  atomic.Int64 // the size of what is read into
}

func (q *quiet) Read(p []byte) (int, error) {
	q.held.Store(int64(len(p)))
	if len(q.said) == 0 {
		var late <-chan time.Time
		if !q.limit.IsZero() {
			late = time.After(time.Until(q.limit))
		}
		select {
		case <-late:
			return 0, os.ErrDeadlineExceeded
		case <-q.over:
			return 0, io.EOF
		}
	}
	n := copy(p, q.said)
	q.said = q.said[n:]
	return n, nil
}

func (q *quiet) Write(p []byte) (int, error)       { return len(p), nil }
func (q *quiet) Close() error                      { q.once.Do(func() { close(q.over) }); return nil }
func (q *quiet) SetReadDeadline(t time.Time) error { q.limit = t; return nil }
func (q *quiet) SetWriteDeadline(time.Time) error  { return nil }

func newQuiet() *quiet {
	q := &quiet{over: make(chan struct{})}
	for _, m := range []Message{version, wantAuth, login, wantPfwd, &TCPForward{true, nil, 16992}, &TCPForward{true, nil, 5900}} {
		q.said = m.Append(q.said)
	}
	return q
}

// TestIdleHoldsNothing: what is read into while much comes is given back when nothing does.
func TestIdleHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuiet()
		server := run(t.Context(), NewServerConn(q, testServerConfig()), nil)
		synctest.Wait()
		require.EqualValues(t, burstSize, q.held.Load())
		<-time.After(3 * burstTime)
		synctest.Wait()
		require.EqualValues(t, len(server.small), q.held.Load())
		require.NoError(t, server.Err())
		server.mu.Lock()
		require.Empty(t, server.out.buf)
		require.LessOrEqual(t, cap(server.out.buf)+cap(server.parser.buf), 256+128)
		require.False(t, server.writing)
		require.Nil(t, server.parser.text, "messages refer to what was read into")
		require.Nil(t, server.parser.msg.data.Data)
		server.mu.Unlock()
		q.Close()
		require.ErrorIs(t, server.wait(t), ErrGone)
	})
}

// BenchmarkIdle is what a connection costs that is logged in and silent, without its stream.
//
//	go test ./apf -run '^$' -bench Idle -benchtime 5000x
func BenchmarkIdle(b *testing.B) {
	s := testServerConfig()
	var ready sync.WaitGroup
	ready.Add(b.N)
	s.Ready = func(*Conn) { ready.Done() }
	streams := make([]*quiet, b.N)
	results := make(chan error, b.N)
	inUse := func() (heap, stack float64) {
		var m runtime.MemStats
		for range 3 { // each takes half of a stack that is too large
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc), float64(m.StackInuse)
	}
	goroutines := runtime.NumGoroutine()
	for i := range streams {
		streams[i] = newQuiet()
	}
	heapBefore, stackBefore := inUse()
	for _, q := range streams {
		go func() { results <- NewServerConn(q, s).Run(b.Context()) }()
	}
	ready.Wait()
	for _, q := range streams {
		for q.held.Load() > 1<<10 {
			<-time.After(10 * time.Millisecond)
		}
	}
	heap, stack := inUse()
	b.ReportMetric((heap-heapBefore)/float64(b.N), "heap-B/conn")
	b.ReportMetric((stack-stackBefore)/float64(b.N), "stack-B/conn")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(b.N), "goroutines/conn")
	for _, q := range streams {
		q.Close()
	}
	for range streams {
		<-results
	}
}
