package redir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// account is what a device makes of logins, of either kind, with the stored credentials.
type account struct {
	t       *testing.T
	memory  *Memory
	cred    Credentials
	refuses bool
	tries   int // digests that came to it
	nonces  int
}

func newAccount(t *testing.T) *account {
	return &account{t: t, memory: new(Memory), cred: testCredentials(), refuses: true}
}

func (a *account) nonce() string {
	a.nonces++
	return fmt.Sprint("nonce", a.nonces)
}

// redirection logs in over a connection of its own. The error is what the stream ends with.
func (a *account) redirection() error {
	a.t.Helper()
	i := a.sent()
	status := AuthFailed
	if !a.refuses {
		status = AuthOK
	}
	data, err := DigestChallenge{testRealm, a.nonce(), "auth"}.Append(nil)
	require.NoError(a.t, err)
	answer := AuthReply{Status: status, Type: AuthDigest, Data: data}.Append(nil)
	got, err := i.FromDevice(nil, answer)
	require.Equal(a.t, answer, got, "the operator hears of it from the device")
	return err
}

// sent is a connection over which the operator has just logged in.
func (a *account) sent() *RedirInterceptor {
	a.t.Helper()
	i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: a.cred, Memory: a.memory, Key: "device"})
	data, err := DigestChallenge{testRealm, a.nonce(), "auth"}.Append(nil)
	require.NoError(a.t, err)
	_, err = i.FromDevice(nil, AuthReply{Status: AuthFailed, Type: AuthDigest, Data: data}.Append(nil))
	require.NoError(a.t, err)
	through, err := i.FromOperator(nil, []byte(operatorLogin(a.t, nil)))
	require.NoError(a.t, err)
	var request AuthRequest
	require.NoError(a.t, request.Parse(Message(through)))
	var d DigestResponse
	require.NoError(a.t, d.Parse(request.Data))
	require.Equal(a.t, "admin", d.Username)
	if d.Response != "" {
		a.tries++
	}
	return i
}

// http sends a request over a connection of its own, of which it returns the error.
func (a *account) http() error {
	a.t.Helper()
	i := NewHTTPInterceptor(HTTPInterceptorConfig{Credentials: a.cred, Memory: a.memory, Key: "device"})
	through, err := feed(i.FromOperator, "GET / HTTP/1.1\r\n\r\n", false)
	require.NoError(a.t, err)
	status := 401
	if strings.Contains(through, "Authorization: ") {
		if a.tries++; !a.refuses {
			status = 200
		}
	}
	const page = "Log on failed."
	answer := fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: %d\r\nWWW-Authenticate: Digest realm=%q, nonce=%q, qop=\"auth\"\r\n\r\n%s",
		status, len(page), testRealm, a.nonce(), page)
	got, err := feed(i.FromDevice, answer, true)
	require.Equal(a.t, answer, got, "the operator hears of it from the device")
	return err
}

func (a *account) paused(err error, want time.Duration) {
	a.t.Helper()
	var paused *PausedError
	require.ErrorAs(a.t, err, &paused)
	require.ErrorIs(a.t, err, ErrCredentials)
	require.Equal(a.t, want, paused.For)
}

// TestReconnects: an operator who connects again and again does not lock the account.
func TestReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		pause := refusalPause
		for tries := 1; tries < 12; tries++ {
			err := a.redirection()
			require.ErrorIs(t, err, ErrCredentials)
			require.False(t, errors.As(err, new(*PausedError)))
			for range 5 {
				a.paused(a.redirection(), pause)
			}
			_ = a.http() // learns the challenge, or is paused too
			a.paused(a.http(), pause)
			require.Equal(t, tries, a.tries)
			time.Sleep(pause - time.Millisecond)
			a.paused(a.redirection(), time.Millisecond)
			time.Sleep(time.Millisecond)
			pause = min(2*pause, longestPause)
		}
		// Once they are good all is forgotten.
		a.refuses = false
		require.NoError(t, a.redirection())
		a.refuses = true
		require.ErrorIs(t, a.redirection(), ErrCredentials)
		a.paused(a.redirection(), refusalPause)
	})
}

// TestChangedCredentials: others are tried at once, and what still comes of the old ones does not matter.
func TestChangedCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		require.NoError(t, a.http()) // for a challenge
		old := a.sent()
		require.ErrorIs(t, a.redirection(), ErrCredentials)
		a.paused(a.http(), refusalPause)
		a.cred.Password = NewSecret("changed")
		a.refuses = false
		require.NoError(t, a.redirection())
		require.NoError(t, a.http())
		data, err := DigestChallenge{testRealm, testNonce, "auth"}.Append(nil)
		require.NoError(t, err)
		_, err = old.FromDevice(nil, AuthReply{Status: AuthFailed, Type: AuthDigest, Data: data}.Append(nil))
		require.ErrorIs(t, err, ErrCredentials)
		require.NoError(t, a.redirection())
		// A name is a part of them, and other devices are not concerned.
		a.refuses = true
		require.ErrorIs(t, a.redirection(), ErrCredentials)
		before := a.tries
		a.cred.Username, a.cred.Password = "admi", NewSecret("nchanged")
		require.NoError(t, a.memory.try("device", a.cred))
		require.NoError(t, a.memory.try("another", a.cred))
		require.Equal(t, before, a.tries)
		a.memory.Forget("device")
		require.NoError(t, a.memory.try("device", a.cred))
	})
}

// TestLeavesBeforeTheAnswer: it does not help not to wait for the refusal.
func TestLeavesBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		for range 100 {
			a.sent()
		}
		require.Equal(t, maxAtOnce, a.tries)
		time.Sleep(refusalPause)
		for range 100 {
			a.sent()
		}
		require.Equal(t, maxAtOnce+maxTries-1, a.tries)
		a.paused(a.redirection(), 2*refusalPause)
		// Nor do those who come at once harm each other if the credentials are good.
		a = newAccount(t)
		a.refuses = false
		all := []*RedirInterceptor{a.sent(), a.sent(), a.sent()}
		for _, i := range all {
			_, err := i.FromDevice(nil, AuthReply{Type: AuthDigest}.Append(nil))
			require.NoError(t, err)
			require.True(t, i.Authenticated())
		}
		require.NoError(t, a.redirection())
		// One refusal is enough to stop all who come later.
		a = newAccount(t)
		require.NoError(t, a.http())
		for range maxTries - 1 {
			a.sent()
		}
		require.NoError(t, a.http())
		a.paused(a.http(), refusalPause)
		require.Equal(t, maxTries, a.tries)
	})
}

// TestUnanswered: a device that hangs while operators come and go costs them a minute afterwards, and no hour. Once it says that the
// credentials are wrong it is another matter, also if it says so in a pause.
func TestUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		hang := func() (last *RedirInterceptor) {
			for n := range 10 {
				last = a.sent()
				for range maxAtOnce {
					a.sent()
				}
				a.paused(a.redirection(), min(refusalPause<<n, longestUnanswered))
				time.Sleep(longestUnanswered)
			}
			return last
		}
		hang()
		a.refuses = false
		require.NoError(t, a.redirection())
		a.refuses = true

		first := hang()
		for range maxTries {
			a.sent()
		}
		a.paused(a.redirection(), longestUnanswered)
		data, err := DigestChallenge{testRealm, a.nonce(), "auth"}.Append(nil)
		require.NoError(t, err)
		_, err = first.FromDevice(nil, AuthReply{Status: AuthFailed, Type: AuthDigest, Data: data}.Append(nil))
		require.ErrorIs(t, err, ErrCredentials)
		time.Sleep(longestUnanswered)
		for pause := 4 * refusalPause; pause < 3*longestPause; pause *= 2 {
			require.ErrorIs(t, a.redirection(), ErrCredentials)
			a.paused(a.redirection(), min(pause, longestPause))
			time.Sleep(min(pause, longestPause))
		}
	})
}

// TestHTTPRefusals: a password that is wrong is tried three times, as the first nonce may be too old, and then not for a while.
func TestHTTPRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		for range 3 { // the first has nothing to send
			require.NoError(t, a.http())
		}
		a.refuses = false
		require.NoError(t, a.http()) // it was but the nonce
		a.refuses = true
		for range 4 { // the first is for a nonce that was good, and does not count
			require.NoError(t, a.http())
		}
		a.paused(a.http(), refusalPause)
		a.paused(a.redirection(), refusalPause)
		time.Sleep(refusalPause)
		tries := a.tries
		for range 2 {
			require.NoError(t, a.http())
		}
		a.paused(a.http(), 2*refusalPause)
		require.Equal(t, tries+2, a.tries)
	})
}

func TestMemoryLimit(t *testing.T) {
	m := &Memory{Limit: 3}
	require.NoError(t, m.try("refused", testCredentials()))
	m.refused("refused", testCredentials(), true)
	for n := range 100 {
		key := fmt.Sprint(n)
		m.challenged(key, &digest.Challenge{Nonce: "n"})
		known, proven := m.known(key, testCredentials())
		require.NotNil(t, known)
		require.Empty(t, proven)
	}
	require.Len(t, m.devices, 3)
	require.Equal(t, "memory of 3 devices", fmt.Sprint(m))
	require.NotContains(t, fmt.Sprintf("%+v %#v", m, m), "refused")
	require.Error(t, m.try("refused", testCredentials()), "who is paused is forgotten last")
	for n := range 5 {
		_ = m.try(fmt.Sprint("x", n), testCredentials())
		m.refused(fmt.Sprint("x", n), testCredentials(), true)
	}
	require.Len(t, m.devices, 3)
}

// TestInterceptPaused: an operator's client is told by the device that the credentials are refused, of which the device hears no
// more.
func TestInterceptPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		d := testDevice(func(c *DeviceConfig) {
			c.Password = func(string) (Secret, bool) { asked++; return NewSecret("changed at the device"), true }
		})
		memory := new(Memory)
		open := func() error {
			device, ended := serve(t, d)
			operator, middle := net.Pipe()
			done := make(chan error, 1)
			go func() {
				done <- Intercept(context.Background(), middle, device, NewRedirInterceptor(RedirInterceptorConfig{
					Credentials: testCredentials(), Memory: memory, Key: "device",
				}))
			}()
			_, err := OpenSOL(t.Context(), operator, SOLConfig{Config: testConfig()})
			require.ErrorIs(t, err, ErrCredentials)
			require.ErrorContains(t, err, "digest response")
			require.Error(t, <-ended)
			_, err = operator.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.ErrClosedPipe)
			return <-done
		}
		require.ErrorIs(t, open(), ErrCredentials)
		before := asked
		for range 3 {
			require.EqualError(t, open(), "redir: device refused the credentials before: they are not tried for 20s")
		}
		require.Equal(t, before, asked)
	})
}
