//go:build !js

package files

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// The operator's end of the files of the stock native agent, through a stock server.
func TestStockAgent(t *testing.T) {
	s := interop.StartServer(t, interop.ServerOptions{})
	interop.StartAgent(t, s.MSH(t, s.CreateGroup(t, "files")), interop.AgentOptions{})
	device := s.WaitDevice(t, interop.CoreRuns)
	control := s.Control(t)
	require.NotEmpty(t, control.Console(t, device.ID, "info"), "the core runs")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := t.TempDir()
	open := func(t *testing.T) *Client {
		c, err := Open(ctx, s.OpenTunnel(t, control, device.ID, Protocol), Config{})
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := open(t)

	t.Run("folders", func(t *testing.T) {
		_, err := c.List(ctx, "/")
		require.NoError(t, err)
		_, err = c.List(ctx, dir+"/none")
		require.ErrorIs(t, err, fs.ErrNotExist)
		in := dir + "/folders"
		require.NoError(t, c.Mkdir(ctx, in))
		require.NoError(t, c.Mkdir(ctx, in))
		require.NoError(t, c.Mkdir(ctx, in+"/sub"))
		require.NoError(t, os.WriteFile(in+"/f ü", []byte("hello"), 0o600))
		e, err := c.Stat(ctx, in+"/f ü")
		require.NoError(t, err)
		require.Equal(t, int64(5), e.Size)
		require.WithinDuration(t, time.Now(), e.ModTime, time.Hour)
		require.NoError(t, c.Copy(ctx, in, in+"/sub", "f ü"))
		require.NoError(t, c.Rename(ctx, in+"/sub/f ü", "g"))
		require.NoError(t, c.Move(ctx, in+"/sub", in, "g"))
		require.NoFileExists(t, in+"/sub/g")
		require.FileExists(t, in+"/g")
		require.NoError(t, c.Remove(ctx, in+"/g"))
		require.NoError(t, c.RemoveAll(ctx, in))
		require.NoDirExists(t, in)
		for range c.Find(ctx, dir, "*") { //nolint:revive // the stock agent of Linux finds nothing, and says so
			t.Error("it finds something")
		}
	})
	for name, size := range map[string]int{"empty": 0, "blocks": 3 * MaxBlock, "64 MiB": 64 << 20} {
		t.Run(name, func(t *testing.T) {
			want := content(size)
			file := filepath.Join(dir, "up")
			start := time.Now()
			up, err := c.Upload(ctx, bytes.NewReader(want), file, UploadOptions{})
			require.NoError(t, err)
			t.Logf("upload %d bytes: %v, %d blocks, %d in flight", size, time.Since(start), up.Blocks, up.InFlight)
			require.Equal(t, sum(want), up.Hash)
			got, err := os.ReadFile(file)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))

			for _, window := range []int{1, 64} {
				if window == 1 && size > 1<<20 {
					continue
				}
				h := sha512.New384()
				start = time.Now()
				down, err := c.Download(ctx, file, h, DownloadOptions{Window: window})
				require.NoError(t, err)
				t.Logf("download %d bytes: %v, %d blocks, %d in flight", size, time.Since(start), down.Blocks, down.InFlight)
				require.Equal(t, sum(want), down.Hash)
				require.Equal(t, sum(want), hex.EncodeToString(h.Sum(nil)))
			}
		})
	}
	t.Run("40 ms", func(t *testing.T) {
		// What is on the way to the device and back is what a distant device would have.
		far, err := Open(ctx, delay(s.OpenTunnel(t, control, device.ID, Protocol)), Config{})
		require.NoError(t, err)
		defer far.Close()
		const size = 64 << 20
		file := filepath.Join(dir, "far")
		require.NoError(t, os.WriteFile(file, content(size), 0o600))
		few := filepath.Join(dir, "few")
		require.NoError(t, os.WriteFile(few, content(50*MaxBlock), 0o600))
		// How fast it is depends on what else the machine does; what makes it fast is how many blocks are under way.
		rate := func(file string, size int64, window int) float64 {
			start := time.Now()
			r, err := far.Download(ctx, file, io.Discard, DownloadOptions{Window: window})
			require.NoError(t, err)
			require.Equal(t, size, r.Size)
			require.Equal(t, window, r.InFlight)
			return float64(r.Size) / 1e6 / time.Since(start).Seconds()
		}
		one, many := rate(few, 50*MaxBlock, 1), rate(file, size, 128)
		t.Logf("download from the stock agent through 40 ms: %.2f MB/s with one block in flight, %.1f MB/s with 128, %.0f times as fast", one, many, many/one)
	})
	t.Run("resume", func(t *testing.T) {
		want := content(3 << 20)
		file := filepath.Join(dir, "resume")
		cut, stop := context.WithCancel(ctx)
		defer stop()
		_, err := c.Upload(cut, bytes.NewReader(want), file, UploadOptions{Resume: true, Window: 1, Progress: func(p Progress) {
			if p.Done >= 1<<20 {
				stop()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		r, err := c.Upload(ctx, bytes.NewReader(want), file, UploadOptions{Resume: true})
		require.NoError(t, err)
		require.GreaterOrEqual(t, r.Resumed, int64(1<<20))
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		r, err = c.Upload(ctx, bytes.NewReader(want), file, UploadOptions{Resume: true})
		require.NoError(t, err)
		require.Zero(t, r.Blocks)
	})
	t.Run("cancel", func(t *testing.T) {
		want := content(4 << 20)
		cause := errors.New("enough")
		file := filepath.Join(dir, "cancel")
		until := func(f func(context.Context, func(Progress)) error) {
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			require.ErrorIs(t, f(ctx, func(p Progress) {
				if p.Done > 1<<20 {
					cancel(cause)
				}
			}), cause)
		}
		until(func(ctx context.Context, p func(Progress)) error {
			_, err := c.Upload(ctx, bytes.NewReader(want), file, UploadOptions{Progress: p})
			return err
		})
		_, err := c.Stat(ctx, file)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, os.WriteFile(file, want, 0o600))
		until(func(ctx context.Context, p func(Progress)) error {
			_, err := c.Download(ctx, file, io.Discard, DownloadOptions{Progress: p})
			return err
		})
		var got bytes.Buffer
		_, err = c.Download(ctx, file, &got, DownloadOptions{})
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got.Bytes()))
	})
	t.Run("refused", func(t *testing.T) {
		_, err := c.Download(ctx, dir+"/none", io.Discard, DownloadOptions{})
		require.ErrorIs(t, err, ErrRefused)
		_, err = c.Upload(ctx, bytes.NewReader(nil), dir+"/none/f", UploadOptions{})
		require.ErrorIs(t, err, ErrRefused)
		_, err = c.Hash(ctx, dir+"/none")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, c.Mkdir(ctx, dir+"/none/a"), ErrRefused)
	})
	t.Run("zip", func(t *testing.T) {
		in := filepath.Join(dir, "zip")
		require.NoError(t, os.Mkdir(in, 0o700))
		want := content(100_000)
		require.NoError(t, os.WriteFile(in+"/a", want, 0o600))
		require.NoError(t, c.Zip(ctx, in, []string{"a"}, "o.zip", nil))
		require.NoError(t, os.Mkdir(in+"/out", 0o700))
		require.NoError(t, c.Unzip(ctx, in+"/o.zip", in+"/out"))
		got, err := os.ReadFile(in + "/out/a")
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		require.ErrorIs(t, c.Zip(ctx, in, []string{"none"}, "p.zip", nil), ErrRefused)
	})
}
