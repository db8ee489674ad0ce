package agentproto

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha512"
	"fmt"
	"hash/crc32"
)

// AgentBinary is an executable that agents are updated to. It is shared by all updates and never changed.
type AgentBinary struct {
	data   []byte // what is sent
	hash   Hash   // what agents that run it report
	zipped bool   // data is a ZIP file
}

// NewAgentBinary makes an update of an executable, of which it keeps the bytes. Zipped, it is sent as a ZIP file, a third
// of the size; only agents with [CapCompression] take that.
func NewAgentBinary(program []byte, zipped bool) (*AgentBinary, error) {
	if len(program) == 0 {
		return nil, fmt.Errorf("agentproto: agent binary is empty")
	}
	hash, err := ExecutableHash(bytes.NewReader(program), int64(len(program)))
	if err != nil {
		return nil, err
	}
	b := &AgentBinary{data: program, hash: hash, zipped: zipped}
	if zipped {
		if b.data, err = zipProgram(program); err != nil {
			return nil, fmt.Errorf("agentproto: zipping an agent binary: %w", err)
		}
	}
	return b, nil
}

// Hash returns what an agent that runs the executable reports (see [ExecutableHash]).
func (b *AgentBinary) Hash() Hash { return b.hash }

// Size returns how many bytes are sent.
func (b *AgentBinary) Size() int { return len(b.data) }

// sentHash is the hash that ends the update: that of the executable, or of the ZIP file itself.
func (b *AgentBinary) sentHash() Hash {
	if b.zipped {
		return sha512.Sum384(b.data)
	}
	return b.hash
}

// zipProgram makes a ZIP file with one entry named "meshagent" (meshagent.js, agentUpdate; ILibDuktape in the agent reads
// it). Sizes and checksum stand before the data: the agent does not know the form that has them behind it, which is what
// a streaming writer makes.
func zipProgram(program []byte) ([]byte, error) {
	var deflated bytes.Buffer
	d, err := flate.NewWriter(&deflated, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := d.Write(program); err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: "meshagent", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(program),
		CompressedSize64: uint64(deflated.Len()), UncompressedSize64: uint64(len(program)),
	})
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(deflated.Bytes()); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
