package redir

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// testResponse is the right one.
func testResponse(d *DigestResponse) string {
	return response(&digest.Credentials{Username: "admin", Password: NewSecret(testPassword)}, d)
}

// exchange runs a client against a server, and returns what each of them ended with and what they said.
func exchange(client *ClientLogin, server *ServerLogin) (said []Message, clientDone bool, clientErr, serverErr error) {
	toServer := client.Start(nil)
	for {
		p := NewParser(Operator)
		m, n, err := p.Next(toServer)
		if err != nil || m == nil || n != len(toServer) {
			panic("the client sends one message after the other")
		}
		said = append(said, append(Message{}, m...))
		toClient, _, err := server.Receive(nil, m)
		serverErr = err
		if len(toClient) == 0 {
			return said, false, nil, serverErr
		}
		m, _, err = NewParser(AMT).Next(toClient)
		if err != nil {
			panic(err)
		}
		said = append(said, append(Message{}, m...))
		toServer, clientDone, clientErr = client.Receive(nil, m)
		if clientDone || clientErr != nil || len(toServer) == 0 {
			return said, clientDone, clientErr, serverErr
		}
	}
}

func testServer(change func(*ServerLoginConfig)) *ServerLogin {
	cfg := ServerLoginConfig{Realm: testRealm, Nonce: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", Password: testPasswords}
	if change != nil {
		change(&cfg)
	}
	return NewServerLogin(cfg)
}

func TestLogin(t *testing.T) {
	for _, session := range []SessionType{SOL, KVM, IDER} {
		server := testServer(func(c *ServerLoginConfig) { c.OEM = []byte("oem") })
		said, done, clientErr, serverErr := exchange(NewClientLogin(session, testCredentials()), server)
		require.NoError(t, clientErr)
		require.NoError(t, serverErr)
		require.True(t, done)
		require.Equal(t, session, server.Session())
		require.Equal(t, "admin", server.Username())
		// The order and the blanks are those of the captures of firmware.
		require.Len(t, said, 8)
		require.Equal(t, "13000000000000000000000000", hexOf(said[2])+"00000000")
		require.Equal(t, unhex(t, "13 00 00 00 04 20 00 00 00 05 61 64 6D 69 6E 00 00 13 2F 52 65 64 69 72 65 63 74 69 6F 6E 53 65 72 76 69 63 65 00 00 00 00"), []byte(said[4]))
		require.Equal(t, unhex(t, "14 01 00 00 04 4E 00 00 00"), []byte(said[5][:9]))
		var full AuthRequest
		require.NoError(t, full.Parse(said[6]))
		var d DigestResponse
		require.NoError(t, d.Parse(full.Data))
		require.Equal(t, "00000002", d.NC)
		require.Len(t, d.CNonce, 32)
		require.Equal(t, unhex(t, "14 00 00 00 04 00 00 00 00"), []byte(said[7]))
	}
}

func hexOf(m Message) string { return string(appendHex(nil, m)) }

func appendHex(b, src []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range src {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}

// TestLoginHash: a device that has hashes of passwords alone.
func TestLoginHash(t *testing.T) {
	hash := NewSecret(hex.EncodeToString(digest.HA1(digest.MD5, "admin", testRealm, testPassword)))
	for user, want := range map[string]error{"admin": nil, "nobody": ErrCredentials} {
		server := testServer(func(c *ServerLoginConfig) {
			c.HA1 = func(username string) (Secret, bool) { return hash, username == "admin" }
		})
		c := testCredentials()
		c.Username = user
		_, done, clientErr, serverErr := exchange(NewClientLogin(SOL, c), server)
		require.Equal(t, want == nil, done)
		require.ErrorIs(t, clientErr, want)
		require.ErrorIs(t, serverErr, want)
	}
}

func TestLoginRefused(t *testing.T) {
	wrong := testCredentials()
	wrong.Password = NewSecret("wrong")
	nobody := testCredentials()
	nobody.Username = "nobody"
	for name, c := range map[string]Credentials{"password": wrong, "user": nobody} {
		t.Run(name, func(t *testing.T) {
			client, server := NewClientLogin(SOL, c), testServer(nil)
			said, done, clientErr, serverErr := exchange(client, server)
			require.False(t, done)
			require.ErrorIs(t, clientErr, ErrCredentials) // and not a second try
			require.ErrorIs(t, serverErr, ErrCredentials) // which ends the session
			require.Equal(t, byte(AuthFailed), said[len(said)-1][1])
			// Both are final.
			_, _, err := client.Receive(nil, said[5])
			require.ErrorIs(t, err, ErrCredentials)
			out, _, err := server.Receive(nil, said[6])
			require.ErrorIs(t, err, ErrCredentials)
			require.Empty(t, out)
		})
	}
}

func TestLoginStatuses(t *testing.T) {
	for status, want := range map[StartStatus]error{
		StartBusy: ErrBusy, StartUnknownType: ErrUnknownType, StartUnsupported: ErrUnsupported, StartFailed: nil,
	} {
		said, done, clientErr, serverErr := exchange(NewClientLogin(SOL, testCredentials()), testServer(func(c *ServerLoginConfig) {
			c.Start = func(SessionType) StartStatus { return status }
		}))
		require.False(t, done)
		for _, err := range []error{clientErr, serverErr} {
			var start *StartError
			require.ErrorAs(t, err, &start)
			require.Equal(t, status, start.Status)
			if want != nil {
				require.ErrorIs(t, err, want)
			}
		}
		require.Len(t, said[1], 4) // nothing after the status
	}
	_, _, clientErr, _ := exchange(NewClientLogin(0x44434241, testCredentials()), testServer(nil))
	require.ErrorIs(t, clientErr, ErrUnknownType)
}

// TestLoginRealmPin: nothing made of the password leaves before the realm was compared.
func TestLoginRealmPin(t *testing.T) {
	c := testCredentials()
	c.Realm = "Digest:FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
	said, _, clientErr, serverErr := exchange(NewClientLogin(SOL, c), testServer(nil))
	require.ErrorIs(t, clientErr, ErrRealm)
	require.NoError(t, serverErr)
	require.Len(t, said, 6)
	c.Realm = ""
	_, done, _, _ := exchange(NewClientLogin(SOL, c), testServer(nil))
	require.True(t, done)
}

// TestLoginOldDevice: tools that know passwords in the clear alone fail with new devices, and this one with the oldest.
func TestLoginOldDevice(t *testing.T) {
	l := NewClientLogin(SOL, testCredentials())
	_, _, err := l.Receive(nil, StartReply{}.Append(nil))
	require.NoError(t, err)
	_, _, err = l.Receive(nil, AuthReply{Type: AuthQuery, Data: []byte{1, 2, 3}}.Append(nil))
	require.ErrorIs(t, err, ErrAuthType)
}

func TestLoginOtherAuthentication(t *testing.T) {
	s := testServer(nil)
	_, _, err := s.Receive(nil, StartSession{SOL}.Append(nil))
	require.NoError(t, err)
	out, done, err := s.Receive(nil, AuthRequest{Type: AuthPassword, Data: []byte("\x05admin\x09P@ssw0rd1")}.Append(nil))
	require.NoError(t, err)
	require.False(t, done)
	require.Equal(t, unhex(t, "14 02 00 00 01 00 00 00 00"), out)
	for range maxAuthRequests - 1 {
		_, _, err = s.Receive(nil, AuthRequest{Type: AuthQuery}.Append(nil))
		require.NoError(t, err)
	}
	_, _, err = s.Receive(nil, AuthRequest{Type: AuthQuery}.Append(nil))
	require.ErrorIs(t, err, ErrProtocol)
}

// TestLoginForgeries changes one field of a right digest at a time.
func TestLoginForgeries(t *testing.T) {
	good := func() DigestResponse {
		d := DigestResponse{
			Username: "admin", Realm: testRealm, Nonce: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", URI: authURI, CNonce: "c", NC: "00000001", QOP: "auth",
		}
		return d
	}
	try := func(d DigestResponse) error {
		s := testServer(nil)
		_, _, err := s.Receive(nil, StartSession{SOL}.Append(nil))
		require.NoError(t, err)
		m, err := appendDigest(nil, &d)
		require.NoError(t, err)
		_, _, err = s.Receive(nil, m)
		return err
	}
	d := good()
	d.Response = testResponse(&d)
	require.NoError(t, try(d))
	for name, change := range map[string]func(*DigestResponse){
		"realm":  func(d *DigestResponse) { d.Realm = "Digest:" },
		"nonce":  func(d *DigestResponse) { d.Nonce = "x" },
		"uri":    func(d *DigestResponse) { d.URI = "/wsman" },
		"qop":    func(d *DigestResponse) { d.QOP = "auth-int" },
		"cnonce": func(d *DigestResponse) { d.CNonce = "" },
		"nc":     func(d *DigestResponse) { d.NC = "" },
	} {
		d := good()
		change(&d)
		d.Response = testResponse(&d)
		require.ErrorIs(t, try(d), ErrCredentials, name)
	}
	// Counts in all the forms that clients have.
	for _, nc := range []string{"1", "00000002", "6", "00000001"} {
		d := good()
		d.NC = nc
		d.Response = testResponse(&d)
		require.NoError(t, try(d), nc)
	}
}

func TestLoginOrder(t *testing.T) {
	for name, m := range map[string][]byte{
		"authentication first": AuthRequest{Type: AuthQuery}.Append(nil),
		"end":                  EndSession{}.Append(nil),
	} {
		_, _, err := testServer(nil).Receive(nil, m)
		require.Error(t, err, name)
	}
	l := NewClientLogin(SOL, testCredentials())
	_, _, err := l.Receive(nil, AuthReply{Type: AuthDigest}.Append(nil))
	require.ErrorIs(t, err, ErrProtocol)
	// A success that nobody proved anything for.
	l = NewClientLogin(SOL, testCredentials())
	for _, m := range []wireMessage{StartReply{}, AuthReply{Type: AuthQuery, Data: []byte{4}}} {
		_, _, err = l.Receive(nil, m.Append(nil))
		require.NoError(t, err)
	}
	_, _, err = l.Receive(nil, AuthReply{Type: AuthDigest}.Append(nil))
	require.ErrorIs(t, err, ErrProtocol)
}
