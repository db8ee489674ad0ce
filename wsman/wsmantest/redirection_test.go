package wsmantest_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/redir"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// redirDial connects when the device has no other connection: a session that has ended is busy until its end is known.
func redirDial(t testing.TB, d *wsmantest.Device, port uint16) net.Conn {
	t.Helper()
	require.NoError(t, d.Wait(t.Context(), func() bool { return d.Connections() == 0 }))
	return connect(t, d, port)
}

func redirConfig(user, password string) redir.Config {
	return redir.Config{
		Credentials: redir.Credentials{Username: user, Password: wsman.NewSecret(password)}, LoginTimeout: 10 * time.Minute, WriteTimeout: 10 * time.Minute,
	}
}

// openSOL asks for the most patience that a device can have with heartbeats.
func openSOL(t testing.TB, conn net.Conn, user, password string) (*redir.Serial, error) {
	return redir.OpenSOL(t.Context(), conn, redir.SOLConfig{Config: redirConfig(user, password), ReceiveTimeout: 65 * time.Second})
}

func TestSOL(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	port, err := openSOL(t, redirDial(t, d, wsmantest.PortRedirection), "admin", wsmantest.DefaultPassword)
	require.NoError(t, err)
	_, err = io.WriteString(port, "hello")
	require.NoError(t, err)
	b := make([]byte, 5)
	_, err = io.ReadFull(port, b)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(b))
	assert.Equal(t, map[string]int{"SOL": 1}, d.Sessions())
	_, err = openSOL(t, connect(t, d, wsmantest.PortRedirection), "admin", wsmantest.DefaultPassword)
	assert.ErrorIs(t, err, redir.ErrBusy)
	require.NoError(t, port.Close())
	require.NoError(t, d.Wait(t.Context(), func() bool { return len(d.Sessions()) == 0 }))
	assert.Equal(t, byte(192), d.Records()[0].SensorType)
}

// TestSOLTLS does so inside TLS, and with a user who was added: the device knows a hash of the password alone.
func TestSOLTLS(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Version: "19"})
	c := tlsClient(t, d)
	add := func(user string, realm int) {
		c.call(0, "AMT_AuthorizationService", "AddUserAclEntryEx", "DigestUsername", user, "DigestPassword", d.PasswordParameter(user, "S3cret!!"),
			"AccessPermission", "2", "Realms", itoa(realm))
	}
	add("joe", wsmantest.RealmRedirection)
	add("jim", wsmantest.RealmHardwareAsset)
	c.close()
	open := func(user string) error {
		conn := tls.Client(redirDial(t, d, wsmantest.PortRedirectionTLS), &tls.Config{InsecureSkipVerify: true})
		port, err := openSOL(t, conn, user, "S3cret!!")
		if err == nil {
			return port.Close()
		}
		return err
	}
	assert.NoError(t, open("joe"))
	assert.ErrorIs(t, open("jim"), redir.ErrCredentials)
	assert.ErrorIs(t, open("nobody"), redir.ErrCredentials)
}

func TestIDER(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	iso := make([]byte, 300*2048)
	_, _ = rand.Read(iso)
	s, err := redir.OpenIDER(t.Context(), redirDial(t, d, wsmantest.PortRedirection), redir.IDERConfig{
		Config: redirConfig("admin", wsmantest.DefaultPassword), Silence: 10 * time.Minute, CD: redir.Medium{Reader: bytes.NewReader(iso), Size: int64(len(iso))},
	})
	require.NoError(t, err)
	require.NoError(t, d.Wait(t.Context(), func() bool { return len(d.Media()) == 1 }))
	assert.Equal(t, wsmantest.Medium{Size: int64(len(iso)), SHA256: sha256.Sum256(iso)}, d.Media()[0])
	require.NoError(t, s.Close())
}

func TestKVM(t *testing.T) {
	for version, rfb := range map[string]string{"11": "RFB 004.000\n", "16.1": "RFB 003.008\n"} {
		d := newDevice(t, wsmantest.Config{Version: version, Quirks: wsmantest.Quirks{KVMBlocksPowerOff: true}})
		conn, err := redir.OpenKVM(t.Context(), redirDial(t, d, wsmantest.PortRedirection), redirConfig("admin", wsmantest.DefaultPassword))
		require.NoError(t, err)
		in := bufio.NewReader(conn)
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, rfb, line)
		say := func(b ...byte) {
			t.Helper()
			_, err := conn.Write(b)
			require.NoError(t, err)
		}
		hear := func(n int) []byte {
			t.Helper()
			b := make([]byte, n)
			_, err := io.ReadFull(in, b)
			require.NoError(t, err)
			return b
		}
		say([]byte("RFB 003.008\n")...)
		assert.Equal(t, []byte{1, 1}, hear(2))
		say(1)
		assert.Equal(t, make([]byte, 4), hear(4))
		say(1)
		hello := hear(24)
		assert.Equal(t, []byte{0x01, 0x40, 0, 200, 16, 16}, hello[:6])
		assert.Equal(t, "Intel(r) AMT KVM", string(hear(int(hello[23]))))
		say(2, 0, 0, 1, 0, 0, 0, 0)
		say(4, 1, 0, 0, 0, 0, 0, 65)
		say(5, 0, 0, 0, 0, 0)
		say(6, 0, 0, 0, 0, 0, 0, 1, 'x')
		say(3, 0, 0, 0, 0, 0, 1, 0x40, 0, 200)
		assert.Len(t, hear(16+320*200*2), 16+320*200*2)
		// Power-off does nothing while KVM is open, on some models.
		c := newClient(t, d)
		c.power(0, wsmantest.PowerOffSoft)
		assert.Equal(t, wsmantest.PowerOn, d.Power())
		require.NoError(t, conn.Close())
		require.NoError(t, d.Wait(t.Context(), func() bool { return len(d.Sessions()) == 0 }))
		c.power(0, wsmantest.PowerOffSoft)
		assert.Equal(t, wsmantest.PowerOffSoft, d.Power())
	}
}

func TestRedirectionSettings(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	open := func() error {
		c.close()
		port, err := openSOL(t, redirDial(t, d, wsmantest.PortRedirection), "admin", wsmantest.DefaultPassword)
		if err == nil {
			err = port.Close()
			require.NoError(t, d.Wait(t.Context(), func() bool { return len(d.Sessions()) == 0 }))
		}
		return err
	}
	require.NoError(t, open())
	c.call(0, "AMT_RedirectionService", "RequestStateChange", "RequestedState", "32769")
	assert.ErrorIs(t, open(), redir.ErrUnsupported)
	c.call(5, "AMT_RedirectionService", "RequestStateChange", "RequestedState", "7")
	from := c.get("AMT_RedirectionService")
	assert.Equal(t, "32769", from.ChildText("EnabledState"))
	c.ask(wsman.ActionPut, "AMT_RedirectionService", "", putBody("AMT_RedirectionService", from, "EnabledState", "32771", "ListenerEnabled", "false"))
	assert.Error(t, open(), "nothing listens")
	c.ask(wsman.ActionPut, "AMT_RedirectionService", "", putBody("AMT_RedirectionService", from, "EnabledState", "32771", "ListenerEnabled", "true"))
	assert.NoError(t, open())

	c.call(4098, "CIM_KVMRedirectionSAP", "RequestStateChange", "RequestedState", "3", "TimeoutPeriod", "0")
	c.call(0, "CIM_KVMRedirectionSAP", "RequestStateChange", "RequestedState", "3")
	c.close()
	_, err := redir.OpenKVM(t.Context(), redirDial(t, d, wsmantest.PortRedirection), redirConfig("admin", wsmantest.DefaultPassword))
	assert.ErrorIs(t, err, redir.ErrUnsupported)

	from = c.get("IPS_KVMRedirectionSettingData")
	put := func(changes ...string) string { return putBody("IPS_KVMRedirectionSettingData", from, changes...) }
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionPut, "IPS_KVMRedirectionSettingData", "", put("Is5900PortEnabled", "true")), "it has no password")
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionPut, "IPS_KVMRedirectionSettingData", "", put("RFBPassword", "toolongP@ss1")))
	stored := c.ask(wsman.ActionPut, "IPS_KVMRedirectionSettingData", "", put("Is5900PortEnabled", "true", "RFBPassword", "P@ssw0rd"))
	assert.Nil(t, stored.Child("RFBPassword"), "it does not read back")
	assert.Equal(t, "P@ssw0rd", d.RFBPassword().Reveal())
	c.call(0, "AMT_RedirectionService", "TerminateSession", "SessionType", "0")
}

func TestNoKVM(t *testing.T) {
	d := newDevice(t, wsmantest.Config{NoKVM: true, NoRedirection: true, NoWiFi: true, No8021x: true, Absent: []string{"CIM_Fan"}})
	c := newClient(t, d)
	for _, class := range []string{"CIM_KVMRedirectionSAP", "IPS_KVMRedirectionSettingData", "AMT_RedirectionService", "CIM_WiFiPort", "AMT_8021XProfile", "CIM_Fan"} {
		assert.Equal(t, "DestinationUnreachable", c.refused(wsman.ActionGet, class, "", ""), class)
	}
	c.close()
	_, err := redir.OpenKVM(t.Context(), redirDial(t, d, wsmantest.PortRedirection), redirConfig("admin", wsmantest.DefaultPassword))
	assert.Error(t, err)
	assert.Nil(t, d.WiFi())
	assert.Len(t, c.list("AMT_EthernetPortSettings"), 1)
}

func TestConsent(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	const class = "IPS_OptInService"
	c.ask(wsman.ActionPut, class, "", putBody(class, c.get(class), "OptInRequired", "4294967295"))
	open := func() (*redir.Serial, error) {
		c.close()
		return openSOL(t, redirDial(t, d, wsmantest.PortRedirection), "admin", wsmantest.DefaultPassword)
	}
	_, err := open()
	require.Error(t, err)
	assert.Empty(t, d.ConsentCode())
	c.call(2, class, "SendOptInCode", "OptInCode", "1")
	c.call(0, class, "StartOptIn")
	c.call(2, class, "StartOptIn")
	code := d.ConsentCode()
	assert.Regexp(t, `^\d{6}$`, code)
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	c.call(1, class, "SendOptInCode", "OptInCode", wrong)
	c.call(0, class, "SendOptInCode", "OptInCode", code)
	assert.Equal(t, "3", c.get(class).ChildText("OptInState"))
	port, err := open()
	require.NoError(t, err)
	assert.Equal(t, "4", c.get(class).ChildText("OptInState"))
	require.NoError(t, port.Close())
	require.NoError(t, d.Wait(t.Context(), func() bool { return len(d.Sessions()) == 0 }))
	assert.Equal(t, "0", c.get(class).ChildText("OptInState"))

	c.call(0, class, "StartOptIn")
	code = d.ConsentCode()
	if code == wrong {
		wrong = "000002"
	}
	for _, want := range []int{1, 1, 3} {
		c.call(want, class, "SendOptInCode", "OptInCode", wrong)
	}
	assert.Empty(t, d.ConsentCode(), "three wrong codes end it")
	c.call(2, class, "CancelOptIn")
	c.call(0, class, "StartOptIn")
	c.call(0, class, "CancelOptIn")
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionPut, class, "", putBody(class, c.get(class), "OptInRequired", "7")))
}

func TestEndSessions(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	port, err := openSOL(t, redirDial(t, d, wsmantest.PortRedirection), "admin", wsmantest.DefaultPassword)
	require.NoError(t, err)
	d.EndSessions()
	_, err = port.Read(make([]byte, 1))
	assert.Error(t, err)
	require.NoError(t, d.Wait(t.Context(), func() bool { return len(d.Sessions()) == 0 }))
	_ = port.Close()
}
