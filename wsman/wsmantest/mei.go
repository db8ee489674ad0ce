package wsmantest

import (
	"encoding/json"
	"strings"
)

// MEIState is what an agent in the device's operating system learns over the local interface and tells MeshCentral, in a JSON
// control message "meiState" of an LMS or relay connection: an object. With ModeNone it holds the credentials of
// LocalCredentials, so it must not be logged. Names and form are those of MeshCentral's agent (amt-mei.js, amt-lms.js).
func (d *Device) MEIState() json.RawMessage {
	user, password := d.LocalCredentials()
	hashes := []map[string]any{}
	for i, hash := range d.TrustedHashes() {
		hashes = append(hashes, map[string]any{
			"name": d.cfg.TrustedRoots[i].Subject.CommonName, "hashAlgorithmStr": "SHA256", "certificateHash": hash, "isActive": 1, "isDefault": 1,
		})
	}
	d.mu.Lock()
	defer d.unlock()
	host := d.only("AMT_GeneralSettings")
	state := map[string]any{
		"core-ver": 1, "UUID": d.UUID(), "OsHostname": host.get("HostName"), "OsDnsSuffix": host.get("DomainName"),
		"Flags":             map[ControlMode]int{ModeAdmin: 4, ModeClient: 2}[d.mode()],
		"ProvisioningMode":  1,
		"ProvisioningState": d.state.setup.service.num("ProvisioningState"),
		"Versions":          map[string]string{"AMT": d.prof.short(), "Sku": "16392", "Build Number": d.prof.version[strings.LastIndexByte(d.prof.version, '.')+1:]},
		"Hashes":            hashes,
	}
	if suffix := d.cfg.TrustedSuffix; suffix != "" {
		state["DnsSuffix"] = suffix
	}
	if d.mode() == ModeNone {
		state["OsAdmin"] = map[string]string{"user": user, "pass": password.Reveal()}
	}
	b, err := json.Marshal(state)
	if err != nil {
		panic(err) // texts and numbers can be written
	}
	return b
}
