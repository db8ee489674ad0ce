package controlproto

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

// allCredentials is one of each kind, with a secret in every place for one.
func allCredentials(t *testing.T) []Credentials {
	key, err := ParseCookieKey(strings.Repeat("5ec2e7", 27)[:160])
	require.NoError(t, err)
	s := NewSecret("hush-hush")
	return []Credentials{
		PasswordLogin{User: "admin", Password: s, Token: s},
		EmailCodeRequest{User: "admin", Password: s},
		SMSCodeRequest{User: "admin", Password: s},
		MessagingCodeRequest{User: "admin", Password: s},
		TrustedDeviceLogin{User: "admin", Password: s, Cookie: s},
		TokenLogin{Name: "~t:abc", Secret: s},
		KeyLogin{Key: key, User: "admin"},
		CookieLogin{Cookie: s},
		SessionLogin{Cookies: []SessionCookie{{"xid", s}, {"xid.sig", s}}},
		InBandLogin{ServerID: nodeid.ServerID{1}, User: "admin", Password: s, Token: s},
	}
}

// No form of printing shows a credential: not of the credentials, nor of what a login is made of.
func TestCredentialsAreNotShown(t *testing.T) {
	check := func(t *testing.T, v any) {
		t.Helper()
		var log bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(h).Info("x", "v", v, slog.Group("g", "v", v))
		}
		// A function has no JSON form, which is fine here.
		text, _ := json.Marshal(v)
		all := log.String() + string(text)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			all += fmt.Sprintf(verb, v) + fmt.Sprintf(verb, []any{v}) + fmt.Sprintf(verb, &v)
		}
		for _, secret := range []string{"hush-hush", "687573682d68757368", "aHVzaC1odXNo", "5ec2e75ec2e7", "94, 194, 231", "94 194 231"} {
			require.NotContains(t, all, secret)
		}
	}
	for _, c := range allCredentials(t) {
		t.Run(fmt.Sprintf("%T", c), func(t *testing.T) {
			check(t, c)
			form, err := c.login(t.Context())
			require.NoError(t, err)
			check(t, form)
			header, err := form.header()
			require.NoError(t, err)
			check(t, header)
			check(t, address{}.with(form.query()))
		})
	}
	check(t, ClientConfig{URLKey: NewSecret("hush-hush")})
	_, err := parseAddress("wss://h/?key=hush-hush%zz", ClientConfig{})
	check(t, err)
	_, err = parseAddress("wss://u:hush-hush@h/", ClientConfig{})
	check(t, err)
	_, err = parseAddress("wss://h:x/?auth=hush-hush", ClientConfig{})
	check(t, err)
}

// What a server gets to see.
func TestCredentialsOnTheWire(t *testing.T) {
	want := []string{ // x-meshauth, cookie, query
		"YWRtaW4=,aHVzaC1odXNo,aHVzaC1odXNo||",
		"YWRtaW4=,aHVzaC1odXNo,KiplbWFpbCoq||",
		"YWRtaW4=,aHVzaC1odXNo,KipzbXMqKg==||",
		"YWRtaW4=,aHVzaC1odXNo,Kiptc2cqKg==||",
		"YWRtaW4=,aHVzaC1odXNo,Y29va2llPWh1c2gtaHVzaA==||",
		"fnQ6YWJj,aHVzaC1odXNo||",
		"||auth=COOKIE",
		"||auth=hush-hush",
		"|xid=hush-hush; xid.sig=hush-hush|",
		"*||",
	}
	for i, creds := range allCredentials(t) {
		form, err := creds.login(t.Context())
		require.NoError(t, err)
		c := &Client{cfg: ClientConfig{Header: http.Header{"X-Other": {"1"}}}}
		h, err := c.header(&form)
		require.NoError(t, err)
		require.Equal(t, "1", h.Get("X-Other"))
		query := form.query().Encode()
		if k, ok := creds.(KeyLogin); ok {
			codec := CookieCodec{Key: k.Key}
			cookie, err := codec.Decode(form.auth.Reveal(), 0)
			require.NoError(t, err)
			user, err := cookie.LoginUser("")
			require.NoError(t, err)
			require.Equal(t, ID("user//admin"), user)
			query = "auth=COOKIE"
			again, err := creds.login(t.Context())
			require.NoError(t, err)
			require.False(t, form.auth.Equal(again.auth), "a fresh cookie for each login")
		}
		require.Equal(t, want[i], h.Get("X-Meshauth")+"|"+h.Get("Cookie")+"|"+query, "%T", creds)
		require.Empty(t, c.cfg.Header.Get("X-Meshauth"), "the configuration is not changed")
	}
}

func TestCredentialsRefused(t *testing.T) {
	for _, creds := range []Credentials{
		PasswordLogin{},
		PasswordLogin{User: "user//admin"},
		TrustedDeviceLogin{User: "admin"},
		TokenLogin{Name: "abc"},
		KeyLogin{User: "admin"},
		KeyLogin{},
		CookieLogin{},
		CookieLogin{Refresh: func(context.Context) (Secret, error) { return Secret{}, ErrNotFound }},
		SessionLogin{},
		SessionLogin{Cookies: []SessionCookie{{"xid", NewSecret("a; b")}}},
		SessionLogin{Cookies: []SessionCookie{{"xid\r\nX-Other: 1", NewSecret("a")}}},
		InBandLogin{User: "admin"},
	} {
		_, err := creds.login(t.Context())
		require.Error(t, err, "%+v", creds)
		_, err = Dial(t.Context(), "wss://server.example", creds, ClientConfig{})
		var ce *ClientError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, PhaseAuth, ce.Phase)
	}
}
