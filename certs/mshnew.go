package certs

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"

	"github.com/meshcentral-go/sdk/nodeid"
)

// maxMeshName is the longest group name that is handed out, in bytes. The reference server takes 128 characters.
const maxMeshName = 512

// MSHConfig is what a server writes into the .msh file of a device group.
type MSHConfig struct {
	// MeshName is the name of the group. Characters that could begin another line are replaced.
	MeshName string
	// MeshType is the type of the group. The default is 2, a group of agents.
	MeshType int
	// MeshID is the group.
	MeshID nodeid.MeshID
	// Servers are the servers to try. There must be one.
	Servers []MSHServer

	// DiscoveryKey is the secret of the local discovery, if it has one.
	DiscoveryKey string
	// Tag is a text that the agent will report.
	Tag string
	// InstallFlags steer the graphical installer for Windows: 0 both, 1 connect only, 2 install only, 3 uninstall only.
	InstallFlags int
	// IgnoreProxyFile tells the agent to use no proxy.
	IgnoreProxyFile bool
	// More are further settings, in order.
	More []MSHSetting
}

// MSHSetting is a key and a value of a .msh file.
type MSHSetting struct{ Key, Value string }

// NewMSH makes the file that a server hands out, in the order and form of the reference server: an empty line, then the
// settings, with the line ends of Windows. The translations of the installer are left out, which agents do not need.
//
// Confirmed in webserver.js, getMshFromRequest.
func NewMSH(cfg MSHConfig) (*MSH, error) {
	name := cleanMeshName(cfg.MeshName)
	if name == "" {
		return nil, fmt.Errorf("%w: the group has no name", ErrMSH)
	}
	if cfg.MeshID.IsZero() {
		return nil, missingSetting(mshMeshID)
	}
	if len(cfg.Servers) == 0 {
		return nil, missingSetting(mshMeshServer)
	}
	if cfg.MeshType == 0 {
		cfg.MeshType = 2
	}
	urls, ids := make([]string, len(cfg.Servers)), make([]string, len(cfg.Servers))
	for i, s := range cfg.Servers {
		if s.ID.IsZero() {
			return nil, missingSetting(mshServerID)
		}
		urls[i], ids[i] = s.URL, strings.ToUpper(s.ID.Hex())
	}
	settings := []MSHSetting{
		{mshMeshName, name},
		{mshMeshType, strconv.Itoa(cfg.MeshType)},
		{mshMeshID, "0x" + strings.ToUpper(cfg.MeshID.Hex())},
		{mshServerID, strings.Join(ids, ",")},
		{mshMeshServer, strings.Join(urls, ",")},
	}
	if cfg.DiscoveryKey != "" {
		settings = append(settings, MSHSetting{mshDiscoveryKey, cfg.DiscoveryKey})
	}
	if cfg.Tag != "" {
		settings = append(settings, MSHSetting{mshTag, cfg.Tag})
	}
	if cfg.InstallFlags != 0 {
		settings = append(settings, MSHSetting{mshInstallFlags, strconv.Itoa(cfg.InstallFlags)})
	}
	if cfg.IgnoreProxyFile {
		settings = append(settings, MSHSetting{mshIgnoreProxyFile, "1"})
	}
	m := &MSH{text: []byte("\r\n")}
	for _, s := range append(settings, cfg.More...) {
		if err := m.add(s); err != nil {
			return nil, err
		}
	}
	return m, m.Validate()
}

// add appends a line, even if the key is there: the later line counts, so that More can override.
func (m *MSH) add(s MSHSetting) error {
	if err := checkSetting(s.Key, s.Value); err != nil {
		return err
	}
	m.text = append(m.text, s.Key+"="+s.Value+"\r\n"...)
	if len(m.text) > MaxMSH {
		return fmt.Errorf("%w: more than %d bytes", ErrMSH, MaxMSH)
	}
	return nil
}

// cleanMeshName makes a name harmless, which anyone with the right to rename a group can choose: it becomes one line
// of valid UTF-8 without control characters, and text rather than binary.
func cleanMeshName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	if len(name) > maxMeshName {
		name = strings.ToValidUTF8(name[:maxMeshName], "")
	}
	name = strings.TrimSpace(name)
	if _, binary := cutBinary(name); binary {
		name = "0X" + name[2:] // agents look for the small x only
	}
	return name
}

// String names the group and has no secrets.
func (c MSHConfig) String() string {
	return fmt.Sprintf("certs.MSHConfig{%q %s, %d servers}", truncate(c.MeshName, 100), c.MeshID, len(c.Servers))
}

// GoString returns what String returns.
func (c MSHConfig) GoString() string { return c.String() }

// Format writes what String returns, for every verb.
func (c MSHConfig) Format(f fmt.State, _ rune) { formatRedacted(f, c.String()) }

// LogValue returns what String returns.
func (c MSHConfig) LogValue() slog.Value { return logRedacted(c.String()) }

// MarshalJSON returns what String returns, as a JSON string.
func (c MSHConfig) MarshalJSON() ([]byte, error) { return jsonRedacted(c.String()) }
