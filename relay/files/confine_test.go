//go:build unix

package files

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// jail is a client of a folder with links that lead out of it, beside a folder with a secret.
func jail(t *testing.T, cfg ServeConfig) (c *Client, dir, outside string) {
	t.Helper()
	c, dir, _ = both(t, cfg)
	outside = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "in"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "in", "f"), []byte("inside"), 0o600))
	rel, err := filepath.Rel(dir, outside)
	require.NoError(t, err)
	for name, to := range map[string]string{
		"abs": outside, "rel": rel, "file": filepath.Join(outside, "secret"), "new": filepath.Join(outside, "new"),
		"in/up": "..", "in/far": "../" + rel, "good": "in/f", "goodfolder": "in", "loop": "loop",
	} {
		require.NoError(t, os.Symlink(to, filepath.Join(dir, name)))
	}
	return c, dir, outside
}

// untouched says that nothing outside has changed.
func untouched(t *testing.T, outside string) {
	t.Helper()
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	b, err := os.ReadFile(filepath.Join(outside, "secret"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(b))
}

func TestConfined(t *testing.T) {
	c, dir, outside := jail(t, ServeConfig{})
	ctx := t.Context()
	ways := []string{
		"/..", "..", "/../" + filepath.Base(outside), "/in/../..", "/in/../../" + filepath.Base(outside), "/abs", "/rel", "/in/far", "/in/up/rel",
		outside, "//../x", "/./../x", "/in/\x00", strings.Repeat("/a", 5000), "/loop",
	}
	for _, folder := range ways {
		_, err := c.List(ctx, folder)
		require.Error(t, err, folder)
		for _, file := range []string{folder, folder + "/secret"} {
			_, err := c.Download(ctx, file, io.Discard, DownloadOptions{})
			require.ErrorIs(t, err, ErrRefused, file)
			_, err = c.Hash(ctx, file)
			require.ErrorIs(t, err, fs.ErrNotExist, file)
			_, err = c.Upload(ctx, strings.NewReader("x"), file, UploadOptions{})
			require.ErrorIs(t, err, ErrRefused, file)
		}
		require.Error(t, c.Mkdir(ctx, folder+"/made"))
		// The client looks before it asks; a hostile operator does not.
		for _, m := range []Message{
			&Mkdir{Path: folder + "/made"},
			&Remove{Path: folder, Names: []string{"secret"}, Recursive: true},
			&Rename{Path: folder, OldName: "secret", NewName: "moved"},
			&Copy{From: folder, To: "/in", Names: []string{"secret"}},
			&Copy{From: "/in", To: folder, Names: []string{"f"}},
			&Move{From: folder, To: "/in", Names: []string{"secret"}},
			&Move{From: "/in", To: folder, Names: []string{"f"}},
			&Zip{Path: folder, Files: []string{"secret"}, Output: "z.zip"},
			&Find{Path: folder, Filter: "*"},
		} {
			require.NoError(t, c.send(ctx, m))
		}
	}
	up := "../" + filepath.Base(outside)
	for _, name := range []string{"..", ".", "", up, up + "/secret", "/", outside, outside + "/secret", "a/b", "\x00"} {
		for _, m := range []Message{
			&Remove{Path: "/", Names: []string{name}, Recursive: true},
			&Rename{Path: "/in", OldName: "f", NewName: name},
			&Rename{Path: "/in", OldName: name, NewName: "g"},
			&Copy{From: "/in", To: "/", Names: []string{name}},
			&Move{From: "/", To: "/in", Names: []string{name}},
			&Zip{Path: "/", Files: []string{name}, Output: "z.zip"},
			&Zip{Path: "/", Files: []string{"in"}, Output: name},
			&Upload{RequestID: TextID("hostile"), Path: "/", Name: name + "/x"},
			&UploadHash{RequestID: TextID("hostile"), Path: "/", Name: name},
		} {
			require.NoError(t, c.send(ctx, m))
		}
	}
	entries, err := c.List(ctx, "/")
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	require.Equal(t, []string{"good", "goodfolder", "in"}, names, "links that lead out do not show, and nothing was made")
	entries, err = c.List(ctx, "/goodfolder")
	require.NoError(t, err)
	require.Equal(t, "f", entries[0].Name)
	untouched(t, outside)

	// Links that stay inside work.
	var got bytes.Buffer
	_, err = c.Download(ctx, "/good", &got, DownloadOptions{})
	require.NoError(t, err)
	require.Equal(t, "inside", got.String())
	// Removing a link removes the link.
	require.NoError(t, c.send(ctx, &Remove{Path: "/", Names: []string{"abs", "rel", "goodfolder"}, Recursive: true}))
	_, err = c.List(ctx, "/")
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(dir, "abs"))
	require.FileExists(t, filepath.Join(dir, "in", "f"))
	untouched(t, outside)
}

// Packed files do not lead out either.
func TestConfinedUnzip(t *testing.T) {
	c, dir, outside := jail(t, ServeConfig{MaxUnzip: 1000})
	for i, entry := range []zip.FileHeader{
		{Name: "../x"}, {Name: "/x"}, {Name: "a/../../x"}, {Name: "abs/x"}, {Name: "new"}, {Name: "file"},
		{Name: "huge", Method: zip.Deflate},
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.CreateHeader(&entry)
		require.NoError(t, err)
		_, err = w.Write(make([]byte, 2000))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		require.NoError(t, os.WriteFile(filepath.Join(dir, "z.zip"), b.Bytes(), 0o600))
		require.ErrorIs(t, c.Unzip(t.Context(), "/z.zip", "/"), ErrRefused, "%d: %s", i, entry.Name)
		untouched(t, outside)
	}
	// A link in a packed file is not made.
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := zip.FileHeader{Name: "link"}
	h.SetMode(fs.ModeSymlink | 0o777)
	w, err := z.CreateHeader(&h)
	require.NoError(t, err)
	_, err = io.WriteString(w, outside)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "z.zip"), b.Bytes(), 0o600))
	require.NoError(t, c.Unzip(t.Context(), "/z.zip", "/"))
	_, err = os.Lstat(filepath.Join(dir, "link"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// What is no file is not opened: a pipe would wait for ever.
func TestSpecialFiles(t *testing.T) {
	c, dir, _ := both(t, ServeConfig{})
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	ctx := t.Context()
	_, err := c.Download(ctx, "/pipe", io.Discard, DownloadOptions{})
	require.ErrorIs(t, err, ErrRefused)
	_, err = c.Upload(ctx, strings.NewReader("x"), "/pipe", UploadOptions{})
	require.ErrorIs(t, err, ErrRefused)
	_, err = c.Hash(ctx, "/pipe")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, c.Unzip(ctx, "/pipe", "/"), ErrRefused)
	require.NoError(t, c.Zip(ctx, "/", []string{"pipe"}, "z.zip", nil), "it is left out")
}

func TestReadOnlyAndAllow(t *testing.T) {
	t.Run("read-only", func(t *testing.T) {
		c, dir, _ := jail(t, ServeConfig{ReadOnly: true})
		ctx := t.Context()
		require.ErrorIs(t, c.Mkdir(ctx, "/a"), ErrRefused)
		require.ErrorIs(t, c.RemoveAll(ctx, "/in"), ErrRefused)
		require.ErrorIs(t, c.Rename(ctx, "/in", "out"), ErrRefused)
		require.ErrorIs(t, c.Copy(ctx, "/in", "/", "f"), ErrRefused)
		require.ErrorIs(t, c.Move(ctx, "/in", "/", "f"), ErrRefused)
		require.ErrorIs(t, c.Zip(ctx, "/", []string{"in"}, "z.zip", nil), ErrRefused)
		require.ErrorIs(t, c.Unzip(ctx, "/in/f", "/"), ErrRefused)
		_, err := c.Upload(ctx, strings.NewReader("x"), "/in/f", UploadOptions{})
		require.ErrorIs(t, err, ErrRefused)
		b, err := os.ReadFile(filepath.Join(dir, "in", "f"))
		require.NoError(t, err)
		require.Equal(t, "inside", string(b))
		_, err = c.Download(ctx, "/in/f", io.Discard, DownloadOptions{})
		require.NoError(t, err)
	})
	t.Run("allow", func(t *testing.T) {
		var asked []Operation
		c, _, _ := jail(t, ServeConfig{MaxUpload: 10, Allow: func(_ context.Context, o Operation) error {
			asked = append(asked, o)
			if o.Action == "download" {
				return errors.New("no")
			}
			return nil
		}})
		ctx := t.Context()
		_, err := c.Download(ctx, "/in/f", io.Discard, DownloadOptions{})
		require.ErrorIs(t, err, ErrRefused)
		for _, o := range []UploadOptions{{}, {Size: 11}, {BlockSize: 5}} {
			_, err = c.Upload(ctx, strings.NewReader("12345678901"), "/u", o)
			require.ErrorIs(t, err, ErrRefused)
		}
		_, err = c.Upload(ctx, strings.NewReader("1234567890"), "/u", UploadOptions{})
		require.NoError(t, err)
		require.Equal(t, Operation{Action: "download", Paths: []string{"in/f"}}, asked[0])
		require.Equal(t, Operation{Action: "upload", Paths: []string{"u"}, Write: true}, asked[1])
	})
}

func TestLocalName(t *testing.T) {
	for name, ok := range map[string]bool{"a": true, "a b.txt": true, "..": false, "../x": false, "/x": false, "": false, ".": false, "a\x00": false, "...": true} {
		_, got := (&Entry{Name: name}).LocalName()
		require.Equal(t, ok, got, name)
	}
}

func TestSplit(t *testing.T) {
	for path, want := range map[string][2]string{
		"/": {"/", ""}, "": {"/", ""}, "/a": {"/", "a"}, "/a/b": {"/a", "b"}, "/a/b//": {"/a", "b"}, "a": {"/", "a"}, `/a\b`: {"/", `a\b`},
		`C:\`: {`C:\`, ""}, `C:`: {`C:`, ""}, `C:\a`: {`C:\`, "a"}, `C:\a\b`: {`C:\a`, "b"}, `C:/a/b`: {`C:/a`, "b"}, `C:\a\`: {`C:\`, "a"},
	} {
		folder, name := split(path)
		require.Equal(t, want, [2]string{folder, name}, path)
	}
}
