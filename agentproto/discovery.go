package agentproto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// Agents in the same network as their server find it by UDP multicast (meshscanner.js; agentcore.c). All packets are ASCII
// without a terminator:
//
//	agent to group:16989     96 bytes: the server id in upper-case hexadecimal
//	server to agent          MeshCentral2|<server id>|<url>              as answer, and on its own to group:16990
//	tool to server           MeshServerScan
//	server to tool           MeshCentral2|<server id>|<url>|<name>|<info>
//
// "%s" in the URL stands for the address that the packet came from. Nothing here is authentic: the id only says which server
// is meant, and the login proves it (commands 1 and 2), so that a forged packet can only make a connection fail.
const (
	// DiscoveryServerPort is where servers listen.
	DiscoveryServerPort = 16989
	// DiscoveryAgentPort is where agents listen for servers that announce themselves.
	DiscoveryAgentPort = 16990

	discoveryQueryLen  = 2 * sha512.Size384
	discoveryMagic     = "MeshCentral2|"
	discoveryScan      = "MeshServerScan"
	discoveryURLOffset = len(discoveryMagic) + discoveryQueryLen + 1 // 110
	maxDiscoveryPacket = 1023                                        // what agents accept
	maxDiscoverySealed = 1008                                        // and that when encrypted
)

// The multicast groups.
var (
	discoveryGroup4 = netip.MustParseAddr("239.255.255.235")
	discoveryGroup6 = netip.MustParseAddr("ff02::fe")
)

// DiscoveryGroups gives the multicast groups of IPv4 and IPv6.
func DiscoveryGroups() (v4, v6 netip.Addr) { return discoveryGroup4, discoveryGroup6 }

// ErrDiscovery is wrapped by the errors about discovery packets.
var ErrDiscovery = errors.New("agentproto: discovery")

// AppendDiscoveryQuery appends the question for the server with this id. It does not allocate if b has room for 96 bytes.
func AppendDiscoveryQuery(b []byte, server [sha512.Size384]byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range server {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}

// ParseDiscoveryQuery reads a question. Like the stock server it takes upper-case digits only. It does not allocate.
func ParseDiscoveryQuery(p []byte) (server [sha512.Size384]byte, ok bool) {
	if len(p) != discoveryQueryLen {
		return server, false
	}
	for i := range server {
		hi, lo := upperHex(p[2*i]), upperHex(p[2*i+1])
		if hi|lo > 15 {
			return [sha512.Size384]byte{}, false
		}
		server[i] = hi<<4 | lo
	}
	return server, true
}

func upperHex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// DiscoveryAnswer is what a server says of itself.
type DiscoveryAnswer struct {
	ServerID [sha512.Size384]byte
	URL      string // of agent.ashx, with "%s" for the server's address
	Name     string // to tools only, cleaned like [AgentString]
	Info     string // to tools only, cleaned
}

// AppendTo appends the packet. Name and Info are left out if both are empty.
func (a DiscoveryAnswer) AppendTo(b []byte) []byte {
	b = append(b, discoveryMagic...)
	b = AppendDiscoveryQuery(b, a.ServerID)
	b = append(b, '|')
	b = append(b, a.URL...)
	if a.Name != "" || a.Info != "" {
		b = append(b, '|')
		b = append(b, a.Name...)
		b = append(b, '|')
		b = append(b, a.Info...)
	}
	return b
}

// ParseDiscoveryAnswer reads a server's packet by the rules of the native agent: 110 to 1023 bytes, upper-case digits.
func ParseDiscoveryAnswer(p []byte) (DiscoveryAnswer, error) {
	var a DiscoveryAnswer
	if len(p) < discoveryURLOffset || len(p) > maxDiscoveryPacket {
		return a, fmt.Errorf("%w: answer of %d bytes", ErrDiscovery, len(p))
	}
	id, ok := ParseDiscoveryQuery(p[len(discoveryMagic) : discoveryURLOffset-1])
	if !ok || string(p[:len(discoveryMagic)]) != discoveryMagic || p[discoveryURLOffset-1] != '|' {
		return a, fmt.Errorf("%w: no answer: %q", ErrDiscovery, cutText(string(p[:min(len(p), 64)]), 64))
	}
	parts := strings.SplitN(string(p[discoveryURLOffset:]), "|", 3)
	for i := 0; i < len(parts[0]); i++ {
		if c := parts[0][i]; c <= ' ' || c >= 0x7f {
			return a, fmt.Errorf("%w: URL %q is not plain ASCII", ErrDiscovery, cutText(parts[0], 128))
		}
	}
	a.ServerID, a.URL = id, parts[0]
	if len(parts) > 1 {
		a.Name = cleanText(parts[1], maxDiscoveryPacket, false)
	}
	if len(parts) > 2 {
		a.Info = cleanText(parts[2], maxDiscoveryPacket, false)
	}
	return a, nil
}

// ResolveURL puts the address the answer came from into the URL and checks the result: wss, a host, no user name.
func (a DiscoveryAnswer) ResolveURL(from netip.Addr) (string, error) {
	s := a.URL
	if strings.Contains(s, "%s") {
		host := from.Unmap()
		text := host.WithZone("").String()
		if zone := host.Zone(); zone != "" && host.IsLinkLocalUnicast() {
			text += "%25" + url.PathEscape(zone)
		}
		s = strings.Replace(s, "%s", text, 1)
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "wss" || u.Hostname() == "" || u.User != nil || u.Opaque != "" ||
		strings.Contains(u.Hostname(), ":") && !strings.HasPrefix(u.Host, "[") {
		return "", fmt.Errorf("%w: %q is no URL of a server", ErrDiscovery, cutText(s, 128))
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("%w: %q has no valid port", ErrDiscovery, cutText(s, 128))
		}
	}
	return s, nil
}

// AcceptDiscovery does what an agent does with a packet: it decrypts it (key may be nil), wants it to come from the server
// with this id, and gives the URL to connect to.
func AcceptDiscovery(packet []byte, server [sha512.Size384]byte, key *DiscoveryKey, from netip.Addr) (string, error) {
	if key != nil && len(packet) > maxDiscoverySealed {
		return "", fmt.Errorf("%w: encrypted answer of %d bytes", ErrDiscovery, len(packet))
	}
	plain, ok := key.Open(packet)
	if !ok {
		return "", fmt.Errorf("%w: answer that the key does not open", ErrDiscovery)
	}
	a, err := ParseDiscoveryAnswer(plain)
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare(a.ServerID[:], server[:]) != 1 {
		return "", fmt.Errorf("%w: answer of another server", ErrDiscovery)
	}
	return a.ResolveURL(from)
}

// DiscoveryKey encrypts all packets of a network where the server has `localDiscovery.key` and the agents `DiscoveryKey=`:
// AES-256-CBC under the first 32 bytes of the SHA-384 of the text, the random IV in front, padded as in PKCS#7. That hides
// the packets; it does not authenticate them. A nil key means no encryption. Printed, a key is "[redacted]".
type DiscoveryKey struct {
	key *[32]byte // hidden like the text of a [Secret]
}

// NewDiscoveryKey makes a key of its text; nil of an empty one.
func NewDiscoveryKey(text string) *DiscoveryKey {
	if text == "" {
		return nil
	}
	sum := sha512.Sum384([]byte(text))
	return &DiscoveryKey{key: (*[32]byte)(sum[:32])}
}

// Seal appends the packet for plain to b. The random bytes come from rnd, nil for crypto/rand.
func (k *DiscoveryKey) Seal(b []byte, rnd io.Reader, plain []byte) ([]byte, error) {
	if k == nil {
		return append(b, plain...), nil
	}
	if rnd == nil {
		rnd = rand.Reader
	}
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		return b, fmt.Errorf("%w: %w", ErrDiscovery, err)
	}
	var iv [aes.BlockSize]byte
	if _, err := io.ReadFull(rnd, iv[:]); err != nil {
		return b, fmt.Errorf("%w: random bytes: %w", ErrDiscovery, err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	start := len(b) + aes.BlockSize
	b = append(b, iv[:]...)
	b = append(b, plain...)
	b = append(b, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(b[start:], b[start:])
	return b, nil
}

// Open gives the content of a packet. It fails for what is no packet of this key, as far as that shows.
func (k *DiscoveryKey) Open(packet []byte) ([]byte, bool) {
	if k == nil {
		return packet, true
	}
	if len(packet) < 2*aes.BlockSize || len(packet)%aes.BlockSize != 0 || len(packet) > 64<<10 {
		return nil, false
	}
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		return nil, false
	}
	plain := make([]byte, len(packet)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, packet[:aes.BlockSize]).CryptBlocks(plain, packet[aes.BlockSize:])
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, false
	}
	return plain[:len(plain)-pad], true
}

// String returns "[redacted]".
func (k DiscoveryKey) String() string { return secret.Redacted }

// GoString is what %#v prints.
func (k DiscoveryKey) GoString() string { return "agentproto.DiscoveryKey{" + secret.Redacted + "}" }

// Format makes every verb print the redacted form.
func (k DiscoveryKey) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, secret.Redacted, k.GoString())
}

// LogValue is what log/slog prints.
func (k DiscoveryKey) LogValue() slog.Value { return slog.StringValue(secret.Redacted) }

// MarshalText is what encoding/json prints.
func (k DiscoveryKey) MarshalText() ([]byte, error) { return []byte(secret.Redacted), nil }
