package files

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// oneWay is half of the round trip of 40 ms.
const oneWay = 20 * time.Millisecond

// delayed is a connection whose messages arrive later, in both directions.
type delayed struct {
	Conn
	in, out chan late
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

type late struct {
	at  time.Time
	t   Type
	b   []byte
	err error
}

func delay(c Conn) *delayed {
	d := &delayed{Conn: c, in: make(chan late, 1<<16), out: make(chan late, 1<<16)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.wg.Go(func() {
		for {
			t, b, err := c.ReadMessage(d.ctx)
			d.in <- late{time.Now().Add(oneWay), t, bytes.Clone(b), err}
			if err != nil {
				return
			}
		}
	})
	d.wg.Go(func() {
		for {
			select {
			case m := <-d.out:
				if d.until(d.ctx, m.at) != nil || c.WriteMessage(d.ctx, m.t, m.b) != nil {
					return
				}
			case <-d.ctx.Done():
				return
			}
		}
	})
	return d
}

func (d *delayed) until(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.ctx.Done():
		return net.ErrClosed
	}
}

func (d *delayed) ReadMessage(ctx context.Context) (Type, []byte, error) {
	select {
	case m := <-d.in:
		if err := d.until(ctx, m.at); err != nil {
			return 0, nil, err
		}
		return m.t, m.b, m.err
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	case <-d.ctx.Done():
		return 0, nil, net.ErrClosed
	}
}

func (d *delayed) WriteMessage(_ context.Context, t Type, b []byte) error {
	select {
	case d.out <- late{at: time.Now().Add(oneWay), t: t, b: bytes.Clone(b)}:
		return nil
	case <-d.ctx.Done():
		return net.ErrClosed
	}
}

func (d *delayed) Close(code int, reason string) error {
	err := d.Conn.Close(code, reason)
	d.cancel()
	d.wg.Wait()
	return err
}

// Through a round trip of 40 ms, by a clock that stands still while something is done, the blocks under way are what counts.
func TestInFlight(t *testing.T) {
	const size = 64 << 20
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file, content(size), 0o600))
	synctest.Test(t, func(t *testing.T) {
		a, b := msgconn.Pipe()
		c, dir, _ := over(t, delay(a), b, ServeConfig{})
		require.NoError(t, os.Rename(file, filepath.Join(dir, "f")))
		timed := func(window int) time.Duration {
			start := time.Now()
			r, err := c.Download(t.Context(), "/f", io.Discard, DownloadOptions{Window: window, NoVerify: true})
			require.NoError(t, err)
			require.Equal(t, window, r.InFlight)
			return time.Since(start)
		}
		one, many := timed(1), timed(64)
		t.Logf("download of 64 MiB: %v with one block in flight, %v with 64, %.0f times as fast", one, many, float64(one)/float64(many))
		require.Greater(t, float64(one)/float64(many), 20.0)

		up := func(window int) time.Duration {
			start := time.Now()
			r, err := c.Upload(t.Context(), bytes.NewReader(make([]byte, size)), "/g", UploadOptions{Window: window, NoVerify: true})
			require.NoError(t, err)
			require.Equal(t, window, r.InFlight)
			return time.Since(start)
		}
		one, many = up(1), up(32)
		t.Logf("upload of 64 MiB: %v with one block in flight, %v with 32, %.0f times as fast", one, many, float64(one)/float64(many))
		require.Greater(t, float64(one)/float64(many), 20.0)
	})
}

func BenchmarkDownload40ms(b *testing.B) {
	for name, window := range map[string]int{"window=1": 1, "window=64": 64} {
		b.Run(name, func(b *testing.B) {
			// One block at a time takes 40 ms for 16 KiB.
			size := 1 << 20 * window
			x, y := msgconn.Pipe()
			c, dir, _ := over(b, delay(x), y, ServeConfig{})
			require.NoError(b, os.WriteFile(filepath.Join(dir, "f"), make([]byte, size), 0o600))
			b.SetBytes(int64(size))
			for b.Loop() {
				r, err := c.Download(b.Context(), "/f", io.Discard, DownloadOptions{Window: window, NoVerify: true})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(r.InFlight), "in-flight")
			}
		})
	}
}

func BenchmarkTransfers(b *testing.B) {
	const size = 16 << 20
	c, dir, _ := both(b, ServeConfig{})
	data := content(size)
	require.NoError(b, os.WriteFile(filepath.Join(dir, "f"), data, 0o600))
	b.Run("upload", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Upload(b.Context(), bytes.NewReader(data), "/g", UploadOptions{NoVerify: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("download", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Download(b.Context(), "/f", io.Discard, DownloadOptions{NoVerify: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
