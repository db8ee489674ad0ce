package controlproto

import (
	"bytes"
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rfcSecret is that of the test vectors in RFC 6238, appendix B.
var rfcSecret = NewSecret(base32.StdEncoding.EncodeToString([]byte("12345678901234567890")))

func TestTOTPVectors(t *testing.T) {
	// The last six of the RFC's eight digits.
	for seconds, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		code, err := TOTPCode(rfcSecret, time.Unix(seconds, 0))
		require.NoError(t, err)
		require.Equal(t, want, code.Reveal())
		step, ok, err := VerifyTOTP(rfcSecret, want, time.Unix(seconds, 0), 0)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, TOTPStep(seconds/30), step)
	}
}

func TestTOTPWindow(t *testing.T) {
	now := time.Unix(1700000000, 0)
	middle := TOTPStepAt(now)
	for d := -4; d <= 4; d++ {
		code, err := TOTPCode(rfcSecret, now.Add(time.Duration(d)*TOTPPeriod))
		require.NoError(t, err)
		step, ok, err := VerifyTOTP(rfcSecret, code.Reveal(), now, 0)
		require.NoError(t, err)
		require.Equal(t, d >= -TOTPWindow && d <= TOTPWindow, ok, d)
		if !ok {
			require.Zero(t, step)
			continue
		}
		require.Equal(t, middle+TOTPStep(d), step)
		// The same code again, or one from before it.
		for used := step; used < step+3; used++ {
			_, ok, err = VerifyTOTP(rfcSecret, code.Reveal(), now, used)
			require.NoError(t, err)
			require.False(t, ok)
		}
		_, ok, err = VerifyTOTP(rfcSecret, code.Reveal(), now, step-1)
		require.NoError(t, err)
		require.True(t, ok)
	}
	for _, wrong := range []string{"", "0", "12345", "1234567", "abcdef", "000000"} {
		_, ok, err := VerifyTOTP(rfcSecret, wrong, now, 0)
		require.NoError(t, err)
		require.False(t, ok, wrong)
	}
	// Before 1970 nothing runs backwards.
	require.Zero(t, TOTPStepAt(time.Time{}))
	code, err := TOTPCode(rfcSecret, time.Time{})
	require.NoError(t, err)
	_, ok, err := VerifyTOTP(rfcSecret, code.Reveal(), time.Unix(0, 0), -1)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestTOTPSecret(t *testing.T) {
	s, err := NewTOTPSecret(nil)
	require.NoError(t, err)
	require.Len(t, s.Reveal(), 32)
	_, err = TOTPCode(s, time.Now())
	require.NoError(t, err)
	_, err = NewTOTPSecret(bytes.NewReader(make([]byte, 19)))
	require.ErrorIs(t, err, ErrTOTPSecret)

	// As people copy it; the second is of the length that stock servers make.
	want, err := TOTPCode(rfcSecret, time.Unix(59, 0))
	require.NoError(t, err)
	text := strings.ToLower(rfcSecret.Reveal())
	got, err := TOTPCode(NewSecret(text[:4]+" "+text[4:8]+" "+text[8:]+"===="), time.Unix(59, 0))
	require.NoError(t, err)
	require.True(t, want.Equal(got))
	_, err = TOTPCode(NewSecret("PJQB23DAPYWXYZTQ"), time.Now())
	require.NoError(t, err)

	for _, bad := range []string{"", "AAAA", "PJQB23DAPYWXYZT1", strings.Repeat("A", 1000), strings.Repeat("A", 300), "\x00"} {
		_, err := TOTPCode(NewSecret(bad), time.Now())
		require.ErrorIs(t, err, ErrTOTPSecret, bad)
		_, ok, err := VerifyTOTP(NewSecret(bad), "000000", time.Now(), 0)
		require.ErrorIs(t, err, ErrTOTPSecret)
		require.False(t, ok)
		_, err = TOTPURL("a", "b", NewSecret(bad))
		require.ErrorIs(t, err, ErrTOTPSecret)
	}
}

func TestTOTPURL(t *testing.T) {
	u, err := TOTPURL("Dom & n", "a b@x", NewSecret("pjqb 23da pywx yztq"))
	require.NoError(t, err)
	require.Equal(t, "otpauth://totp/Dom%20&%20n:a%20b@x?secret=PJQB23DAPYWXYZTQ&period=30&digits=6&algorithm=SHA1&issuer=Dom%20%26%20n",
		u.Reveal())
	q, err := u.Query()
	require.NoError(t, err)
	require.Equal(t, "Dom & n", q.Get("issuer"))
	require.NotContains(t, u.String(), "PJQB")
	u, err = TOTPURL("", "bob", NewSecret("PJQB23DAPYWXYZTQ"))
	require.NoError(t, err)
	require.Equal(t, "otpauth://totp/bob?secret=PJQB23DAPYWXYZTQ&period=30&digits=6&algorithm=SHA1", u.Reveal())
	for _, bad := range [][2]string{{"a:b", "c"}, {"a", "b:c"}, {"a", ""}} {
		_, err = TOTPURL(bad[0], bad[1], rfcSecret)
		require.Error(t, err)
	}
}
