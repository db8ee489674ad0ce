package certs_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
)

const mshGUID = "b996015880544a19b7f7e9be44914c19"

func embed(t testing.TB, executable []byte, m *certs.MSH) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, certs.WriteEmbeddedMSH(&out, bytes.NewReader(executable), int64(len(executable)), m))
	return out.Bytes()
}

func readEmbedded(b []byte) (*certs.MSH, error) {
	return certs.ReadEmbeddedMSH(bytes.NewReader(b), int64(len(b)))
}

func TestEmbeddedMSH(t *testing.T) {
	m := parseMSH(t, recordedMSH)
	elf := append([]byte("\x7fELF"), bytes.Repeat([]byte{7}, 1000)...)
	_, err := readEmbedded(elf)
	require.ErrorIs(t, err, certs.ErrNoMSH)

	out := embed(t, elf, m)
	want := append(bytes.Clone(elf), recordedMSH...)
	want = binary.BigEndian.AppendUint32(want, uint32(len(recordedMSH)))
	guid, err := hex.DecodeString(mshGUID)
	require.NoError(t, err)
	want = append(want, guid...)
	require.Equal(t, want, out)

	got, err := readEmbedded(out)
	require.NoError(t, err)
	require.Equal(t, recordedMSH, mshText(got))

	// A second file takes the place of the first.
	other := parseMSH(t, "a=1\n")
	out = embed(t, out, other)
	require.Len(t, out, len(elf)+4+20)
	got, err = readEmbedded(out)
	require.NoError(t, err)
	require.Equal(t, "a=1\n", mshText(got))

	for i := range out {
		_, err := readEmbedded(out[:i])
		require.ErrorIs(t, err, certs.ErrNoMSH)
	}
	got, err = readEmbedded(embed(t, nil, parseMSH(t, "")))
	require.NoError(t, err)
	require.Zero(t, got.Len())
}

func TestEmbeddedMSHLength(t *testing.T) {
	out := embed(t, []byte("executable"), parseMSH(t, "a=1\n"))
	for _, n := range []uint32{15, 1 << 20, 1<<20 + 1, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		binary.BigEndian.PutUint32(out[len(out)-20:], n)
		_, err := readEmbedded(out)
		require.ErrorIs(t, err, certs.ErrMSH)
		err = certs.WriteEmbeddedMSH(io.Discard, bytes.NewReader(out), int64(len(out)), parseMSH(t, ""))
		require.ErrorIs(t, err, certs.ErrMSH)
	}
	binary.BigEndian.PutUint32(out[len(out)-20:], 14)
	got, err := readEmbedded(out)
	require.NoError(t, err)
	require.Equal(t, "executablea=1\n", mshText(got))
}

// windowsExecutable makes the headers of a Windows executable around a code section and a signature.
func windowsExecutable(magic uint16, signature []byte) []byte {
	const peAt, codeAt = 0x80, 0x200
	b := make([]byte, codeAt+0x200)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[0x3c:], peAt)
	copy(b[peAt:], "PE\x00\x00")
	optional := peAt + 24
	binary.LittleEndian.PutUint16(b[optional:], magic)
	entry := optional + 128
	if magic == 0x20b {
		entry += 16
	}
	if signature != nil {
		binary.LittleEndian.PutUint32(b[entry:], uint32(len(b)))
		binary.LittleEndian.PutUint32(b[entry+4:], uint32(len(signature)+8))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(signature)+8))
		b = append(b, 0, 2, 2, 0) // WIN_CERT_REVISION_2_0, WIN_CERT_TYPE_PKCS_SIGNED_DATA
		b = append(b, signature...)
	}
	return b
}

func TestEmbeddedMSHInWindowsExecutable(t *testing.T) {
	m := parseMSH(t, recordedMSH)
	for _, magic := range []uint16{0x10b, 0x20b} {
		plain := windowsExecutable(magic, nil)
		require.Equal(t, plain, embed(t, plain, m)[:len(plain)])

		signed := windowsExecutable(magic, bytes.Repeat([]byte{5}, 1000))
		out := embed(t, signed, m)
		got, err := readEmbedded(out)
		require.NoError(t, err)
		require.Equal(t, recordedMSH, mshText(got))

		// All that changed is the two lengths, and the table still ends the file.
		entry := 0x80 + 24 + 128
		if magic == 0x20b {
			entry += 16
		}
		tableAt := binary.LittleEndian.Uint32(out[entry:])
		tableSize := binary.LittleEndian.Uint32(out[entry+4:])
		require.Len(t, out, int(tableAt+tableSize))
		require.Equal(t, tableSize, binary.LittleEndian.Uint32(out[tableAt:]))
		require.Zero(t, tableSize%8)
		restored := bytes.Clone(out[:len(signed)])
		copy(restored[entry+4:], signed[entry+4:entry+8])
		copy(restored[tableAt:], signed[tableAt:tableAt+4])
		require.Equal(t, signed, restored)

		err = certs.WriteEmbeddedMSH(io.Discard, bytes.NewReader(out), int64(len(out)), m)
		require.ErrorIs(t, err, certs.ErrMSH, "one is in there already")

		// Every way to cut it off is an error, or is not taken for a Windows executable.
		for i := 64; i < len(signed); i++ {
			err := certs.WriteEmbeddedMSH(io.Discard, bytes.NewReader(signed[:i]), int64(i), m)
			require.ErrorIs(t, err, certs.ErrMSH, i)
		}
	}
	odd := windowsExecutable(0x107, nil)
	require.ErrorIs(t, certs.WriteEmbeddedMSH(io.Discard, bytes.NewReader(odd), int64(len(odd)), m), certs.ErrMSH)
}

// failingWriter fails after n bytes.
type failingWriter struct{ n int }

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.n -= len(b); w.n < 0 {
		return 0, iotest.ErrTimeout
	}
	return len(b), nil
}

// shortReader claims to be longer than it is.
type shortReader struct{ *bytes.Reader }

func TestEmbeddedMSHErrors(t *testing.T) {
	m := parseMSH(t, recordedMSH)
	for _, executable := range [][]byte{
		[]byte("some executable that is no Windows one"), windowsExecutable(0x20b, make([]byte, 100)),
	} {
		size := len(embed(t, executable, m))
		for n := range size {
			err := certs.WriteEmbeddedMSH(&failingWriter{n}, bytes.NewReader(executable), int64(len(executable)), m)
			require.ErrorIs(t, err, iotest.ErrTimeout, n)
		}
		err := certs.WriteEmbeddedMSH(io.Discard, shortReader{bytes.NewReader(executable)}, 1<<20, m)
		require.Error(t, err)
		_, err = certs.ReadEmbeddedMSH(shortReader{bytes.NewReader(executable)}, 1<<20)
		require.ErrorIs(t, err, io.EOF)
	}
}
