package agentproto

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// fakePE builds a program of size bytes with its header at nt; table is the address of its certificate table.
func fakePE(bits, nt, size int, table uint32) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * 7)
	}
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[60:], uint32(nt))
	copy(b[nt:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[nt+20:], 240)
	magic, entry := uint16(0x20b), 144
	if bits == 32 {
		magic, entry = 0x10b, 128
	}
	binary.LittleEndian.PutUint16(b[nt+24:], magic)
	binary.LittleEndian.PutUint32(b[nt+24+entry:], table)
	return b
}

func withSettings(b []byte, msh string) []byte {
	b = append(bytes.Clone(b), msh...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(msh)))
	return append(b, mshGUID[:]...)
}

func hashOf(t *testing.T, b []byte) [sha512.Size384]byte {
	t.Helper()
	h, err := ExecutableHash(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	return h
}

func TestExecutableHash(t *testing.T) {
	elf := bytes.Repeat([]byte("\x7fELF program "), 5000)
	require.Equal(t, sha512.Sum384(elf), hashOf(t, elf))
	require.Equal(t, sha512.Sum384(elf), hashOf(t, withSettings(elf, "MeshID=0x00\r\n")))
	require.Equal(t, sha512.Sum384(elf), hashOf(t, withSettings(elf, "")))
	require.Equal(t, sha512.Sum384(nil), hashOf(t, nil))

	for _, bits := range []int{32, 64} {
		entry := 24 + 144
		if bits == 32 {
			entry = 24 + 128
		}
		const nt, end = 0x80, 40000
		unsigned := fakePE(bits, nt, end, 0)
		plain := bytes.Clone(unsigned)
		clear(plain[nt+24+64 : nt+24+68])
		clear(plain[nt+entry : nt+entry+8])
		want := sha512.Sum384(plain)
		require.Equal(t, want, hashOf(t, unsigned), bits)
		require.Equal(t, want, hashOf(t, withSettings(unsigned, "MeshID=0x00\r\n")), bits)

		// Signing sets the checksum and the entry and appends; settings inside the signature change nothing.
		signed := bytes.Clone(unsigned)
		binary.LittleEndian.PutUint32(signed[nt+24+64:], 0xdeadbeef)
		binary.LittleEndian.PutUint32(signed[nt+entry:], end)
		binary.LittleEndian.PutUint32(signed[nt+entry+4:], 8192)
		signed = append(signed, bytes.Repeat([]byte{0x30}, 8192)...)
		require.Equal(t, want, hashOf(t, signed), bits)
		require.Equal(t, want, hashOf(t, withSettings(signed, "MeshID=0x00\r\n")), bits)

		signed[end-1]++
		require.NotEqual(t, want, hashOf(t, signed), bits)
	}
}

func TestExecutableHashOfOddFiles(t *testing.T) {
	pe := fakePE(64, 0x80, 4096, 0)
	for name, change := range map[string]func(b []byte){
		"only MZ":               func(b []byte) { clear(b[60:64]); clear(b[0x80:0x84]) },
		"header beyond the end": func(b []byte) { binary.LittleEndian.PutUint32(b[60:], 0xffffffff) },
		"unknown magic":         func(b []byte) { b[0x80+24] = 0x07 },
		"short optional header": func(b []byte) { binary.LittleEndian.PutUint16(b[0x80+20:], 151) },
	} {
		b := bytes.Clone(pe)
		change(b)
		require.Equal(t, sha512.Sum384(b), hashOf(t, b), name)
	}
	for n := range 400 { // a header cut off is no header
		h := hashOf(t, pe[:n])
		if n < 0x80+24+152 {
			require.Equal(t, sha512.Sum384(pe[:n]), h, n)
		}
	}

	for name, b := range map[string][]byte{
		"settings longer than the file": append(append(bytes.Repeat([]byte("x"), 100), 0, 0, 0, 101), mshGUID[:]...),
		"settings reach into a header":  append(append(bytes.Clone(pe), 0, 0, 15, 255), mshGUID[:]...),
		"certificates in the header":    fakePE(64, 0x80, 4096, 0x90),
	} {
		_, err := ExecutableHash(bytes.NewReader(b), int64(len(b)))
		require.Error(t, err, name)
	}
	_, err := ExecutableHash(bytes.NewReader(nil), -1)
	require.Error(t, err)
	// A file that shrank, and one that cannot be read.
	_, err = ExecutableHash(bytes.NewReader(pe), int64(len(pe))+1)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	broken := errors.New("broken")
	_, err = ExecutableHash(readerAt{iotest.ErrReader(broken)}, 100)
	require.ErrorIs(t, err, broken)
}

type readerAt struct{ io.Reader }

func (r readerAt) ReadAt(b []byte, _ int64) (int, error) { return r.Read(b) }

func FuzzExecutableHash(f *testing.F) {
	f.Add([]byte("\x7fELF"), false)
	f.Add(fakePE(64, 64, 300, 0), false)
	f.Add(fakePE(64, 64, 400, 300), false)
	f.Add(fakePE(32, 64, 300, 280), true)
	f.Add(withSettings(fakePE(32, 70, 300, 0), "a=b"), true)
	f.Add(append([]byte("x\xff\xff\xff\xff"), mshGUID[:]...), false)
	f.Fuzz(func(t *testing.T, b []byte, settings bool) {
		before := bytes.Clone(b)
		h, err := ExecutableHash(bytes.NewReader(b), int64(len(b)))
		if !bytes.Equal(b, before) {
			t.Fatal("the file changed")
		}
		if err != nil {
			return
		}
		pe, isPE, err := parsePE(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if !isPE && !bytes.HasSuffix(b, mshGUID[:]) && h != sha512.Sum384(b) {
			t.Fatal("not the hash of the file")
		}
		if isPE {
			// The checksum does not count, nor does what follows a certificate table.
			c := bytes.Clone(b)
			binary.LittleEndian.PutUint32(c[pe.checksum:], 0x12345678)
			if pe.certTable != 0 && pe.certTable <= int64(len(c)) {
				c = append(c, "more"...)
			}
			again, err := ExecutableHash(bytes.NewReader(c), int64(len(c)))
			if err != nil || again != h {
				t.Fatalf("signing changed the hash: %v", err)
			}
		}
		if settings && (!isPE || pe.certTable == 0) && !bytes.HasSuffix(b, mshGUID[:]) {
			c := withSettings(b, "MeshID=0x00\r\n")
			again, err := ExecutableHash(bytes.NewReader(c), int64(len(c)))
			pe2, isPE2, _ := parsePE(bytes.NewReader(c), int64(len(c)))
			if isPE == isPE2 && pe == pe2 && (err != nil || again != h) {
				t.Fatalf("settings changed the hash: %v", err)
			}
		}
	})
}
