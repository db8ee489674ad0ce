package agentproto

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A core blob, as commands 10 and 20 carry it and as the agent stores it, is
//
//	+----+----+----+----+------------------------------
//	| 00   00   00   00 | JavaScript, UTF-8
//	+----+----+----+----+------------------------------
//
// Its hash, in commands 10, 11 and 20, is the SHA-384 of all of it. The agent runs what follows the four bytes.
// meshcentral.js, updateMeshCore; agentcore.c, MeshServer_ProcessCommand.
const corePrefixLen = 4

// maxCoreSize bounds a core. MeshCentral's are at most 0.7 MB.
const maxCoreSize = 32 << 20

// ErrNoCore is returned where an agent has no core of the kind that was asked for: its id is unknown, or the set holds none.
// A server then clears the agent's core, or leaves it alone.
var ErrNoCore = errors.New("agentproto: no core for this agent")

// AppendCore appends the blob of a core with the given text to b.
func AppendCore(b []byte, text []byte) []byte {
	b = append(b, make([]byte, corePrefixLen)...)
	return append(b, text...)
}

// CoreText is the part of a blob that the agent runs. It shares memory with blob.
func CoreText(blob []byte) ([]byte, error) {
	if len(blob) < corePrefixLen {
		return nil, fmt.Errorf("agentproto: core of %d bytes has no prefix", len(blob))
	}
	if prefix := blob[:corePrefixLen]; !bytes.Equal(prefix, make([]byte, corePrefixLen)) {
		return nil, fmt.Errorf("agentproto: core starts with %x instead of four zero bytes", prefix)
	}
	return blob[corePrefixLen:], nil
}

// HashCore is the SHA-384 of a blob, prefix included.
func HashCore(blob []byte) Hash { return sha512.Sum384(blob) }

// Core is one core, ready to be sent. It is safe for concurrent use; nothing in it may be changed.
type Core struct {
	Name CoreName // "" for a core that was given, not composed
	Blob []byte
	Hash Hash

	wire     []byte // command 10, of which Blob is a part: all agents are sent these very bytes
	deflate  sync.Once
	deflated []byte // command 20
}

// NewCore makes a core of a blob (see [AppendCore]), of which it keeps a copy.
func NewCore(name CoreName, blob []byte) *Core {
	c := &Core{Name: name, Hash: HashCore(blob)}
	c.wire = appendCore(make([]byte, 0, coreHeader+len(blob)), CmdCoreModule, 0, c.Hash, blob)
	c.Blob = c.wire[coreHeader:]
	return c
}

// message returns command 10 or 20. It is shared and must not be changed.
func (c *Core) message(compressed bool) []byte {
	if !compressed {
		return c.wire
	}
	c.Deflated()
	return c.deflated
}

// Deflated is the blob as raw DEFLATE data (RFC 1951, neither zlib nor gzip), the form of command 20, which is for agents
// with [CapCompression]: a fifth of the size. It is computed once; the result may not be changed.
func (c *Core) Deflated() []byte {
	c.deflate.Do(func() {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err == nil {
			_, err = w.Write(c.Blob)
		}
		if err == nil {
			err = w.Close()
		}
		if err == nil { // always: the level is valid and a buffer takes everything
			c.deflated = appendCore(nil, CmdCompressedCoreModule, 0, c.Hash, b.Bytes())
		}
	})
	return c.deflated[coreHeader:]
}

// InflateCore undoes [Core.Deflated], for an agent that got command 20. It also reads zlib data, which is what MeshCentral
// prepares (but, by a mistake, never sends). The result is at most limit bytes long; limit 0 means 32 MiB.
func InflateCore(data []byte, limit int) ([]byte, error) {
	if limit <= 0 || limit > maxCoreSize {
		limit = maxCoreSize
	}
	var r io.ReadCloser
	// A zlib header is a multiple of 31 with method 8; as raw DEFLATE these bytes would be a stored block with odd padding.
	if len(data) >= 2 && data[0]&0x0f == 8 && (int(data[0])<<8|int(data[1]))%31 == 0 {
		z, err := zlib.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("agentproto: inflating a core: %w", err)
		}
		r = z
	} else {
		r = flate.NewReader(bytes.NewReader(data))
	}
	blob, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("agentproto: inflating a core: %w", err)
	}
	if len(blob) > limit {
		return nil, fmt.Errorf("agentproto: inflating a core: more than %d bytes", limit)
	}
	return blob, nil
}
