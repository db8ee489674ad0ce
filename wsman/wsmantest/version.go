package wsmantest

import (
	"crypto/tls"
	"fmt"
	"strconv"
	"strings"
)

// whole are firmware versions that exist, by what they begin with.
var whole = []struct{ short, version string }{
	{"11", "11.8.50.3399"}, {"12", "12.0.45.1509"}, {"14", "14.0.39.1339"}, {"15", "15.0.35.1951"},
	{"16", "16.1.25.1917"}, {"18", "18.0.5.2094"}, {"19", "19.0.0.1753"},
}

// profile is what depends on the firmware's version.
type profile struct {
	version      string // four numbers
	major, minor int

	qop            string // of the challenge
	clear          bool   // 16992 and 16994 exist
	minTLS, maxTLS uint16
	staticRSA      bool // the only key exchange is RSA
	rfb            string
	spki           bool // DERKey is a SubjectPublicKeyInfo
	proxies        bool // IPS_HTTPProxyService
	osPower        bool // IPS_PowerManagementService
	tlsSetup       bool // activation over TLS
	mebxFirst      bool // CommitChanges wants a MEBx password
	recovery       bool // one-click recovery
}

// newProfile completes a version and says what goes with it. Where the public documents give no version for a change,
// one was chosen: TLS bounds, the form of DERKey, one-click recovery.
func newProfile(version string) (profile, error) {
	if version == "" {
		version = "16.1"
	}
	if strings.Count(version, ".") < 3 {
		given := version
		for _, w := range whole {
			if strings.HasPrefix(w.version+".", given+".") {
				version = w.version
			}
		}
		for strings.Count(version, ".") < 3 {
			version += ".0"
		}
	}
	var p profile
	p.version = version
	parts := strings.Split(version, ".")
	for i, to := range []*int{&p.major, &p.minor} {
		n, err := strconv.ParseUint(parts[i], 10, 8)
		if err != nil {
			return p, fmt.Errorf("wsmantest: version %q: %w", version, err)
		}
		*to = int(n)
	}
	if p.major < 6 {
		return p, fmt.Errorf("wsmantest: version %q: WS-Management begins with AMT 6", version)
	}
	p.qop = "auth"
	p.clear = p.major < 19
	p.minTLS, p.maxTLS = tls.VersionTLS10, tls.VersionTLS12
	p.staticRSA = p.major < 12
	p.rfb = "RFB 004.000"
	if p.major >= 12 {
		p.minTLS, p.rfb, p.proxies = tls.VersionTLS12, "RFB 003.008", true
	}
	if p.major >= 16 {
		p.qop, p.maxTLS, p.spki = "auth-int, auth", tls.VersionTLS13, true
	}
	p.osPower = p.major >= 10
	p.tlsSetup = p.major >= 14
	p.recovery = p.major >= 15
	p.mebxFirst = p.major >= 19
	return p, nil
}

// short is the version without its last part, as CIM_SoftwareIdentity has it.
func (p profile) short() string { return p.version[:strings.LastIndexByte(p.version, '.')] }
