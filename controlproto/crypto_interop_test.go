//go:build !js

package controlproto_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
)

var updateServerAuth = flag.Bool("update-serverauth", false, "record testdata/serverauth.json anew")

// stockConn is a connection to the control channel of a stock server.
type stockConn struct {
	t  *testing.T
	ws *msgconn.WebSocket
}

// dialStock connects with a query and a header, each if not empty.
func dialStock(t *testing.T, s *interop.Server, query, header string) *stockConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	address := s.ControlURL()
	if query != "" {
		address += "?" + query
	}
	h := http.Header{}
	if header != "" {
		h.Set(controlproto.MeshAuthHeader, header)
	}
	ws, err := msgconn.Dial(ctx, address, msgconn.DialOptions{TLSConfig: s.TLSConfig(t), Header: h, ReadLimit: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { _ = ws.Close(0, "") })
	return &stockConn{t, ws}
}

func (c *stockConn) send(m interop.Message) {
	c.t.Helper()
	b, err := json.Marshal(m)
	require.NoError(c.t, err)
	require.NoError(c.t, c.ws.WriteMessage(c.t.Context(), msgconn.Text, b))
}

// wait returns the next message with one of the actions.
func (c *stockConn) wait(actions ...string) interop.Message {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for {
		_, b, err := c.ws.ReadMessage(ctx)
		require.NoError(c.t, err)
		var m interop.Message
		require.NoError(c.t, json.Unmarshal(b, &m))
		for _, action := range actions {
			if m["action"] == action {
				return m
			}
		}
	}
}

// account returns who is logged in, or "close" and the server's reason.
func (c *stockConn) account() string {
	c.t.Helper()
	m := c.wait("userinfo", "close")
	if m["action"] == "close" {
		return "close " + m["msg"].(string)
	}
	return m["userinfo"].(map[string]any)["_id"].(string)
}

const bobPassword = "Bob's pässw0rd"

// TestStockServer does with a stock server what the files of this package about logins describe.
func TestStockServer(t *testing.T) {
	s := interop.StartServer(t, interop.ServerOptions{})
	s.Meshctrl(t, "adduser", "--user", "bob", "--pass", bobPassword)
	key, err := controlproto.ParseCookieKey(s.LoginKey(t))
	require.NoError(t, err)
	codec := &controlproto.CookieCodec{Key: key}
	encode := func(t *testing.T, c *controlproto.CookieCodec, cookie controlproto.Cookie) string {
		t.Helper()
		text, err := c.Encode(cookie)
		require.NoError(t, err)
		return text.Reveal()
	}
	const bob = controlproto.ID("user//bob")

	t.Run("cookies of this package", func(t *testing.T) {
		other, err := controlproto.NewCookieKey(nil)
		require.NoError(t, err)
		forged := []byte(encode(t, codec, controlproto.LoginCookie(bob)))
		forged[40] ^= 1
		// An age is that at which the cookie is used.
		aged := func(age time.Duration, cookie controlproto.Cookie) func() string {
			return func() string {
				cookie.Time = time.Now().Add(-age)
				return encode(t, codec, cookie)
			}
		}
		fresh := func(cookie controlproto.Cookie) func() string { return aged(0, cookie) }
		text := func(text string) func() string { return func() string { return text } }
		bound := controlproto.LoginCookie(bob)
		bound.Address = netip.MustParseAddr("127.0.0.1")
		elsewhere := bound
		elsewhere.Address = netip.MustParseAddr("8.8.8.8") // stock counts the examples of RFC 5737 as private
		once := controlproto.LoginTokenCookie(bob)
		once.Once, once.Expire = "first", 5*time.Minute
		single := encode(t, codec, once)
		forever := controlproto.LoginTokenCookie(bob)
		forever.Expire = controlproto.CookieForever
		guest := controlproto.LoginCookie(bob)
		guest.SharedNode, guest.GuestName, guest.GuestRights, guest.PublicID = "node//x", "Guest", 8, "abc"

		for _, test := range []struct {
			name string
			text func() string
			want string
		}{
			{"login", fresh(controlproto.LoginCookie(bob)), string(bob)},
			{"login token", fresh(controlproto.LoginTokenCookie(bob)), string(bob)},
			{"bound to this address", fresh(bound), string(bob)},
			{"nearly an hour old", aged(57*time.Minute, controlproto.LoginCookie(bob)), string(bob)},
			{"without an end", aged(9000*time.Hour, forever), string(bob)},
			{"for one use", text(single), string(bob)},
			{"for one use, again", text(single), "close noauth"},
			{"another address", fresh(elsewhere), "close noauth"},
			{"over an hour old", aged(3605*time.Second, controlproto.LoginCookie(bob)), "close noauth"},
			{"from the future", aged(-5*time.Minute, controlproto.LoginCookie(bob)), "close noauth"},
			{"without a domain", fresh(controlproto.Cookie{UserID: bob}), "close noauth"},
			{"another domain", fresh(controlproto.Cookie{UserID: bob, DomainID: new("x")}), "close noauth"},
			{"nobody", fresh(controlproto.LoginCookie("user//nobody")), "close noauth"},
			{"relay", fresh(controlproto.RelayCookie(bob)), "close noauth"},
			{"forged", text(string(forged)), "close noauth"},
			{"another key", text(encode(t, &controlproto.CookieCodec{Key: other}, controlproto.LoginCookie(bob))), "close noauth"},
			// What Cookie.LoginUser refuses and says that stock servers take.
			{"guest", fresh(guest), string(bob)},
		} {
			require.Equal(t, test.want, dialStock(t, s, "auth="+test.text(), "").account(), test.name)
		}
	})

	t.Run("cookies of the server", func(t *testing.T) {
		begun := time.Now()
		c := s.Control(t)
		ask := func(action string) interop.Message {
			c.Send(t, interop.Message{"action": action})
			return c.Wait(t, func(m interop.Message) bool { return m["action"] == action })
		}
		m := ask("authcookie")
		got, err := codec.Decode(m["cookie"].(string), controlproto.CookieAgeLogin)
		require.NoError(t, err)
		user, err := got.LoginUser("")
		require.NoError(t, err)
		require.Equal(t, controlproto.ID("user//admin"), user)
		require.NoError(t, controlproto.CookieIPStrict.Check(&got, netip.MustParseAddr("127.0.0.1")))
		requireSince(t, begun, got.Time, time.Now())
		require.Empty(t, got.Extra)
		got, err = codec.Decode(m["rcookie"].(string), controlproto.CookieAgeRelay)
		require.NoError(t, err)
		require.Equal(t, controlproto.ID("user//admin"), got.RelayUserID)
		require.Empty(t, got.Extra)

		got, err = codec.Decode(ask("logincookie")["cookie"].(string), controlproto.CookieAgeLogin)
		require.NoError(t, err)
		user, err = got.LoginTokenUser("")
		require.NoError(t, err)
		require.Equal(t, controlproto.ID("user//admin"), user)

		got, err = codec.Decode(ask("twoFactorCookie")["cookie"].(string), controlproto.CookieAgeTwoFactor)
		require.NoError(t, err)
		user, err = got.TwoFactorUser()
		require.NoError(t, err)
		require.Equal(t, controlproto.ID("user//admin"), user)
		require.Equal(t, controlproto.CookieAgeTwoFactor, got.Expire)

		group := s.CreateGroup(t, "lab")
		c.Send(t, interop.Message{"action": "createInviteLink", "meshid": group, "expire": 24, "flags": 2, "responseid": "1"})
		link := c.Wait(t, func(m interop.Message) bool { return m["action"] == "createInviteLink" })["url"].(string)
		_, text, ok := strings.Cut(link, "agentinvite?c=")
		require.True(t, ok, link)
		_, err = codec.Decode(text, 0)
		require.ErrorIs(t, err, controlproto.ErrCookieMalformed, "invitations have a key of their own")
		invitations, err := controlproto.ParseCookieKey(s.Document(t, "InvitationLinkEncryptionKey")["key"].(string))
		require.NoError(t, err)
		got, err = (&controlproto.CookieCodec{Key: key, OtherKeys: []controlproto.CookieKey{invitations}}).Decode(text, 0)
		require.NoError(t, err)
		require.Equal(t, controlproto.CookieInvite, got.Action)
		require.Equal(t, controlproto.ID(group), got.InviteGroup)
		require.Equal(t, controlproto.InviteKind(2), got.InviteKind)
		require.Equal(t, 24*time.Hour, got.Expire)
	})

	t.Run("meshctrl", func(t *testing.T) {
		// It sends the administrator's password too, but the cookie goes first.
		var info struct {
			ID string `json:"_id"`
		}
		s.MeshctrlJSON(t, &info, "userinfo", "--loginkey", encode(t, codec, controlproto.LoginCookie(bob)))
		require.Equal(t, string(bob), info.ID)
		s.MeshctrlJSON(t, &info, "userinfo", "--loginkey", key.Hex())
		require.Equal(t, "user//admin", info.ID)
	})

	t.Run("embedding", func(t *testing.T) {
		client := &http.Client{
			Timeout:   patience,
			Transport: &http.Transport{TLSClientConfig: s.TLSConfig(t), DisableKeepAlives: true},
		}
		// session returns the account in the session cookie that a page sets.
		session := func(login string) string {
			e := controlproto.Embed{Login: controlproto.NewSecret(login), View: controlproto.ViewDevices, Hide: controlproto.HideAll}
			u, err := e.URL(s.URL())
			require.NoError(t, err)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.Reveal(), nil)
			require.NoError(t, err)
			resp, err := client.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusOK, resp.StatusCode)
			for _, cookie := range resp.Cookies() {
				if cookie.Name != "xid" {
					continue
				}
				b, err := base64.StdEncoding.DecodeString(cookie.Value)
				require.NoError(t, err)
				var v struct{ UserID string }
				require.NoError(t, json.Unmarshal(b, &v))
				return v.UserID
			}
			return ""
		}
		require.Equal(t, string(bob), session(encode(t, codec, controlproto.LoginTokenCookie(bob))))
		require.Empty(t, session(encode(t, codec, controlproto.LoginCookie(bob))), "pages take login tokens only")
	})

	t.Run("server authentication", func(t *testing.T) {
		id, err := nodeid.ParseServerID(s.ServerID(t))
		require.NoError(t, err)
		inside, err := controlproto.MeshAuth{Inside: true}.Header()
		require.NoError(t, err)
		auth, err := controlproto.NewServerAuth(nil, s.WebCertificate(t).Raw)
		require.NoError(t, err)
		cnonce, tlshash := auth.Request()
		c := dialStock(t, s, "", inside.Reveal())
		c.send(interop.Message{"action": "serverAuth", "cnonce": cnonce, "tlshash": tlshash})
		m := c.wait("serverAuth", "close")
		cert, _ := m["cert"].(string)
		nonce, _ := m["nonce"].(string)
		signature, _ := m["signature"].(string)
		require.NoError(t, auth.VerifyReply(cert, nonce, signature, id))
		if *updateServerAuth {
			b, err := json.MarshalIndent(map[string]string{
				"cnonce": cnonce, "tlshash": tlshash, "cert": cert, "nonce": nonce, "signature": signature, "serverid": id.Hex(),
			}, "", "  ")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile("testdata/serverauth.json", append(b, '\n'), 0o600))
		}
		encode := base64.StdEncoding.EncodeToString
		c.send(interop.Message{"action": "userAuth", "username": encode([]byte("bob")), "password": encode([]byte(bobPassword))})
		require.Equal(t, string(bob), c.account())

		// Somebody in between with a certificate of his own gets no signature.
		auth, err = controlproto.NewServerAuth(nil, []byte("another certificate"))
		require.NoError(t, err)
		cnonce, tlshash = auth.Request()
		c = dialStock(t, s, "", inside.Reveal())
		c.send(interop.Message{"action": "serverAuth", "cnonce": cnonce, "tlshash": tlshash})
		require.Equal(t, "badtlscert", c.wait("serverAuth", "close")["msg"])
	})

	t.Run("password and second factor", func(t *testing.T) {
		login := func(token string) *stockConn {
			h, err := controlproto.MeshAuth{
				User: "Bob", Password: controlproto.NewSecret(bobPassword), Token: controlproto.NewSecret(token),
			}.Header()
			require.NoError(t, err)
			return dialStock(t, s, "", h.Reveal())
		}
		c := login("")
		require.Equal(t, string(bob), c.account())
		c.send(interop.Message{"action": "otpauth-request"})
		m := c.wait("otpauth-request")
		secret := controlproto.NewSecret(m["secret"].(string))
		ours, err := controlproto.TOTPURL(s.WebCertificate(t).Subject.CommonName, "bob", secret)
		require.NoError(t, err)
		same := func(address string) url.Values {
			u, err := url.Parse(address)
			require.NoError(t, err)
			q := u.Query()
			q.Set("label", strings.TrimPrefix(u.Path[strings.IndexByte(u.Path, ':')+1:], "/"))
			q.Del("issuer")
			return q
		}
		require.Equal(t, same(m["url"].(string)), same(ours.Reveal()))
		code, err := controlproto.TOTPCode(secret, time.Now())
		require.NoError(t, err)
		c.send(interop.Message{"action": "otpauth-setup", "secret": secret.Reveal(), "token": code.Reveal()})
		require.Equal(t, true, c.wait("otpauth-setup")["success"])

		require.Equal(t, "close tokenrequired", login("").account())
		require.Equal(t, "close tokenrequired", login(wrongCode(t, secret).Reveal()).account())
		// The window of the server is the one of VerifyTOTP.
		for _, age := range []time.Duration{0, controlproto.TOTPPeriod, 2 * controlproto.TOTPPeriod} {
			now := controlproto.TOTPStepAt(time.Now())
			code, err = controlproto.TOTPCode(secret, time.Now().Add(-age))
			require.NoError(t, err)
			got := login(code.Reveal()).account()
			if now == controlproto.TOTPStepAt(time.Now()) { // else the window has moved in between
				require.Equal(t, string(bob), got, age)
			}
		}
		text := encode(t, codec, controlproto.TwoFactorCookie(bob, time.Hour))
		require.Equal(t, string(bob), login("cookie="+text).account(), "a trusted device")
	})

	t.Run("stored passwords", func(t *testing.T) {
		doc := s.Document(t, "user//admin")
		stored := controlproto.StockPassword{Salt: doc["salt"].(string), Hash: controlproto.NewSecret(doc["hash"].(string))}
		require.True(t, stored.Verify(controlproto.NewSecret(interop.Password)))
		require.False(t, stored.Verify(controlproto.NewSecret(interop.Password+"x")))

		s.Stop()
		fresh, err := controlproto.HashStockPassword(nil, controlproto.NewSecret("another pässword"))
		require.NoError(t, err)
		doc["salt"], doc["hash"] = fresh.Salt, fresh.Hash.Reveal()
		s.WriteDocument(t, doc)
		s.Restart(t)
		h, err := controlproto.MeshAuth{User: "admin", Password: controlproto.NewSecret("another pässword")}.Header()
		require.NoError(t, err)
		require.Equal(t, "user//admin", dialStock(t, s, "", h.Reveal()).account())
	})
}
