package relay

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestForward(t *testing.T) {
	f := Forward{
		User: testUser, Node: testNode, Domain: "dom", Rights: RightRemoteControl,
		CookieUser: func(s Secret) (string, error) {
			if s.Reveal() == "" {
				return "", errors.New("no cookie")
			}
			return s.Reveal(), nil
		},
	}
	for _, c := range []struct {
		name, value, want string
		change            func(*Forward)
		err               error
	}{
		{"as it is", "*/dom/meshrelay.ashx?p=2&nodeid=node//machine&id=x&rauth=user//ann", "*/dom/meshrelay.ashx?p=2&nodeid=node//machine&id=x&rauth=user//ann", nil, nil},
		{"more is dropped", "*/meshrelay.ashx?browser=1&p=5&id=x&rauth=user//ann&tcpport=22&auth=z&y=1", "*/dom/meshrelay.ashx?p=5&nodeid=node//machine&id=x&rauth=user//ann", nil, nil},
		{"bound", "*/meshrelay.ashx?p=1&id=x&rauth=user//ann", "*/dom/meshrelay.ashx?p=1&nodeid=node//machine&id=x&rauth=new", func(f *Forward) {
			f.NewCookie = func(r TunnelRequest) (Secret, error) {
				if r != (TunnelRequest{"x", testUser, testNode}) {
					return Secret{}, errors.New("another tunnel")
				}
				return NewSecret("new"), nil
			}
		}, nil},
		{"elsewhere", "wss://evil/meshrelay.ashx?id=x&rauth=user//ann", "", nil, ErrElsewhere},
		{"another endpoint", "*/agent.ashx?id=x&rauth=user//ann", "", nil, ErrElsewhere},
		{"another domain", "*/other/meshrelay.ashx?id=x&rauth=user//ann", "", nil, ErrElsewhere},
		{"another device", "*/meshrelay.ashx?id=x&nodeid=node//y&rauth=user//ann", "", nil, ErrMismatch},
		{"another's cookie", "*/meshrelay.ashx?p=2&id=x&rauth=user//bob", "", nil, ErrMismatch},
		{"no cookie", "*/meshrelay.ashx?p=2&id=x", "", nil, ErrForward},
		{"no id", "*/meshrelay.ashx?p=2&rauth=user//ann", "", nil, ErrID},
		{"no terminal", "*/meshrelay.ashx?p=1&id=x&rauth=user//ann", "", func(f *Forward) { f.Rights |= RightNoTerminal }, ErrRights},
		{"no files", "*/meshrelay.ashx?p=4&id=x&rauth=user//ann", "", func(f *Forward) { f.Rights |= RightNoFiles }, ErrRights},
		{"view", "*/meshrelay.ashx?p=2&id=x&rauth=user//ann", "*/dom/meshrelay.ashx?p=2&nodeid=node//machine&id=x&rauth=user//ann", func(f *Forward) { f.Rights = RightViewOnly }, nil},
		{"view and a port", "*/meshrelay.ashx?p=2&id=x&rauth=user//ann", "", func(f *Forward) { f.Rights, f.TCPPort = RightViewOnly, 22 }, ErrRights},
		{"nothing at all", "*/meshrelay.ashx?id=x&rauth=user//ann", "", func(f *Forward) { f.Rights = 0 }, ErrRights},
		{"whatever it is", "*/meshrelay.ashx?id=x&rauth=user//ann", "*/dom/meshrelay.ashx?nodeid=node//machine&id=x&rauth=user//ann", nil, nil},
		{"no URL", "x", "", nil, ErrURL},
	} {
		f := f
		if c.change != nil {
			c.change(&f)
		}
		req, u, err := f.Check(NewURL(c.value))
		if c.err != nil {
			require.ErrorIs(t, err, c.err, c.name)
			require.ErrorIs(t, err, ErrForward, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, u.Reveal(), c.name)
		require.Equal(t, TunnelRequest{"x", testUser, testNode}, req)
	}
}
