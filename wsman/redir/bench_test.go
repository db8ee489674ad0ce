package redir

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
)

// BenchmarkGarbage is what a stream of garbage costs an interceptor that is not taken away: time, and memory that is kept
// after 64 MiB of it.
func BenchmarkGarbage(b *testing.B) {
	noise := make([]byte, 64<<20)
	_, _ = rand.Read(noise)
	head := []byte(strings.Repeat("GET / HTTP/1.1\r\nA: b\r\n", 64<<20/22))
	for _, c := range []struct {
		name string
		with func() Interceptor
		from []byte
	}{
		{"redirection", func() Interceptor { return NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()}) }, noise},
		{"HTTP", func() Interceptor { return testHTTP(nil) }, noise},
		{"HTTP, a head without an end", func() Interceptor { return testHTTP(nil) }, head},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.from)))
			out := make([]byte, 0, 64<<10)
			var kept uint64
			for b.Loop() {
				before := heap()
				i := c.with()
				for rest := c.from; len(rest) > 0; rest = rest[min(len(rest), 16<<10):] {
					out, _ = i.FromOperator(out[:0], rest[:min(len(rest), 16<<10)])
				}
				kept = max(kept, heap()-min(before, heap()))
				runtime.KeepAlive(i)
			}
			b.ReportMetric(float64(kept)/1024, "KiB-kept")
		})
	}
}

// heap is the memory in use after collecting what is not.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkInterceptor is what passes through.
func BenchmarkInterceptor(b *testing.B) {
	piece := make([]byte, 16<<10)
	out := make([]byte, 0, 64<<10)
	b.Run("redirection", func(b *testing.B) {
		i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
		_, _ = i.FromDevice(nil, AuthReply{Type: AuthDigest}.Append(nil))
		b.SetBytes(int64(len(piece)))
		b.ReportAllocs()
		for b.Loop() {
			out, _ = i.FromOperator(out[:0], piece)
		}
	})
	b.Run("HTTP body", func(b *testing.B) {
		i := testHTTP(nil)
		_, _ = i.FromOperator(nil, []byte("POST / HTTP/1.1\r\nContent-Length: 9000000000000000\r\n\r\n"))
		b.SetBytes(int64(len(piece)))
		b.ReportAllocs()
		for b.Loop() {
			out, _ = i.FromOperator(out[:0], piece)
		}
	})
	b.Run("HTTP requests", func(b *testing.B) {
		i := testHTTP(nil)
		_, _ = i.FromDevice(nil, []byte("HTTP/1.1 401 X\r\nContent-Length: 0\r\nWWW-Authenticate: "+testChallenge+"\r\n\r\n"))
		request := []byte("POST /wsman HTTP/1.1\r\nAuthorization: x\r\nHost: node//x:16992\r\nContent-Length: 5\r\n\r\nhello")
		answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		b.SetBytes(int64(len(request) + len(answer)))
		b.ReportAllocs()
		for b.Loop() {
			out, _ = i.FromOperator(out[:0], request)
			var err error
			if out, err = i.FromDevice(out[:0], answer); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIDER reads a CD through TCP on loopback, 1 MiB an operation.
func BenchmarkIDER(b *testing.B) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	hosts, stop := make(chan *IDERHost, 1), make(chan struct{})
	d := testDevice(func(c *DeviceConfig) {
		c.IDER = func(ctx context.Context, h *IDERHost) error {
			if err := h.WaitMedium(ctx, CD); err != nil {
				return err
			}
			hosts <- h
			<-stop
			return nil
		}
	})
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = d.Serve(context.Background(), conn)
		}
		ended <- err
	}()
	conn, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	s, err := OpenIDER(b.Context(), conn, IDERConfig{Config: testConfig(), CD: Medium{zeros{}, 1 << 40}, Mode: StartNow})
	if err != nil {
		b.Fatal(err)
	}
	h := <-hosts
	buf := make([]byte, hostRead)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		for lba := range uint32(16) {
			if err := h.ReadBlocks(b.Context(), CD, lba*32, buf); err != nil {
				b.Fatal(err)
			}
		}
	}
	close(stop)
	_ = s.Close()
	_ = l.Close()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// zeros is an endless medium.
type zeros struct{}

func (zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	return len(b), nil
}

// BenchmarkSOL echoes 64 KiB an operation through a pipe.
func BenchmarkSOL(b *testing.B) {
	conn, ended := serve(b, testDevice(nil))
	s, err := OpenSOL(b.Context(), conn, SOLConfig{Config: testConfig()})
	if err != nil {
		b.Fatal(err)
	}
	buf, got := make([]byte, 64<<10), make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		written := make(chan error, 1)
		go func() {
			_, err := s.Write(buf)
			written <- err
		}()
		if _, err := io.ReadFull(s, got); err != nil {
			b.Fatal(err)
		}
		if err := <-written; err != nil {
			b.Fatal(err)
		}
	}
	_ = s.Close()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
