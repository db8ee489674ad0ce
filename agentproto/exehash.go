package agentproto

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// mshTrailerLen is the end of a program with settings inside: the settings, their length (uint32, big-endian), and this GUID.
const mshTrailerLen = 4 + 16

// mshGUID marks settings (.msh) at the end of a program.
var mshGUID = [16]byte{0xB9, 0x96, 0x01, 0x58, 0x80, 0x54, 0x4A, 0x19, 0xB7, 0xF7, 0xE9, 0xBE, 0x44, 0x91, 0x4C, 0x19}

// ExecutableHash is the hash of an agent's program in commands 12 and 13, of which signing and settings are no part. It is
// the SHA-384 of the file, except that
//
//   - in a Windows program (PE) the 4 bytes of the checksum and the 8 bytes of the directory entry of the certificate table
//     count as zeros, and the certificate table and all that follows it are left out;
//   - where there is no certificate table, settings at the end are left out, with their length and GUID.
//
// The stock server reads the length of the settings in the other byte order, so it computes another hash of a program with
// settings; this is the agent's. A file that is not quite a PE is hashed as it is; one that contradicts itself is an error.
// agentcore.c, GenerateSHA384FileHash; exeHandler.js, hashExecutableFile.
func ExecutableHash(r io.ReaderAt, size int64) ([sha512.Size384]byte, error) {
	sum, err := executableHash(r, size)
	if err != nil {
		err = fmt.Errorf("agentproto: hashing an executable: %w", err)
	}
	return sum, err
}

func executableHash(r io.ReaderAt, size int64) (sum [sha512.Size384]byte, err error) {
	if size < 0 {
		return sum, errors.New("negative size")
	}
	pe, isPE, err := parsePE(r, size)
	if err != nil {
		return sum, err
	}
	end := size
	switch {
	case isPE && pe.certTable != 0:
		end = min(end, pe.certTable)
	case size >= mshTrailerLen:
		var t [mshTrailerLen]byte
		if err := readFullAt(r, t[:], size-mshTrailerLen); err != nil {
			return sum, err
		}
		if bytes.Equal(t[4:], mshGUID[:]) {
			n := int64(binary.BigEndian.Uint32(t[:4]))
			if n > size-mshTrailerLen {
				return sum, errors.New("the settings are longer than the file")
			}
			end -= mshTrailerLen + n
		}
	}

	h := sha512.New384()
	pos := int64(0)
	if isPE {
		if end < pe.certEntry+8 {
			return sum, errors.New("the certificate table or the settings lie in the header")
		}
		var zeros [8]byte
		if err := hashRange(h, r, 0, pe.checksum); err != nil {
			return sum, err
		}
		h.Write(zeros[:4])
		if err := hashRange(h, r, pe.checksum+4, pe.certEntry); err != nil {
			return sum, err
		}
		h.Write(zeros[:8])
		pos = pe.certEntry + 8
	}
	if err := hashRange(h, r, pos, end); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}

// peInfo has the offsets in a Windows program that its hash depends on.
type peInfo struct {
	checksum  int64 // of the 4 bytes of the checksum
	certEntry int64 // of the directory entry of the certificate table
	certTable int64 // where the table is, 0 if there is none
}

func parsePE(r io.ReaderAt, size int64) (peInfo, bool, error) {
	const (
		dosHeaderLen = 64
		ntHeaderLen  = 24 // signature and file header; the optional header follows
		maxNeeded    = 144 + 8
	)
	var dos [dosHeaderLen]byte
	if size < dosHeaderLen {
		return peInfo{}, false, nil
	}
	if err := readFullAt(r, dos[:], 0); err != nil {
		return peInfo{}, false, err
	}
	if dos[0] != 'M' || dos[1] != 'Z' {
		return peInfo{}, false, nil
	}
	nt := int64(binary.LittleEndian.Uint32(dos[60:]))
	var head [ntHeaderLen + maxNeeded]byte
	n := min(int64(len(head)), size-nt)
	if n < ntHeaderLen+2 {
		return peInfo{}, false, nil
	}
	if err := readFullAt(r, head[:n], nt); err != nil {
		return peInfo{}, false, err
	}
	if !bytes.Equal(head[:4], []byte("PE\x00\x00")) {
		return peInfo{}, false, nil
	}
	opt := head[ntHeaderLen:n]
	opt = opt[:min(len(opt), int(binary.LittleEndian.Uint16(head[20:])))]
	if len(opt) < 2 {
		return peInfo{}, false, nil
	}
	var entry int
	switch binary.LittleEndian.Uint16(opt) {
	case 0x10b: // 32 bits
		entry = 128
	case 0x20b: // 64 bits
		entry = 144
	default:
		return peInfo{}, false, nil
	}
	if len(opt) < entry+8 {
		return peInfo{}, false, nil
	}
	start := nt + ntHeaderLen
	return peInfo{
		checksum:  start + 64,
		certEntry: start + int64(entry),
		certTable: int64(binary.LittleEndian.Uint32(opt[entry:])),
	}, true, nil
}

// readFullAt fills b or fails: a file that became shorter is an error, not a hash of less.
func readFullAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func hashRange(h hash.Hash, r io.ReaderAt, from, to int64) error {
	var buf [16 << 10]byte
	for from < to {
		b := buf[:min(int64(len(buf)), to-from)]
		if err := readFullAt(r, b, from); err != nil {
			return err
		}
		h.Write(b)
		from += int64(len(b))
	}
	return nil
}
