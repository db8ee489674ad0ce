package flows

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// Only setting up may have happened without an answer: a certificate that was not taken is not waited for, and the client keeps
// its credentials.
func TestActivationLosesACertificate(t *testing.T) {
	root := newAuthority(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := Provisioning{Key: key, Chain: [][]byte{root.issue(t, "amt.corp.example", &key.PublicKey, provisioningOID), root.cert.Raw}}
	b := way{}.start(t, wsmantest.Config{Mode: wsmantest.ModeNone, TrustedRoots: []*x509.Certificate{root.cert}, TrustedSuffix: "corp.example"})
	b.sim.Inject(wsmantest.Injection{Class: "IPS_HostBasedSetupService", Op: "AddNextCertInChain", Drop: true})
	err = b.ActivateAdmin(t.Context(), p, wsman.NewSecret("Str0ng!pass"))
	require.ErrorIs(t, err, wsman.ErrNoAnswer)
	require.NotErrorIs(t, err, ErrUnsettled)
	require.Zero(t, b.waited)
	require.NoError(t, b.ActivateAdmin(t.Context(), p, wsman.NewSecret("Str0ng!pass")))
	require.Equal(t, wsmantest.ModeAdmin, b.sim.Mode())
}

// Waiting for a device ends with the client.
func TestActivationOfAClosedClient(t *testing.T) {
	b := way{}.start(t, wsmantest.Config{Mode: wsmantest.ModeNone})
	b.sim.Inject(wsmantest.Injection{Class: "IPS_HostBasedSetupService", Op: "Setup", Drop: true, Times: -1})
	b.onWait = func() { require.NoError(t, b.client.Close()) }
	err := b.ActivateClient(t.Context(), wsman.NewSecret("Str0ng!pass"))
	require.ErrorIs(t, err, wsman.ErrClosed)
	require.Equal(t, activationPause, b.waited)
}

// What was not committed can be, and keys that are not RSA are none of ours.
func TestTLSHalfWay(t *testing.T) {
	root := newAuthority(t)
	b := way{}.start(t, wsmantest.Config{Version: "15"})
	_, err := b.SetTLS(t.Context(), TLSSetup{})
	require.ErrorIs(t, err, ErrInput)
	require.Empty(t, b.sim.KeyPairs(), "nothing is made in vain")

	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	require.NoError(t, err)
	const class = "AMT_PublicPrivateKeyPair"
	b.sim.Inject(wsmantest.Injection{Class: class, Op: wsmantest.OpPull, Body: []byte(envelope(
		`<h:PullResponse xmlns:h="` + wsman.NamespaceEnumeration + `"><h:Items><p:` + class + ` xmlns:p="urn:p"><p:DERKey>` +
			base64.StdEncoding.EncodeToString(der) + `</p:DERKey><p:InstanceID>ec</p:InstanceID></p:` + class + `></h:Items><h:EndOfSequence></h:EndOfSequence></h:PullResponse>`))})
	setup := TLSSetup{Issue: func(_ context.Context, key *rsa.PublicKey) ([]byte, error) {
		return root.issue(t, "amt.example", key), nil
	}}
	b.sim.Inject(wsmantest.Injection{Class: "AMT_SetupAndConfigurationService", Op: "CommitChanges", ReturnValue: 2})
	_, err = b.SetTLS(t.Context(), setup)
	var step *StepError
	require.ErrorAs(t, err, &step)
	require.Equal(t, "commit the changes", step.Name)
	require.NoError(t, b.Commit(t.Context()))
	_, err = b.SetTLS(t.Context(), setup)
	require.NoError(t, err)
	enabled, _ := b.sim.TLS()
	require.True(t, enabled)
}

// However the way to a certificate in use ends, nothing that is in nobody's use is left behind once it was gone to its end.
func TestTLSLeavesNothing(t *testing.T) {
	root := newAuthority(t)
	const contexts, service, certificates = "AMT_TLSCredentialContext", "AMT_PublicKeyManagementService", "AMT_PublicKeyCertificate"
	create := wsmantest.Injection{Class: contexts, Op: wsmantest.OpCreate, Fault: "InternalError"}
	for name, c := range map[string]struct {
		faults []wsmantest.Injection
		fails  bool // the first time
		left   int  // certificates after that
		issued int
	}{
		"refused":             {[]wsmantest.Injection{create}, true, 0, 2},
		"lost":                {[]wsmantest.Injection{{Class: contexts, Op: wsmantest.OpCreate, Drop: true}}, true, 0, 2},
		"done":                {[]wsmantest.Injection{{Class: contexts, Op: wsmantest.OpCreate, Drop: true, Done: true}}, false, 1, 1},
		"certificate lost":    {[]wsmantest.Injection{{Class: service, Op: "AddCertificate", Drop: true}}, true, 0, 2},
		"certificate added":   {[]wsmantest.Injection{{Class: service, Op: "AddCertificate", Drop: true, Done: true}}, false, 1, 1},
		"no way to remove it": {[]wsmantest.Injection{create, {Class: certificates, Op: wsmantest.OpDelete, Fault: "InternalError"}}, true, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := way{}.start(t, wsmantest.Config{Version: "15"})
			issued := 0
			setup := TLSSetup{Issue: func(_ context.Context, key *rsa.PublicKey) ([]byte, error) {
				issued++
				return root.issue(t, "amt.example", key), nil
			}}
			for _, f := range c.faults {
				b.sim.Inject(f)
			}
			_, err := b.SetTLS(t.Context(), setup)
			require.Equal(t, c.fails, err != nil, "%v", err)
			require.Len(t, b.sim.Certificates(), c.left)
			der, err := b.SetTLS(t.Context(), setup)
			require.NoError(t, err)
			require.Len(t, b.sim.Certificates(), 1)
			require.Equal(t, der, b.sim.Certificates()[0].Certificate.Raw)
			require.Len(t, b.sim.KeyPairs(), 1)
			require.Equal(t, c.issued, issued)
			enabled, cert := b.sim.TLS()
			require.True(t, enabled)
			require.Equal(t, cert.Raw, der)
		})
	}
}

// Nothing is asked to be removed that has no name.
func TestTLSNameless(t *testing.T) {
	root := newAuthority(t)
	b := way{}.start(t, wsmantest.Config{Version: "15"})
	b.sim.Inject(wsmantest.Injection{Class: "AMT_PublicKeyManagementService", Op: "AddCertificate", Body: []byte(envelope(
		`<h:AddCertificate_OUTPUT xmlns:h="` + wsman.ResourceURI("AMT_PublicKeyManagementService") + `"><h:ReturnValue>0</h:ReturnValue></h:AddCertificate_OUTPUT>`))})
	_, err := b.SetTLS(t.Context(), TLSSetup{Issue: func(_ context.Context, key *rsa.PublicKey) ([]byte, error) {
		return root.issue(t, "amt.example", key), nil
	}})
	require.ErrorIs(t, err, wsman.ErrMalformed)
	require.ErrorContains(t, err, "add the certificate")
	require.Zero(t, b.sim.Called("AMT_PublicKeyCertificate", wsmantest.OpDelete))
	require.Zero(t, b.sim.Called("AMT_TLSCredentialContext", wsmantest.OpCreate))
}

// A certificate that is there for something else stays, with its key, also where the device does not say what it is for.
func TestTLSOtherCertificates(t *testing.T) {
	root, other := newAuthority(t), newAuthority(t)
	for _, absent := range []string{"", "CIM_CredentialContext"} {
		b := way{}.start(t, wsmantest.Config{Version: "15", Absent: []string{absent}})
		blob := wsman.NewSecret(base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(other.key)))
		_, err := (&amt.PublicKeyManagementServiceAddKey{KeyBlob: blob}).Invoke(t.Context(), b.Client)
		require.NoError(t, err)
		foreign := other.issue(t, "somebody.example", &other.key.PublicKey)
		_, err = (&amt.PublicKeyManagementServiceAddCertificate{CertificateBlob: foreign}).Invoke(t.Context(), b.Client)
		require.NoError(t, err)
		issued := 0
		der, err := b.SetTLS(t.Context(), TLSSetup{Issue: func(_ context.Context, key *rsa.PublicKey) ([]byte, error) {
			issued++
			return root.issue(t, "amt.example", key), nil
		}})
		require.NoError(t, err)
		require.Equal(t, map[string]int{"": 2, "CIM_CredentialContext": 1}[absent], issued, "the first key was somebody else's")
		require.Len(t, b.sim.KeyPairs(), 2)
		var stored [][]byte
		for _, c := range b.sim.Certificates() {
			stored = append(stored, c.Certificate.Raw)
		}
		require.Equal(t, [][]byte{foreign, der}, stored)
		_, cert := b.sim.TLS()
		require.Equal(t, cert.Raw, der)
	}
}

// A domain may have as many letters as the name that stands for no network. The form of the server's name is seen.
func TestCIRADetails(t *testing.T) {
	root := newAuthority(t)
	b := way{}.start(t, wsmantest.Config{})
	c := CIRA{
		Host: "10.1.2.3", Port: 4433, Root: root.cert.Raw, Username: "user", Password: wsman.NewSecret("P@ssw0rd"), Inside: []string{"corp.example"},
	}
	require.NoError(t, b.SetCIRA(t.Context(), c))
	require.Equal(t, c.Inside, b.sim.CIRA().Suffixes)
	c.Inside = nil
	require.NoError(t, b.SetCIRA(t.Context(), c))
	require.NotEqual(t, []string{"corp.example"}, b.sim.CIRA().Suffixes)
	require.Len(t, b.sim.CIRA().Suffixes, 1)
	for host, format := range map[string]amt.InfoFormat{"10.1.2.3": amt.InfoFormatIPv4, "2001:db8::1": amt.InfoFormatIPv6, "mps.example": amt.InfoFormatFQDN} {
		c.Host = host
		require.NoError(t, b.SetCIRA(t.Context(), c))
		servers, err := collect[amt.ManagementPresenceRemoteSAP](t.Context(), b.Client)
		require.NoError(t, err)
		require.Equal(t, format, servers[0].InfoFormat, host)
	}
	// What the device would refuse is refused before the server in use is removed.
	c.Password = wsman.Secret{}
	require.ErrorIs(t, b.SetCIRA(t.Context(), c), ErrInput)
	require.Len(t, b.sim.CIRA().Servers, 1)
}

func TestManyUsers(t *testing.T) {
	b := way{}.start(t, wsmantest.Config{})
	const n = maxUsers + 1
	b.sim.Inject(wsmantest.Injection{Class: "AMT_AuthorizationService", Op: "EnumerateUserAclEntries", Body: []byte(envelope(
		`<g:EnumerateUserAclEntries_OUTPUT><g:TotalCount>1</g:TotalCount>` + strings.Repeat("<g:Handles>1</g:Handles>", n) + `<g:ReturnValue>0</g:ReturnValue></g:EnumerateUserAclEntries_OUTPUT>`))})
	_, err := b.Users(t.Context())
	require.ErrorIs(t, err, wsman.ErrMalformed)
	require.Zero(t, b.sim.Called("AMT_AuthorizationService", "GetUserAclEntryEx"))
}

// The administrator is not left without a name.
func TestAdminName(t *testing.T) {
	b := way{}.start(t, wsmantest.Config{})
	for _, name := range []string{"", "seventeen-letters", "$$uns"} {
		require.ErrorIs(t, b.SetAdmin(t.Context(), name, wsman.NewSecret("N3w!Password")), ErrInput)
	}
	require.Zero(t, b.sim.Called("AMT_AuthorizationService", "SetAdminAclEntryEx"))
}

// An empty log says so with a return value.
func TestEmptyEventLog(t *testing.T) {
	for op, value := range map[string]int{"PositionToFirstRecord": 2, "GetRecords": 3} {
		b := way{}.start(t, wsmantest.Config{})
		b.sim.AddRecord(wsmantest.Record{Time: time.Unix(1_700_000_000, 0)})
		b.sim.Inject(wsmantest.Injection{Class: "AMT_MessageLog", Op: op, ReturnValue: value})
		for e, err := range b.EventLog(t.Context()) {
			t.Error(op, e, err)
		}
		b.sim.Inject(wsmantest.Injection{Class: "AMT_MessageLog", Op: op, ReturnValue: 1})
		var failed *wsman.ReturnValueError
		for _, err := range b.EventLog(t.Context()) {
			require.ErrorAs(t, err, &failed)
		}
		require.NotNil(t, failed)
	}
}

// Without KVM it is off already.
func TestNoKVM(t *testing.T) {
	b := way{}.start(t, wsmantest.Config{NoKVM: true})
	want, err := b.Redirection(t.Context())
	require.NoError(t, err)
	want.KVM = new(bool)
	require.NoError(t, b.SetRedirection(t.Context(), want))
}

// A host that changes its state may take the network with it for a moment, and need not have an operating system to wake.
func TestPowerAway(t *testing.T) {
	b := way{}.start(t, wsmantest.Config{Power: wsmantest.PowerOffSoft})
	b.sim.Inject(wsmantest.Injection{Class: "IPS_PowerManagementService", Op: "RequestOSPowerSavingStateChange", ReturnValue: 1})
	const class = "CIM_ServiceAvailableToElement"
	b.sim.Inject(wsmantest.Injection{Class: class, Op: wsmantest.OpEnumerate, Status: 503, Times: 2})
	p, err := b.SetPower(t.Context(), cim.PowerStateOn)
	require.NoError(t, err)
	require.Equal(t, cim.PowerStateOn, p.State)
	require.Equal(t, 2*powerPause, b.waited)

	b.sim.Inject(wsmantest.Injection{Class: class, Op: wsmantest.OpEnumerate, Status: 503, Times: -1})
	_, err = b.SetPower(t.Context(), cim.PowerStateOn)
	var failed *wsman.HTTPError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, 5*powerPause, b.waited, "given up after three questions more")
}
