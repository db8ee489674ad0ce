// Package deviceinfo brings what an agent says of its device into the device's record, as the stock server does
// (meshagent.js, ChangeAgentCoreInfo and ChangeAgentTag).
package deviceinfo

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// fixedCaps are the capabilities that only the agent's login sets.
const fixedCaps = controlproto.AgentCaps(agentproto.CapConsole | agentproto.CapCore)

// Core takes over a report of the agent's core.
func Core(d *controlproto.Device, m *agentproto.CoreInfo) {
	if d.Agent == nil {
		d.Agent = &controlproto.DeviceAgent{}
	}
	if m.Name != "" {
		d.Name = m.Name.String()
	}
	if m.Caps != nil {
		d.Agent.Core = m.Value.String()
		d.Agent.Caps = controlproto.AgentCaps(*m.Caps)&^(fixedCaps|temporary) | d.Agent.Caps&(fixedCaps|temporary)
	}
	if m.OSDesc != "" {
		d.OSDesc = m.OSDesc.String()
	}
	if m.Root != nil {
		d.Agent.Root = m.Root
	}
	if m.IntelAMT != nil {
		intelAMT(d, m.IntelAMT)
	}
	if m.AV != nil {
		d.AntiVirus = make([]controlproto.AntiVirus, len(m.AV))
		for i, av := range m.AV {
			d.AntiVirus[i] = controlproto.AntiVirus{Product: av.Product.String(), Updated: isTrue(av.Updated), Enabled: isTrue(av.Enabled)}
		}
	}
	d.Windows = object(m.WSC, d.Windows)
	d.Defender = object(m.Defender, d.Defender)
	if m.LastBootUpTime != nil {
		d.LastBoot = time.UnixMilli(*m.LastBootUpTime).UTC()
	}
	if m.Users != nil {
		d.Users = texts(m.Users)
	}
	if m.LUsers != nil {
		d.LocalUsers = texts(m.LUsers)
	}
}

// temporary marks a device that goes with its session; an agent does not make or unmake one by a report.
const temporary = controlproto.AgentCaps(agentproto.CapTemporary)

func intelAMT(d *controlproto.Device, m *agentproto.IntelAMT) {
	amt := controlproto.DeviceAMT{}
	if d.AMT != nil {
		amt = *d.AMT
	}
	if v := m.Versions["AMT"].String(); v != "" && len(v) < 12 {
		amt.Version = v
	}
	if sku, err := strconv.Atoi(m.Versions["Sku"].String()); err == nil {
		amt.SKU = json.RawMessage(strconv.Itoa(sku))
	}
	if m.ProvisioningState != nil {
		amt.State = new(int(*m.ProvisioningState))
	}
	if m.Flags != nil {
		amt.Flags = int(*m.Flags)
	}
	if m.UUID != "" {
		amt.UUID = m.UUID.String()
	}
	d.AMT = &amt
}

// Tag takes over the agent's tag: of its lines, the first that does not begin with "~". The others are directives that
// this server does not follow.
func Tag(d *controlproto.Device, tag string) {
	if d.Agent == nil {
		d.Agent = &controlproto.DeviceAgent{}
	}
	d.Agent.Tag = ""
	for line := range strings.FieldsFuncSeq(tag, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "~") {
			d.Agent.Tag = line
			return
		}
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

// object reads a part of a report that comes as it is; if it is absent or malformed, the old one stays.
func object[T any](raw json.RawMessage, old *T) *T {
	if len(raw) == 0 {
		return old
	}
	v := new(T)
	if err := jsonrec.Unmarshal(raw, v); err != nil {
		return old
	}
	return v
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
