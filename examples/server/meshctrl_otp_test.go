package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	bigendian "encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

const otpSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// totp is the second factor of RFC 6238 as MeshCentral has it: six digits, SHA-1, half a minute.
func totp(t *testing.T, secret string, now time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(secret)
	require.NoError(t, err)
	mac := hmac.New(sha1.New, key)
	mac.Write(bigendian.BigEndian.AppendUint64(nil, uint64(now.Unix()/30)))
	sum := mac.Sum(nil)
	number := bigendian.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & 0x7FFFFFFF
	return fmt.Sprintf("%06d", number%1_000_000)
}

// TestTOTP checks the codes against RFC 6238, appendix B, cut to six digits.
func TestTOTP(t *testing.T) {
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	require.Equal(t, "287082", totp(t, secret, time.Unix(59, 0)))
	require.Equal(t, "081804", totp(t, secret, time.Unix(1111111109, 0)))
}

// requireSecondFactor switches the second factor on for one of the logins, which meshctrl can not do, with the
// code of a moment.
func (p *meshctrlPeer) requireSecondFactor(user string, code time.Time) {
	p.t.Helper()
	client, err := p.client(user)
	require.NoError(p.t, err)
	control := interop.DialControl(p.t, client.URL+"/control.ashx", insecure(), client.User, client.Password)
	defer control.Close()
	control.Send(p.t, interop.Message{
		"action": "otpauth-setup", "secret": otpSecret, "token": totp(p.t, otpSecret, code),
	})
	answer := control.Wait(p.t, func(m interop.Message) bool { return m["action"] == "otpauth-setup" })
	require.Equal(p.t, true, answer["success"], "otpauth-setup of %s", p.name)
}
