package certs

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"strconv"
	"strings"

	"github.com/meshcentral-go/sdk/nodeid"
)

// MaxMSH is the size of the largest .msh file that is handled. Those of the reference server have 34 KB, nearly all of
// it in one line of translations.
const MaxMSH = 1 << 20

// maxMSHServers bounds the list of servers in a file.
const maxMSHServers = 64

// ErrMSH is what every error about a .msh file wraps.
var ErrMSH = errors.New("certs: invalid .msh file")

// The settings of a .msh file that this package knows. Any other is kept as it is.
const (
	mshMeshName        = "MeshName"
	mshMeshType        = "MeshType"
	mshMeshID          = "MeshID"
	mshServerID        = "ServerID"
	mshMeshServer      = "MeshServer"
	mshDiscoveryKey    = "DiscoveryKey"
	mshTag             = "Tag"
	mshInstallFlags    = "InstallFlags"
	mshIgnoreProxyFile = "ignoreProxyFile"
	mshCoreModule      = "CoreModule"
)

// MSH is a .msh file: the settings that tell an agent which server and which device group are its own. Some of them are
// secrets, such as DiscoveryKey or the password in a WebProxy, so an MSH prints only what is not.
//
// A file is lines of the form Key=Value. Lines that begin with # and lines without = are comments. Of several lines with
// one key the last counts; an empty value makes agents forget the key. A value that begins with 0x is binary.
//
// All of a file that is not changed stays as it is, byte for byte.
//
// Confirmed in agentcore.c, importSettings, and webserver.js, getMshFromRequest.
type MSH struct {
	text []byte
}

// ParseMSH takes the content of a .msh file, as tolerant as agents are; use [MSH.Validate] to know whether an agent can
// work with it.
func ParseMSH(b []byte) (*MSH, error) {
	if len(b) > MaxMSH {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrMSH, len(b), MaxMSH)
	}
	return &MSH{text: bytes.Clone(b)}, nil
}

// AppendTo appends the file to b.
func (m *MSH) AppendTo(b []byte) []byte { return append(b, m.text...) }

// Len returns the size of the file.
func (m *MSH) Len() int { return len(m.text) }

// setting is one line with a key and a value.
type setting struct {
	start, end           int // of the line, with its end
	key                  []byte
	valueStart, valueEnd int // without blanks around
}

// settings returns the lines that have a key, in order.
func (m *MSH) settings() iter.Seq[setting] {
	return func(yield func(setting) bool) {
		for start := 0; start < len(m.text); {
			end := len(m.text)
			if i := bytes.IndexByte(m.text[start:], '\n'); i >= 0 {
				end = start + i + 1
			}
			s, ok := parseSetting(m.text, start, end)
			if ok && !yield(s) {
				return
			}
			start = end
		}
	}
}

func parseSetting(text []byte, start, end int) (setting, bool) {
	from, to := trimBlanks(text, start, end)
	line := text[from:to]
	eq := bytes.IndexByte(line, '=')
	if eq <= 0 || line[0] == '#' {
		return setting{}, false
	}
	s := setting{start: start, end: end, key: line[:eq]}
	s.valueStart, s.valueEnd = trimBlanks(text, from+eq+1, to)
	return s, true
}

// trimBlanks moves the ends of text[from:to] over blanks and line ends.
func trimBlanks(text []byte, from, to int) (int, int) {
	for from < to && isBlank(text[from]) {
		from++
	}
	for to > from && isBlank(text[to-1]) {
		to--
	}
	return from, to
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// find returns the last line with the key.
func (m *MSH) find(key string) (found setting, ok bool) {
	for s := range m.settings() {
		if string(s.key) == key {
			found, ok = s, true
		}
	}
	return found, ok
}

// Get returns the value of a setting, and false if it has none. Keys are case-sensitive.
func (m *MSH) Get(key string) (string, bool) {
	s, ok := m.find(key)
	if !ok || s.valueStart == s.valueEnd {
		return "", false
	}
	return string(m.text[s.valueStart:s.valueEnd]), true
}

// All returns the lines with a key, in order, whether they count or not. Secrets are among the values.
func (m *MSH) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for s := range m.settings() {
			if !yield(string(s.key), string(m.text[s.valueStart:s.valueEnd])) {
				return
			}
		}
	}
}

// Set changes the value of a setting in place, or adds a line at the end. Blanks around the value are lost. An empty
// value makes agents forget the key. The value cannot have line ends, and the key must be one that agents take.
func (m *MSH) Set(key, value string) error {
	value = strings.Trim(value, " \t")
	if err := checkSetting(key, value); err != nil {
		return err
	}
	if len(m.text)+len(key)+len(value)+5 > MaxMSH {
		return fmt.Errorf("%w: more than %d bytes", ErrMSH, MaxMSH)
	}
	if s, ok := m.find(key); ok {
		m.text = splice(m.text, s.valueStart, s.valueEnd, value)
		return nil
	}
	lineEnd := "\r\n"
	if i := bytes.IndexByte(m.text, '\n'); i == 0 || i > 0 && m.text[i-1] != '\r' {
		lineEnd = "\n"
	}
	if n := len(m.text); n > 0 && m.text[n-1] != '\n' {
		m.text = append(m.text, lineEnd...)
	}
	m.text = append(m.text, key+"="+value+lineEnd...)
	return nil
}

// Delete removes all lines with the key.
func (m *MSH) Delete(key string) {
	kept, from := m.text[:0:0], 0
	for s := range m.settings() {
		if string(s.key) == key {
			kept = append(kept, m.text[from:s.start]...)
			from = s.end
		}
	}
	m.text = append(kept, m.text[from:]...)
}

func splice(text []byte, from, to int, with string) []byte {
	out := make([]byte, 0, len(text)-(to-from)+len(with))
	out = append(out, text[:from]...)
	out = append(out, with...)
	return append(out, text[to:]...)
}

// checkSetting refuses what would not be read back as it was written.
func checkSetting(key, value string) error {
	if key == "" || key[0] == '#' || strings.Trim(key, " \t") != key || strings.ContainsAny(key, "=\r\n\x00") {
		return fmt.Errorf("%w: key %q", ErrMSH, truncate(key, 100))
	}
	if key == mshCoreModule {
		return fmt.Errorf("%w: agents refuse the key %s", ErrMSH, key)
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		// The value may be a secret.
		return fmt.Errorf("%w: the value of %q has a line end or a zero byte", ErrMSH, truncate(key, 100))
	}
	return nil
}

// Bytes returns the value of a setting as agents store it: the bytes of a binary value, and the text of any other. It
// returns an error for a setting that is not there and for a binary value that is not hexadecimal.
func (m *MSH) Bytes(key string) ([]byte, error) {
	value, ok := m.Get(key)
	if !ok {
		return nil, missingSetting(key)
	}
	digits, binary := cutBinary(value)
	if !binary {
		return []byte(value), nil
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not hexadecimal", ErrMSH, key)
	}
	return b, nil
}

func cutBinary(value string) (digits string, ok bool) {
	digits, ok = strings.CutPrefix(value, "0x")
	return digits, ok && digits != ""
}

func missingSetting(key string) error { return fmt.Errorf("%w: no %s", ErrMSH, key) }

// MeshName returns the name of the device group, or "". It is text of a stranger.
func (m *MSH) MeshName() string {
	name, _ := m.Get(mshMeshName)
	return name
}

// MeshType returns the type of the device group: 2 for groups of agents.
func (m *MSH) MeshType() (int, error) {
	value, ok := m.Get(mshMeshType)
	if !ok {
		return 0, missingSetting(mshMeshType)
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("%w: %s %q", ErrMSH, mshMeshType, truncate(value, 100))
	}
	return n, nil
}

// MeshID returns the device group.
func (m *MSH) MeshID() (nodeid.MeshID, error) {
	value, ok := m.Get(mshMeshID)
	if !ok {
		return nodeid.MeshID{}, missingSetting(mshMeshID)
	}
	digits, binary := cutBinary(value)
	if !binary {
		return nodeid.MeshID{}, fmt.Errorf("%w: %s %q does not begin with 0x", ErrMSH, mshMeshID, truncate(value, 100))
	}
	id, err := nodeid.ParseMeshID("0x" + digits)
	if err != nil {
		return nodeid.MeshID{}, fmt.Errorf("%w: %s: %w", ErrMSH, mshMeshID, err)
	}
	return id, nil
}

// localServer is the MeshServer that says: look for the server with ServerID in the local network.
const localServer = "local"

// MSHServer is one of the servers that an agent tries in turn.
type MSHServer struct {
	// URL is wss://NAME:PORT/[DOMAIN/]agent.ashx, or "local" to look for the server in the local network.
	URL string
	// ID is what the server must prove to be.
	ID nodeid.ServerID
}

// Local reports whether the server is to be looked for in the local network.
func (s MSHServer) Local() bool { return s.URL == localServer }

// check refuses URLs that agents cannot dial.
func (s MSHServer) check() error {
	if s.Local() {
		return nil
	}
	if strings.ContainsAny(s.URL, ", \t\r\n\x00") {
		return fmt.Errorf("%w: %s %q", ErrMSH, mshMeshServer, truncate(s.URL, 200))
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "wss" && u.Scheme != "ws" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return fmt.Errorf("%w: %s %q is not of the form wss://HOST:PORT/agent.ashx", ErrMSH, mshMeshServer, truncate(s.URL, 200))
	}
	return nil
}

// Servers returns the servers that an agent tries, in order. MeshServer and ServerID are lists that correspond entry by
// entry; lists of different lengths are an error, as an agent could never trust the servers that remain.
//
// Confirmed in agentcore.c, MeshServer_ConnectEx.
func (m *MSH) Servers() ([]MSHServer, error) {
	urls, ok := m.Get(mshMeshServer)
	if !ok {
		return nil, missingSetting(mshMeshServer)
	}
	ids, ok := m.Get(mshServerID)
	if !ok {
		return nil, missingSetting(mshServerID)
	}
	n := strings.Count(urls, ",") + 1
	if n != strings.Count(ids, ",")+1 {
		return nil, fmt.Errorf("%w: %s has %d entries and %s %d", ErrMSH, mshMeshServer, n, mshServerID, strings.Count(ids, ",")+1)
	}
	if n > maxMSHServers {
		return nil, fmt.Errorf("%w: %d servers, at most %d are taken", ErrMSH, n, maxMSHServers)
	}
	servers := make([]MSHServer, n)
	for i := range servers {
		var address, id string
		address, urls, _ = strings.Cut(urls, ",")
		id, ids, _ = strings.Cut(ids, ",")
		servers[i].URL = strings.Trim(address, " \t")
		if err := servers[i].check(); err != nil {
			return nil, err
		}
		var err error
		if servers[i].ID, err = parseServerID(strings.Trim(id, " \t")); err != nil {
			return nil, err
		}
	}
	return servers, nil
}

// parseServerID takes 96 hexadecimal digits. Agents compare digits with what they computed, so no other form of an
// identifier works here.
func parseServerID(s string) (nodeid.ServerID, error) {
	if len(s) == 64 {
		return nodeid.ServerID{}, fmt.Errorf("%w: %s %q is of the SHA-256 era, which is not supported", ErrMSH, mshServerID, s)
	}
	if len(s) != 2*nodeid.Size {
		return nodeid.ServerID{}, fmt.Errorf("%w: %s of %d characters, want %d", ErrMSH, mshServerID, len(s), 2*nodeid.Size)
	}
	id, err := nodeid.ParseServerID(s)
	if err != nil {
		return nodeid.ServerID{}, fmt.Errorf("%w: %s: %w", ErrMSH, mshServerID, err)
	}
	return id, nil
}

// Validate reports why an agent could not work with the file.
func (m *MSH) Validate() error {
	if _, err := m.MeshID(); err != nil {
		return err
	}
	if _, err := m.Servers(); err != nil {
		return err
	}
	if _, ok := m.Get(mshMeshType); ok {
		if _, err := m.MeshType(); err != nil {
			return err
		}
	}
	return nil
}

// DiscoveryKey returns the key of the local discovery, or "". It is a secret.
func (m *MSH) DiscoveryKey() string {
	key, _ := m.Get(mshDiscoveryKey)
	return key
}

// String names the group and the servers. It has no secrets: of a server not even the query, which may have a key.
func (m MSH) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "certs.MSH{%q", truncate(m.MeshName(), 100))
	if id, err := m.MeshID(); err == nil {
		b.WriteString(" " + id.String())
	}
	servers, _ := m.Servers()
	for _, s := range servers {
		b.WriteString(" " + s.String())
	}
	b.WriteString("}")
	return b.String()
}

// GoString returns what String returns.
func (m MSH) GoString() string { return m.String() }

// Format writes what String returns, for every verb.
func (m MSH) Format(f fmt.State, _ rune) { formatRedacted(f, m.String()) }

// LogValue returns what String returns.
func (m MSH) LogValue() slog.Value { return logRedacted(m.String()) }

// MarshalJSON returns what String returns, as a JSON string.
func (m MSH) MarshalJSON() ([]byte, error) { return jsonRedacted(m.String()) }

// String returns the URL without its query.
func (s MSHServer) String() string {
	address, _, _ := strings.Cut(s.URL, "?")
	return truncate(address, 200)
}

// GoString returns what String returns.
func (s MSHServer) GoString() string { return s.String() }

// Format writes what String returns, for every verb.
func (s MSHServer) Format(f fmt.State, _ rune) { formatRedacted(f, s.String()) }

// LogValue returns what String returns.
func (s MSHServer) LogValue() slog.Value { return logRedacted(s.String()) }

// MarshalJSON returns what String returns, as a JSON string.
func (s MSHServer) MarshalJSON() ([]byte, error) { return jsonRedacted(s.String()) }
