package controlproto

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// fakeAccounts is what a server under test asks. Its zero value knows nobody.
type fakeAccounts struct {
	mu        sync.Mutex
	users     map[ID]*User
	passwords map[ID]string
	tokens    map[string]fakeToken
	factors   map[ID]Factors
	codes     map[ID]string
	sent      []string
	checked   []ID // passwords, in order
	broken    error
}

type fakeToken struct {
	secret string
	user   ID
	name   string
}

func (a *fakeAccounts) add(name, password string, rights SiteRights) {
	u := &User{ID: UserID("", name), Name: name, SiteRights: rights}
	if a.users == nil {
		a.users, a.passwords, a.tokens = map[ID]*User{}, map[ID]string{}, map[string]fakeToken{}
		a.factors, a.codes = map[ID]Factors{}, map[ID]string{}
	}
	a.users[u.ID], a.passwords[u.ID] = u, password
}

func (a *fakeAccounts) User(_ context.Context, id ID) (*User, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return nil, a.broken
	}
	if u := a.users[id]; u != nil {
		return u, nil
	}
	return nil, ErrNoUser
}

func (a *fakeAccounts) CheckPassword(_ context.Context, id ID, password Secret) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checked = append(a.checked, id)
	want, ok := a.passwords[id]
	return ok && NewSecret(want).Equal(password), nil
}

func (a *fakeAccounts) CheckLoginToken(_ context.Context, _, name string, secret Secret) (ID, string, error) {
	t, ok := a.tokens[name]
	if !ok || !NewSecret(t.secret).Equal(secret) {
		return "", "", ErrBadCredentials
	}
	return t.user, t.name, nil
}

func (a *fakeAccounts) Factors(_ context.Context, u *User, _ *LoginRequest) (Factors, error) {
	return a.factors[u.ID], nil
}

func (a *fakeAccounts) CheckToken(_ context.Context, u *User, token Secret) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	code := a.codes[u.ID]
	if code == "" || code != token.Reveal() {
		return false, nil
	}
	delete(a.codes, u.ID) // once
	return true, nil
}

func (a *fakeAccounts) SendCode(_ context.Context, u *User, by FactorKind) error {
	if by == FactorMessaging {
		return errors.New("the messenger is down")
	}
	a.sent = append(a.sent, u.ID.Name()+" "+by.String())
	return nil
}

// fakeNow is a time of day that nothing changes by itself.
var fakeNow = time.Unix(1795400000, 0)

func fakeKey(n byte) CookieKey {
	k, err := NewCookieKey(bytes.NewReader(slices.Repeat([]byte{n}, CookieKeySize)))
	if err != nil {
		panic(err)
	}
	return k
}

func fakeCookie(key byte, c Cookie) Secret {
	codec := CookieCodec{Key: fakeKey(key), Now: func() time.Time { return fakeNow }}
	s, err := codec.Encode(c)
	if err != nil {
		panic(err)
	}
	return s
}

// fakeOperators are accounts of every kind.
func fakeOperators() *fakeAccounts {
	a := new(fakeAccounts)
	a.add("admin", "pw-admin", SiteFull)
	a.add("bob", "pw-bob", 0)
	a.add("Locked", "pw-locked", SiteLocked)
	a.add("toolless", "pw-toolless", SiteNoTools)
	a.add("otp", "pw-otp", 0)
	a.add("mail", "pw-mail", 0)
	a.users[UserID("", "changed")] = &User{ID: UserID("", "changed"), PassChange: fakeNow.Unix() - 60}
	a.factors[UserID("", "otp")] = Factors{Required: true, Email: true, SMS: false, Messaging: true, CookieDays: 30}
	a.factors[UserID("", "mail")] = Factors{VerifyEmail: true}
	a.codes[UserID("", "otp")] = "123456"
	a.tokens["~t:abcdefghijklmnop"] = fakeToken{"token-secret", UserID("", "bob"), "script"}
	a.tokens["~t:lockedlockedlock"] = fakeToken{"token-secret", UserID("", "locked"), "script"}
	a.tokens["~t:goneuserXXXXXXXX"] = fakeToken{"token-secret", UserID("", "gone"), "script"}
	a.tokens["~t:nonameXXXXXXXXXX"] = fakeToken{"token-secret", UserID("", "otp"), ""}
	other := &User{ID: UserID("branch", "bob"), Name: "bob"}
	a.users[other.ID], a.passwords[other.ID] = other, "pw-branch"
	return a
}

func fakeServerConfig(a *fakeAccounts) ServerConfig {
	return ServerConfig{
		Mux: NewMux(), Accounts: a, Tokens: a, Factors: a, CookieKeys: []CookieKey{fakeKey(1), fakeKey(2)},
		Now: func() time.Time { return fakeNow },
	}
}

// fakeRequest is what a native client brings.
func fakeRequest(change func(*LoginRequest)) *LoginRequest {
	r := &LoginRequest{Host: "mesh.example", Scheme: "https", RemoteAddr: netip.MustParseAddr("192.0.2.7")}
	if change != nil {
		change(r)
	}
	return r
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// withHeader is x-meshauth of these parts.
func withHeader(parts ...string) func(*LoginRequest) {
	return func(r *LoginRequest) {
		text := ""
		for i, p := range parts {
			if i > 0 {
				text += ","
			}
			text += b64(p)
		}
		r.MeshAuth, r.HasMeshAuth = NewSecret(text), true
	}
}

func withQuery(pairs ...string) func(*LoginRequest) {
	return func(r *LoginRequest) {
		for i := 0; i < len(pairs); i += 2 {
			r.setArg(pairs[i], pairs[i+1])
		}
	}
}

// all makes one change of several.
func all(changes ...func(*LoginRequest)) func(*LoginRequest) {
	return func(r *LoginRequest) {
		for _, c := range changes {
			c(r)
		}
	}
}

func fromPage(origin string) func(*LoginRequest) {
	return func(r *LoginRequest) { r.Origin, r.HasOrigin = origin, true }
}

// fakeIdentity is an identity whose key is text that can be looked for.
func fakeIdentity() (*ServerIdentity, string) {
	return &ServerIdentity{Certificate: []byte("hunter2")}, "hunter2"
}

// recorder is a connection that keeps what is written.
type recorder struct{ messages [][]byte }

func (r *recorder) ReadMessage(ctx context.Context) (msgconn.Type, []byte, error) {
	<-ctx.Done()
	return 0, nil, ctx.Err()
}

func (r *recorder) WriteMessage(_ context.Context, _ msgconn.Type, b []byte) error {
	r.messages = append(r.messages, bytes.Clone(b))
	return nil
}

func (r *recorder) Close(int, string) error { return nil }
