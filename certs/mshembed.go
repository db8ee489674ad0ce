package certs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrNoMSH reports an executable without a .msh file in it.
var ErrNoMSH = errors.New("certs: no .msh file in the executable")

// mshGUID ends an executable that has a .msh file in it:
//
//	executable | .msh file | 4 bytes: its length, big-endian | 16 bytes: B996015880544A19B7F7E9BE44914C19
//
// Confirmed in exeHandler.js, exeMeshPolicyGuid.
const mshGUID = "\xb9\x96\x01\x58\x80\x54\x4a\x19\xb7\xf7\xe9\xbe\x44\x91\x4c\x19"

// mshTrailer is the size of what follows the embedded file.
const mshTrailer = 4 + len(mshGUID)

// ReadEmbeddedMSH returns the .msh file in an executable of this size, or [ErrNoMSH].
func ReadEmbeddedMSH(executable io.ReaderAt, size int64) (*MSH, error) {
	start, length, err := findMSH(executable, size)
	if err != nil {
		return nil, err
	}
	text := make([]byte, length)
	if err := readAt(executable, text, start); err != nil {
		return nil, err
	}
	return &MSH{text: text}, nil
}

// findMSH returns where in an executable the .msh file is.
func findMSH(executable io.ReaderAt, size int64) (start int64, length int, err error) {
	if size < int64(mshTrailer) {
		return 0, 0, ErrNoMSH
	}
	var trailer [mshTrailer]byte
	if err := readAt(executable, trailer[:], size-int64(mshTrailer)); err != nil {
		return 0, 0, err
	}
	if string(trailer[4:]) != mshGUID {
		return 0, 0, ErrNoMSH
	}
	n := int64(binary.BigEndian.Uint32(trailer[:4]))
	if n > MaxMSH || n > size-int64(mshTrailer) {
		return 0, 0, fmt.Errorf("%w: embedded, with a length of %d bytes in an executable of %d", ErrMSH, n, size)
	}
	return size - int64(mshTrailer) - n, int(n), nil
}

// WriteEmbeddedMSH writes an executable with a .msh file in it to w.
//
// A signed Windows executable stays one: the file goes into its certificate table, which the signature does not cover.
// An executable with a file in it already has it replaced, unless it is such a signed one, which is an error.
//
// Confirmed in exeHandler.js, streamExeWithMeshPolicy.
func WriteEmbeddedMSH(w io.Writer, executable io.ReaderAt, size int64, m *MSH) error {
	table, err := findCertificateTable(executable, size)
	if err != nil {
		return err
	}
	start, _, err := findMSH(executable, size)
	switch {
	case errors.Is(err, ErrNoMSH):
	case err != nil:
		return err
	case table.address != 0:
		return fmt.Errorf("%w: the signed executable has one already", ErrMSH)
	default:
		size = start
	}
	if table.address == 0 {
		if err := copyRange(w, executable, 0, size); err != nil {
			return err
		}
		return writeAll(w, m.appendTrailer(nil))
	}

	// The table grows by the file, and by zeros before it that make its length a multiple of 8.
	padding := -(table.length + int64(m.Len()+mshTrailer)) & 7
	grown := padding + int64(m.Len()+mshTrailer)
	if table.size+grown > 1<<31 {
		return fmt.Errorf("%w: the executable is too big", ErrMSH)
	}
	type patch struct {
		at    int64
		value int64
	}
	at := int64(0)
	for _, p := range []patch{{table.sizeAt, table.size + grown}, {table.address, table.length + grown}} {
		if err := copyRange(w, executable, at, p.at); err != nil {
			return err
		}
		if err := writeAll(w, binary.LittleEndian.AppendUint32(nil, uint32(p.value))); err != nil {
			return err
		}
		at = p.at + 4
	}
	if err := copyRange(w, executable, at, size); err != nil {
		return err
	}
	return writeAll(w, m.appendTrailer(make([]byte, padding)))
}

// appendTrailer appends the file with its length and mark.
func (m *MSH) appendTrailer(b []byte) []byte {
	b = m.AppendTo(b)
	b = binary.BigEndian.AppendUint32(b, uint32(m.Len()))
	return append(b, mshGUID...)
}

// certificateTable is the place of the signature in a Windows executable.
type certificateTable struct {
	sizeAt  int64 // where the header has the size of the table
	address int64 // of the table; 0 if there is none
	size    int64 // of the table, to the end of the file
	length  int64 // of its first entry, which the table begins with
}

// findCertificateTable reads the headers of a Windows executable. Anything else has no table.
//
//	0x3c of the file: offset of the PE header; PE header: "PE\0\0", 20 bytes; optional header: 2 bytes 0x10b or 0x20b ...,
//	16 data directories of 8 bytes, of which number 4 is the certificate table: 4 bytes address, 4 bytes size
func findCertificateTable(executable io.ReaderAt, size int64) (certificateTable, error) {
	var dos [64]byte
	if size < int64(len(dos)) {
		return certificateTable{}, nil
	}
	if err := readAt(executable, dos[:], 0); err != nil {
		return certificateTable{}, err
	}
	if string(dos[:2]) != "MZ" {
		return certificateTable{}, nil
	}
	optionalAt := int64(binary.LittleEndian.Uint32(dos[0x3c:])) + 24
	var optional [2]byte
	if optionalAt+int64(len(optional)) > size {
		return certificateTable{}, fmt.Errorf("%w: not a Windows executable", ErrMSH)
	}
	if err := readAt(executable, optional[:], optionalAt); err != nil {
		return certificateTable{}, err
	}
	entry := optionalAt + 128
	switch binary.LittleEndian.Uint16(optional[:]) {
	case 0x10b: // 32 bits
	case 0x20b: // 64 bits
		entry += 16
	default:
		return certificateTable{}, fmt.Errorf("%w: not a Windows executable", ErrMSH)
	}
	var b [8]byte
	if entry+int64(len(b)) > size {
		return certificateTable{}, fmt.Errorf("%w: not a Windows executable", ErrMSH)
	}
	if err := readAt(executable, b[:], entry); err != nil {
		return certificateTable{}, err
	}
	t := certificateTable{
		sizeAt:  entry + 4,
		address: int64(binary.LittleEndian.Uint32(b[:])),
		size:    int64(binary.LittleEndian.Uint32(b[4:])),
	}
	if t.address == 0 {
		return t, nil
	}
	if t.address < entry+8 || t.size < 8 || t.address+t.size != size {
		return certificateTable{}, fmt.Errorf("%w: the certificate table does not end the executable", ErrMSH)
	}
	if err := readAt(executable, b[:4], t.address); err != nil {
		return certificateTable{}, err
	}
	t.length = int64(binary.LittleEndian.Uint32(b[:]))
	return t, nil
}

func readAt(r io.ReaderAt, b []byte, at int64) error {
	if n, err := r.ReadAt(b, at); n < len(b) {
		return fmt.Errorf("certs: reading the executable: %w", err)
	}
	return nil
}

func copyRange(w io.Writer, r io.ReaderAt, from, to int64) error {
	n, err := io.Copy(w, io.NewSectionReader(r, from, to-from))
	if err == nil && n < to-from {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("certs: copying the executable: %w", err)
	}
	return nil
}

func writeAll(w io.Writer, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("certs: writing the executable: %w", err)
	}
	return nil
}
