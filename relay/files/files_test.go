package files

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// both is a client, the device's folder, and what Serve returned.
func both(t testing.TB, cfg ServeConfig) (*Client, string, <-chan error) {
	t.Helper()
	a, b := msgconn.Pipe()
	return over(t, a, b, cfg)
}

func over(t testing.TB, a, b Conn, cfg ServeConfig) (*Client, string, <-chan error) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	cfg.Root = root
	done := make(chan error, 1)
	go func() {
		err := Accept(context.Background(), b)
		if err == nil {
			err = Serve(context.Background(), b, cfg)
		}
		root.Close()
		done <- err
	}()
	c, err := Open(t.Context(), a, Config{})
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		require.NoError(t, <-done)
	})
	return c, dir, done
}

func content(n int) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func sum(b []byte) string {
	h := sha512.Sum384(b)
	return hex.EncodeToString(h[:])
}

func TestFolders(t *testing.T) {
	c, dir, _ := both(t, ServeConfig{})
	ctx := t.Context()
	require.NoError(t, c.Mkdir(ctx, "/a"))
	require.NoError(t, c.Mkdir(ctx, "/a"), "it is there")
	require.NoError(t, c.Mkdir(ctx, "/a/b c"))
	require.ErrorIs(t, c.Mkdir(ctx, "/none/b"), ErrRefused)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "f"), []byte("hello"), 0o600))
	require.ErrorIs(t, c.Mkdir(ctx, "/a/f"), fs.ErrExist)

	entries, err := c.List(ctx, "/a")
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, "b c", entries[0].Name)
	require.True(t, entries[0].IsDir())
	require.False(t, entries[0].ModTime.IsZero())
	require.Equal(t, int64(5), entries[1].Size)
	_, err = c.List(ctx, "/none")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = c.List(ctx, "/a/f")
	require.ErrorIs(t, err, fs.ErrNotExist)
	e, err := c.Stat(ctx, "/a/f")
	require.NoError(t, err)
	require.Equal(t, int64(5), e.Size)
	e, err = c.Stat(ctx, "/")
	require.NoError(t, err)
	require.True(t, e.IsDir())
	_, err = c.Stat(ctx, "/a/g")
	require.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, c.Copy(ctx, "/a", "/", "f"))
	require.ErrorIs(t, c.Copy(ctx, "/a", "/", "b c"), ErrRefused, "a folder")
	require.ErrorIs(t, c.Copy(ctx, "/a", "/", "none"), fs.ErrNotExist)
	require.NoError(t, c.Rename(ctx, "/f", "g"))
	require.ErrorIs(t, c.Rename(ctx, "/f", "h"), fs.ErrNotExist)
	require.ErrorIs(t, c.Rename(ctx, "/g", "a"), fs.ErrExist)
	require.NoError(t, c.Move(ctx, "/", "/a/b c", "g"))
	got, err := os.ReadFile(filepath.Join(dir, "a", "b c", "g"))
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	require.NoFileExists(t, filepath.Join(dir, "g"))

	require.ErrorIs(t, c.Remove(ctx, "/a"), ErrRefused, "it is not empty")
	require.NoError(t, c.Remove(ctx, "/a/f"))
	require.ErrorIs(t, c.Remove(ctx, "/a/f"), fs.ErrNotExist)
	require.ErrorIs(t, c.RemoveAll(ctx, "/"), ErrPath)
	require.NoError(t, c.RemoveAll(ctx, "/a"))
	require.NoDirExists(t, filepath.Join(dir, "a"))
}

// sizes are around every border there is.
var sizes = []int{0, 1, 2, MaxBlock - 1, MaxBlock, MaxBlock + 1, 2 * MaxBlock, uploadBlock - 1, uploadBlock, uploadBlock + 1, 3*uploadBlock + 7}

func TestTransfers(t *testing.T) {
	c, dir, _ := both(t, ServeConfig{})
	ctx := t.Context()
	for _, size := range sizes {
		for _, window := range []int{1, 2, 0} {
			want := content(size)
			var last Progress
			note := func(p Progress) { last = p }
			r, err := c.Upload(ctx, bytes.NewReader(want), "/up", UploadOptions{Size: int64(size), Window: window, Progress: note})
			require.NoError(t, err)
			require.Equal(t, int64(size), r.Size)
			require.Equal(t, sum(want), r.Hash)
			if size > 0 {
				require.Equal(t, Progress{Done: int64(size), Total: int64(size)}, last)
			}
			got, err := os.ReadFile(filepath.Join(dir, "up"))
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))

			var back bytes.Buffer
			last = Progress{}
			r, err = c.Download(ctx, "/up", &back, DownloadOptions{Size: int64(size), Window: window, Progress: note})
			require.NoError(t, err)
			require.Equal(t, int64(size), r.Size)
			require.Equal(t, sum(want), r.Hash)
			require.True(t, bytes.Equal(want, back.Bytes()))
			require.Equal(t, Progress{Done: int64(size), Total: int64(size)}, last)
		}
	}
	_, err := c.Download(ctx, "/none", io.Discard, DownloadOptions{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = c.Download(ctx, "/", io.Discard, DownloadOptions{})
	require.ErrorIs(t, err, ErrRefused)
	_, err = c.Upload(ctx, strings.NewReader("x"), "/none/up", UploadOptions{})
	require.ErrorIs(t, err, ErrRefused)
	h, err := c.Hash(ctx, "/up")
	require.NoError(t, err)
	require.Equal(t, sum(content(sizes[len(sizes)-1])), h)
	_, err = c.Hash(ctx, "/none")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// A file is the same however it is cut into blocks, and whatever they begin with.
func TestEverySplit(t *testing.T) {
	c, dir, _ := both(t, ServeConfig{})
	want := []byte("\x00{\x00\x00{{\"action\":\"cancel\"}\x00")
	for size := 1; size <= len(want)+1; size++ {
		_, err := c.Upload(t.Context(), bytes.NewReader(want), "/f", UploadOptions{BlockSize: size})
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, "f"))
		require.NoError(t, err)
		require.Equal(t, want, got, "blocks of %d", size)
	}
}

func TestResume(t *testing.T) {
	c, dir, _ := both(t, ServeConfig{})
	want := content(200_000)
	file := filepath.Join(dir, "f")
	up := func(b []byte) *Result {
		r, err := c.Upload(t.Context(), bytes.NewReader(b), "/f", UploadOptions{Resume: true})
		require.NoError(t, err)
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, got))
		require.Equal(t, int64(len(b)), r.Size)
		return r
	}
	require.Zero(t, up(want).Resumed, "there was nothing")
	r := up(want)
	require.Equal(t, int64(len(want)), r.Resumed)
	require.Zero(t, r.Blocks)
	require.NoError(t, os.WriteFile(file, want[:70_000], 0o600))
	require.Equal(t, int64(70_000), up(want).Resumed)
	require.NoError(t, os.WriteFile(file, []byte("another"), 0o600))
	require.Zero(t, up(want).Resumed)
	require.NoError(t, os.WriteFile(file, append(want[:len(want):len(want)], 1), 0o600))
	require.Zero(t, up(want).Resumed, "it is longer")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	up(nil)
	_, err := c.Upload(t.Context(), io.MultiReader(), "/f", UploadOptions{Resume: true})
	require.ErrorContains(t, err, "seek")

	// Cut off, and gone on with.
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.Upload(ctx, bytes.NewReader(want), "/g", UploadOptions{Resume: true, Window: 1, Progress: func(p Progress) {
		if p.Done > 100_000 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	r, err = c.Upload(t.Context(), bytes.NewReader(want), "/g", UploadOptions{Resume: true})
	require.NoError(t, err)
	require.Greater(t, r.Resumed, int64(100_000))
}

func TestCancelTransfers(t *testing.T) {
	c, dir, _ := both(t, ServeConfig{})
	want := content(1 << 20)
	cause := errors.New("enough")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "d"), want, 0o600))
	// until gives a transfer a context that ends after some bytes.
	until := func(bytes int64, f func(context.Context, func(Progress)) error) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		require.ErrorIs(t, f(ctx, func(p Progress) {
			if p.Done > bytes {
				cancel(cause)
			}
		}), cause)
	}
	for i := range int64(5) {
		until(i*100_000, func(ctx context.Context, p func(Progress)) error {
			_, err := c.Upload(ctx, bytes.NewReader(want), "/f", UploadOptions{Progress: p})
			return err
		})
		_, err := c.Stat(t.Context(), "/f")
		require.ErrorIs(t, err, fs.ErrNotExist, "half a file is none")
		until(i*100_000, func(ctx context.Context, p func(Progress)) error {
			_, err := c.Download(ctx, "/d", io.Discard, DownloadOptions{Progress: p})
			return err
		})
		// What was under way is not taken for the next.
		var got bytes.Buffer
		_, err = c.Download(t.Context(), "/d", &got, DownloadOptions{})
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got.Bytes()))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err := c.List(ctx, "/")
	require.ErrorIs(t, err, cause)
}

func TestManyAtOnce(t *testing.T) {
	c, _, _ := both(t, ServeConfig{})
	errs := make(chan error)
	const n = 8
	for i := range n {
		go func() {
			name := fmt.Sprintf("/f%d", i)
			want := content(100_000 + i)
			_, err := c.Upload(t.Context(), bytes.NewReader(want), name, UploadOptions{})
			if err == nil {
				_, err = c.List(t.Context(), "/")
			}
			var got bytes.Buffer
			if err == nil {
				_, err = c.Download(t.Context(), name, &got, DownloadOptions{})
			}
			if err == nil && !bytes.Equal(want, got.Bytes()) {
				err = errors.New("differs")
			}
			errs <- err
		}()
	}
	for range n {
		require.NoError(t, <-errs)
	}
}

func TestFind(t *testing.T) {
	c, dir, _ := both(t, ServeConfig{})
	for _, name := range []string{"a.txt", "sub/b.txt", "sub/deep/c.txt", "sub/d.bin"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	look := func(path, pattern string) (all []string) {
		for f, err := range c.Find(t.Context(), path, pattern) {
			require.NoError(t, err)
			all = append(all, path+f)
		}
		return all
	}
	require.Equal(t, []string{"/a.txt", "/sub/b.txt", "/sub/deep/c.txt"}, look("/", "*.txt"))
	require.Equal(t, []string{"/sub/b.txt", "/sub/deep/c.txt"}, look("/sub", "*.txt"))
	require.Equal(t, []string{"/sub/deep"}, look("/sub", "deep"))
	require.Empty(t, look("/", "[bad"))
	require.Empty(t, look("/none", "*"))
	require.Empty(t, look("/../..", "*"))
	for _, err := range c.Find(t.Context(), "/", "*") {
		require.NoError(t, err)
		break
	}
	require.NotEmpty(t, look("/", "*"), "a search that was broken off does not hinder the next")
}

func TestZip(t *testing.T) {
	c, dir, _ := both(t, ServeConfig{})
	ctx := t.Context()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "in", "sub"), 0o700))
	want := content(300_000)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "in", "sub", "f"), want, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "in", "g"), nil, 0o600))
	told := 0
	require.NoError(t, c.Zip(ctx, "/in", []string{"sub", "g", "none"}, "o.zip", func(string, float64) { told++ }))
	require.Positive(t, told)
	require.NoError(t, c.Mkdir(ctx, "/out"))
	require.NoError(t, c.Unzip(ctx, "/in/o.zip", "/out"))
	got, err := os.ReadFile(filepath.Join(dir, "out", "sub", "f"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	require.FileExists(t, filepath.Join(dir, "out", "g"))

	require.ErrorIs(t, c.Zip(ctx, "/in", []string{"none"}, "p.zip", nil), ErrRefused)
	require.ErrorIs(t, c.Zip(ctx, "/in", []string{"g"}, "../p.zip", nil), ErrRefused)
	require.ErrorIs(t, c.Zip(ctx, "/in", []string{"g"}, "sub", nil), ErrRefused, "it is a folder")
	require.ErrorIs(t, c.Unzip(ctx, "/in/g", "/out"), ErrRefused)
}
