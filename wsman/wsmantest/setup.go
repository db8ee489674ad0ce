package wsmantest

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// Return values of IPS_HostBasedSetupService.
const (
	setupInternal     = 1
	setupInvalidState = 2
	setupInvalidParam = 3
	setupAuthFailed   = 5

	chainInvalidParam = 1
	chainInvalidState = 3
	chainVerifyFailed = 4
	chainTooLong      = 5

	chainMost         = 4
	signatureSHA256   = 2 // SigningAlgorithm
	setupNonceSize    = 20
	localUser         = "$$OsAdmin"
	provisioningFull  = 1 // of Unprovision
	provisioningOff   = 0 // ProvisioningState
	provisioningGoing = 1
	provisioningOn    = 2
)

// oidSetup is the extended key usage of a certificate that may activate AMT.
var oidSetup = asn1.ObjectIdentifier{2, 16, 840, 1, 113741, 1, 2, 3}

// setupState is about activation.
type setupState struct {
	local    *account // $$OsAdmin, nil until asked for
	password Secret
	remote   bool // activation over TLS is going on
	mebx     bool // a MEBx password was set
	chain    []*x509.Certificate
	chainEnd bool // its root has come
	host     *object
	service  *object
}

func (d *Device) buildSetup() {
	s := &d.state.setup
	s.host = service("IPS_HostBasedSetupService", "Intel(r) AMT Host Based Setup Service",
		"AllowedControlModes", []int{2, 1}, "CertChainStatus", 0, "ConfigurationNonce", d.random(setupNonceSize),
		"CurrentControlMode", d.cfg.Mode.wire())
	d.define(&class{name: s.host.class, keys: serviceKeys, realms: generalInfo, methods: map[string]method{
		"Setup":                    d.setupClient,
		"AddNextCertInChain":       d.addNextCertificate,
		"AdminSetup":               d.setupAdmin,
		"UpgradeClientToAdmin":     d.upgrade,
		"DisableClientControlMode": d.disableClient,
	}}, s.host)
	state := provisioningOn
	if d.cfg.Mode == ModeNone {
		state = provisioningOff
	}
	s.service = service("AMT_SetupAndConfigurationService", "Intel(r) AMT Setup and Configuration Service",
		"ConfigurationServerFQDN", "", "EnabledState", 5, "PasswordModel", 1, "ProvisioningMode", 1, "ProvisioningServerOTP", "",
		"ProvisioningState", state, "RequestedState", 12, "ZeroTouchConfigurationEnabled", true)
	d.define(&class{name: s.service.class, keys: serviceKeys, realms: generalInfo, methods: map[string]method{
		"CommitChanges":                    d.commit,
		"SetMEBxPassword":                  d.setMEBx,
		"Unprovision":                      func(c *call) (int, *fault) { return d.unprovision(c, true) },
		"PartialUnprovision":               func(c *call) (int, *fault) { return d.unprovision(c, false) },
		"GetUuid":                          d.getUUID,
		"GetUnprovisionBlockingComponents": func(*call) (int, *fault) { return ok, nil },
		"ResetFlashWearOutProtection":      func(*call) (int, *fault) { d.writes = 0; return ok, nil },
		"ExtendProvisioningPeriod":         d.extend,
	}}, s.service)
	record := newObject("IPS_ProvisioningRecordLog", "CurrentNumberOfRecords", 0,
		"ElementName", "Intel(r) AMT Provisioning Record Log", "EnabledState", 2, "InstanceID", "Intel(r) AMT Provisioning Record Log 1",
		"LogState", 4, "MaxNumberOfRecords", 2, "Name", "Intel(r) AMT Provisioning Record Log", "OverwritePolicy", 2, "RequestedState", 12)
	d.define(&class{name: record.class, keys: []string{"InstanceID"}, methods: map[string]method{
		"RequestStateChange": d.requestStateChange(EventSetup, 2, 3),
		"ClearLog":           func(*call) (int, *fault) { record.set("CurrentNumberOfRecords", 0); return ok, nil },
	}}, record)
}

// mode is the control mode.
func (d *Device) mode() ControlMode {
	switch d.state.setup.host.num("CurrentControlMode") {
	case 2:
		return ModeAdmin
	case 1:
		return ModeClient
	}
	return ModeNone
}

// Mode returns the control mode.
func (d *Device) Mode() ControlMode {
	d.mu.Lock()
	defer d.unlock()
	return d.mode()
}

// LocalCredentials gives the user that the operating system's administrator gets from the firmware, over its local
// interface: "$$OsAdmin" with a random password. It is good for activation.
func (d *Device) LocalCredentials() (user string, password Secret) {
	d.mu.Lock()
	defer d.unlock()
	s := &d.state.setup
	if s.local == nil {
		s.password = NewSecret(hex.EncodeToString(d.random(16)))
		s.local = &account{
			name: localUser, ha1: digest.HA1(digest.MD5, localUser, d.realm, s.password.Reveal()), realms: []int{RealmAdministration}, enabled: true,
		}
	}
	return localUser, s.password
}

// TrustedHashes returns the SHA-256 hashes of the root certificates that may activate the device, in hexadecimal digits.
func (d *Device) TrustedHashes() []string {
	var out []string
	for _, c := range d.cfg.TrustedRoots {
		sum := sha256.Sum256(c.Raw)
		out = append(out, hex.EncodeToString(sum[:]))
	}
	return out
}

// StartRemoteConfiguration begins activation over TLS, as the local interface of version 14 and later does: port 16993
// asks for a client certificate and for no password. It returns the device's certificate, whose hash the caller of the
// local interface would get.
func (d *Device) StartRemoteConfiguration() (*x509.Certificate, error) {
	d.mu.Lock()
	defer d.unlock()
	if !d.prof.tlsSetup || d.mode() != ModeNone {
		return nil, errors.New("wsmantest: activation over TLS needs version 14 and a device that is not activated")
	}
	cert := d.boundCertificate()
	if cert == nil {
		var err error
		if cert, err = d.selfSigned(); err != nil {
			return nil, err
		}
		d.store(newObject("AMT_TLSCredentialContext", "ElementInContext", d.ref(cert),
			"ElementProvidingContext", refTo("AMT_TLSProtocolEndpointCollection", "ElementName", tlsCollection)))
	}
	d.one("AMT_TLSSettingData", "InstanceID", tlsRemote).set("Enabled", true)
	d.one("AMT_TLSSettingData", "InstanceID", tlsRemote).set("AcceptNonSecureConnections", d.prof.clear)
	d.applyTLS()
	d.state.setup.remote = true
	d.state.setup.service.set("ProvisioningState", provisioningGoing)
	d.emit(EventSetup, "activation over TLS has begun")
	return d.state.keys.parsed[cert], nil
}

// password reads what Setup and AdminSetup are given: 32 hexadecimal digits of MD5("admin:realm:password").
func (c *call) password() (ha1 []byte, status int) {
	if kind, given := c.num("NetAdminPassEncryptionType"); !given || kind != encryptionHTTPDigest {
		return nil, setupInvalidParam
	}
	ha1, err := hex.DecodeString(strings.ToLower(c.text("NetworkAdminPassword")))
	if err != nil || len(ha1) != 16 {
		return nil, setupInvalidParam
	}
	return ha1, ok
}

// setupClient is Setup: activation in client control mode.
func (d *Device) setupClient(c *call) (int, *fault) {
	if d.mode() != ModeNone || d.state.setup.local == nil || c.req.user != d.state.setup.local {
		return setupInvalidState, nil
	}
	ha1, status := c.password()
	if status != ok {
		return status, nil
	}
	d.activate(c, ModeClient, ha1)
	return ok, nil
}

// addNextCertificate is AddNextCertInChain, from the leaf to the root.
func (d *Device) addNextCertificate(c *call) (int, *fault) {
	s := &d.state.setup
	if d.mode() == ModeAdmin {
		return chainInvalidState, nil
	}
	der, valid := c.bytes("NextCertificate")
	cert, err := parseCertificate(der)
	if !valid || err != nil {
		return chainInvalidParam, nil
	}
	leaf, root := c.flag("IsLeafCertificate"), c.flag("IsRootCertificate")
	if leaf {
		s.chain, s.chainEnd = nil, false
	}
	switch {
	case !leaf && len(s.chain) == 0, s.chainEnd:
		return chainInvalidState, nil
	case len(s.chain) >= chainMost:
		s.chain = nil
		return chainTooLong, nil
	case leaf && !d.leafFits(cert), !leaf && s.chain[len(s.chain)-1].CheckSignatureFrom(cert) != nil, root && !d.rootFits(cert):
		s.chain = nil
		return chainVerifyFailed, nil
	}
	s.chain = append(s.chain, cert)
	s.chainEnd = root
	s.host.set("CertChainStatus", map[bool]int{false: 1, true: 2}[root])
	return ok, nil
}

// leafFits says whether a certificate is one for activation, of this device's domain.
func (d *Device) leafFits(cert *x509.Certificate) bool {
	usage := slices.ContainsFunc(cert.UnknownExtKeyUsage, oidSetup.Equal) || cert.Subject.OrganizationalUnit != nil &&
		slices.Contains(cert.Subject.OrganizationalUnit, "Intel(R) Client Setup Certificate")
	name := strings.TrimPrefix(cert.Subject.CommonName, "*.")
	suffix := d.cfg.TrustedSuffix
	return usage && slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth) &&
		(suffix == "" || strings.EqualFold(name, suffix) || strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(suffix)) ||
			strings.HasSuffix(strings.ToLower(suffix), "."+strings.ToLower(name)))
}

func (d *Device) rootFits(cert *x509.Certificate) bool {
	return slices.ContainsFunc(d.cfg.TrustedRoots, cert.Equal)
}

// signature checks McNonce, SigningAlgorithm and DigitalSignature: RSA with SHA-256 over the firmware's nonce and the
// manager's.
func (c *call) signature() int {
	d := c.d
	if !d.state.setup.chainEnd {
		return setupInvalidState
	}
	nonce, ok1 := c.bytes("McNonce")
	signature, ok2 := c.bytes("DigitalSignature")
	algorithm, ok3 := c.num("SigningAlgorithm")
	if !ok1 || !ok2 || !ok3 || len(nonce) != setupNonceSize || algorithm != signatureSHA256 {
		return setupInvalidParam
	}
	own, _ := decodeBase64(d.state.setup.host.get("ConfigurationNonce"))
	sum := sha256.Sum256(slices.Concat(own, nonce))
	key, isRSA := d.state.setup.chain[0].PublicKey.(*rsa.PublicKey)
	// Whatever comes of it, this nonce was used.
	d.state.setup.host.set("ConfigurationNonce", d.random(setupNonceSize))
	if !isRSA || rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
		return setupAuthFailed
	}
	return ok
}

// setupAdmin is AdminSetup: activation in admin control mode.
func (d *Device) setupAdmin(c *call) (int, *fault) {
	if d.mode() != ModeNone || d.state.setup.local == nil || c.req.user != d.state.setup.local {
		return setupInvalidState, nil
	}
	ha1, status := c.password()
	if status != ok {
		return status, nil
	}
	if status := c.signature(); status != ok {
		return status, nil
	}
	d.activate(c, ModeAdmin, ha1)
	return ok, nil
}

// upgrade is UpgradeClientToAdmin.
func (d *Device) upgrade(c *call) (int, *fault) {
	if d.mode() != ModeClient {
		return setupInvalidState, nil
	}
	if status := c.signature(); status != ok {
		return status, nil
	}
	d.activate(c, ModeAdmin, nil)
	return ok, nil
}

// disableClient is DisableClientControlMode.
func (d *Device) disableClient(*call) (int, *fault) {
	if d.mode() != ModeNone {
		return setupInvalidState, nil
	}
	d.state.setup.host.set("AllowedControlModes", []int{2})
	d.emit(EventSetup, "client control mode is not allowed any more")
	return ok, nil
}

// activate enters a mode. All other connections end, and the local user is gone.
func (d *Device) activate(c *call, mode ControlMode, ha1 []byte) {
	s := &d.state.setup
	s.host.set("CurrentControlMode", mode.wire())
	s.host.set("CertChainStatus", 0)
	s.service.set("ProvisioningState", provisioningOn)
	s.chain, s.chainEnd, s.local, s.remote = nil, false, nil, false
	if ha1 != nil {
		d.setAdminAccount("admin", ha1)
	}
	d.forgetNonces()
	d.showConsentPolicy()
	d.dropLocked(c.req.conn)
	c.silent = d.cfg.Quirks.SilentSetup
	d.audit(auditSecurityAdmin, 0, nil, c.req)
	d.emit(EventSetup, "activated in %s control mode", mode)
}

// commit is CommitChanges: TLS settings come into force, and connections end.
func (d *Device) commit(c *call) (int, *fault) {
	s := &d.state.setup
	if d.prof.mebxFirst && s.remote && !s.mebx {
		return statusDataMissing, nil
	}
	if status := d.applyTLS(); status != ok {
		return status, nil
	}
	if s.remote {
		s.remote = false
		s.host.set("CurrentControlMode", ModeAdmin.wire())
		s.service.set("ProvisioningState", provisioningOn)
		d.state.accounts.admin.enabled = true
		d.emit(EventSetup, "activated in %s control mode", ModeAdmin)
		d.showConsentPolicy()
	}
	d.forgetNonces()
	d.dropLocked(c.req.conn)
	d.audit(auditSecurityAdmin, 7, nil, c.req)
	d.emit(EventSettings, "changes were committed")
	return ok, nil
}

// setMEBx is SetMEBxPassword. The rules are those of all passwords here.
func (d *Device) setMEBx(c *call) (int, *fault) {
	if !strongPassword(c.text("Password")) {
		return statusInvalidPassword, nil
	}
	if d.mode() == ModeClient {
		return statusNotPermitted, nil
	}
	d.state.setup.mebx = true
	d.emit(EventAccounts, "the MEBx password was set")
	return ok, nil
}

// strongPassword: eight characters at least, with lower case, upper case, digit and symbol, for which '_' does not count.
func strongPassword(p string) bool {
	var lower, upper, digit, symbol bool
	for _, r := range p {
		switch {
		case 'a' <= r && r <= 'z':
			lower = true
		case 'A' <= r && r <= 'Z':
			upper = true
		case '0' <= r && r <= '9':
			digit = true
		case r < ' ' || r > '~' || strings.ContainsRune(`":,`, r):
			return false
		case r != '_':
			symbol = true
		}
	}
	return len(p) >= 8 && len(p) <= 32 && lower && upper && digit && symbol
}

func (d *Device) extend(c *call) (int, *fault) {
	if hours, given := c.num("Duration"); !given || hours < 1 || hours > 255 {
		return statusInvalidParameter, nil
	}
	if d.mode() != ModeNone {
		return statusInvalidMode, nil
	}
	return ok, nil
}

// getUUID is GetUuid: the 16 bytes in the order of SMBIOS.
func (d *Device) getUUID(c *call) (int, *fault) {
	c.set("UUID", smbiosOrder(d.cfg.UUID))
	return ok, nil
}

// smbiosOrder swaps the first three groups of a UUID.
func smbiosOrder(u [16]byte) []byte {
	return []byte{u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]}
}

// unprovision is Unprovision and PartialUnprovision: the device is as it was delivered, but for its UUID, clock and logs.
// The first one takes away trusted roots that were added.
func (d *Device) unprovision(c *call, full bool) (int, *fault) {
	if full {
		if mode, given := c.num("ProvisioningMode"); !given || mode != provisioningFull {
			return statusInvalidParameter, nil
		}
	}
	if d.mode() == ModeNone {
		return statusInvalidMode, nil
	}
	roots := d.state.keys
	var kept []*x509.Certificate
	for _, o := range d.classes["AMT_PublicKeyCertificate"].objects {
		if !full && o.flag("TrustedRootCertficate") {
			kept = append(kept, roots.parsed[o])
		}
	}
	events, audit, clock, power := d.state.events, d.state.audit, d.state.clock, d.power()
	boots, actions := d.state.boot.done, d.state.power.actions
	d.cfg.Mode, d.cfg.TLS = ModeNone, false
	if err := d.build(); err != nil {
		return statusInternal, nil
	}
	d.state.events, d.state.audit, d.state.clock = events, audit, clock
	d.state.boot.done, d.state.power.actions = boots, actions
	d.showPower(power)
	for _, cert := range kept {
		d.storeCertificate(cert, true)
	}
	d.dropLocked(c.req.conn)
	c.silent = d.cfg.Quirks.SilentSetup
	d.audit(auditSecurityAdmin, 19, nil, c.req)
	d.emit(EventSetup, "unprovisioned")
	return ok, nil
}

// trustedForSetup are the roots that a client certificate of an activation over TLS may come from.
func (d *Device) trustedForSetup() []*x509.Certificate { return slices.Clone(d.cfg.TrustedRoots) }

// verifyRemote checks the client's chain in an activation over TLS: a leaf for activation below a trusted root.
func (d *Device) verifyRemote(roots []*x509.Certificate) func([][]byte, [][]*x509.Certificate) error {
	return func(raw [][]byte, _ [][]*x509.Certificate) error {
		errUntrusted := errors.New("wsmantest: the client's certificate does not permit activation")
		var chain []*x509.Certificate
		for _, der := range raw {
			cert, err := parseCertificate(der)
			if err != nil {
				return errUntrusted
			}
			chain = append(chain, cert)
		}
		// MeshCentral sends the chain from root to leaf in one of its ways.
		if len(chain) > 1 && bytes.Equal(chain[0].RawIssuer, chain[0].RawSubject) {
			slices.Reverse(chain)
		}
		if len(chain) == 0 || len(chain) > chainMost || !d.leafFits(chain[0]) {
			return errUntrusted
		}
		for i := 1; i < len(chain); i++ {
			if chain[i-1].CheckSignatureFrom(chain[i]) != nil {
				return errUntrusted
			}
		}
		last := chain[len(chain)-1]
		for _, root := range roots {
			if root.Equal(last) || last.CheckSignatureFrom(root) == nil {
				return nil
			}
		}
		return errUntrusted
	}
}
