package controlproto_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// exampleKey stands for what `meshcentral --loginTokenKey` prints.
var exampleKey = strings.Repeat("00112233445566778899aabbccddeeff", 5)

// A login that needs no password, made from the server's login key and taken by the server.
func ExampleCookieCodec() {
	key, err := controlproto.ParseCookieKey(exampleKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	codec := &controlproto.CookieCodec{Key: key, Once: new(controlproto.OnceGuard)}

	cookie := controlproto.LoginCookie(controlproto.UserID("", "Admin"))
	cookie.Address = netip.MustParseAddr("192.0.2.7")
	text, err := codec.Encode(cookie)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("auth=" + text.String()) // Reveal gives the text

	got, err := codec.Decode(text.Reveal(), controlproto.CookieAgeLogin)
	if err != nil {
		fmt.Println(err)
		return
	}
	user, err := got.LoginUser("")
	fmt.Println(user, err)
	fmt.Println(controlproto.CookieIPLax.Check(&got, netip.MustParseAddr("192.0.2.99")))
	fmt.Println(controlproto.CookieIPStrict.Check(&got, netip.MustParseAddr("192.0.2.99")))
	// Output:
	// auth=[redacted]
	// user//admin <nil>
	// <nil>
	// controlproto: cookie refused: made for another address: 192.0.2.7, not 192.0.2.99 (policy strict)
}

// Why a cookie was refused is for the log, not for who sent it.
func ExampleCookieCodec_Decode() {
	key, err := controlproto.NewCookieKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Now()
	codec := &controlproto.CookieCodec{Key: key, Now: func() time.Time { return now }}
	text, err := codec.Encode(controlproto.LoginTokenCookie("user//admin"))
	if err != nil {
		fmt.Println(err)
		return
	}
	now = now.Add(2 * time.Hour)
	_, err = codec.Decode(text.Reveal(), controlproto.CookieAgeLogin)
	fmt.Println(errors.Is(err, controlproto.ErrCookie), errors.Is(err, controlproto.ErrCookieExpired))
	_, err = codec.Decode("AAAA", controlproto.CookieAgeLogin)
	fmt.Println(err)
	// Output:
	// true true
	// controlproto: cookie refused: malformed, or made with another key
}

// A page of the web application in a frame: one device's desktop and nothing around it.
func ExampleEmbed() {
	embed := controlproto.Embed{
		Login: controlproto.NewSecret("b29raWU="), // of a codec and LoginTokenCookie
		Node:  "node//wCZrd0MjQ$HjRjFLT9bu03s5WZBepQrGrOsYuL4Rn5n1YEu9NLcwmeSLVfHzuVii",
		View:  controlproto.ViewDesktop,
		Hide:  controlproto.HideAll &^ controlproto.HideTitle,
	}
	u, err := embed.URL("https://mesh.example/customer1/")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(embed.View, "without", embed.Hide)
	fmt.Println(u)
	fmt.Println(len(u.Reveal()))
	// Output:
	// desktop without header, tabs, footer, toolbar, back buttons
	// https://mesh.example/customer1/?login=[redacted]&viewmode=[redacted]&node=[redacted]&hide=[redacted]
	// 136
}

// An account that moves from MeshCentral keeps its password.
func ExampleStockPassword_Verify() {
	stored := controlproto.StockPassword{
		Salt: "c2FsdA==",
		Hash: controlproto.NewSecret("hNh839twzIlJxAXMY9IWn61/K8MOj34qsg+GHeYFf8pWUET6zbr66B775tnS2Mxokmxo7VDZS/F8I7PvkWtz" +
			"xgRJfq3Jg8wozha1+M9YVodlC910OcCnABkWLejAFl7Q1bzkG+FQoXwkGEhzZl8PEJ94RV0eXXpQ9KU2ysDUIO4="),
	}
	fmt.Println(stored.Verify(controlproto.NewSecret("hello")), stored.Verify(controlproto.NewSecret("hullo")))
	// Output: true false
}

// A code is good once: the step at which it was shown is kept with the account.
func ExampleVerifyTOTP() {
	secret := controlproto.NewSecret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	now := time.Unix(1234567890, 0)
	step, ok, err := controlproto.VerifyTOTP(secret, "005924", now, 0)
	fmt.Println(step, ok, err)
	_, ok, err = controlproto.VerifyTOTP(secret, "005924", now.Add(10*time.Second), step)
	fmt.Println(ok, err)
	// Output:
	// 41152263 true <nil>
	// false <nil>
}

// The address that a QR code shows to an authenticator application.
func ExampleTOTPURL() {
	secret, err := controlproto.NewTOTPSecret(bytes.NewReader(make([]byte, 20))) // nil for a real one
	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := controlproto.TOTPURL("mesh.example", "admin", secret)
	fmt.Println(u, err)
	// Output: otpauth://totp/mesh.example:admin?secret=[redacted]&period=[redacted]&digits=[redacted]&algorithm=[redacted]&issuer=[redacted] <nil>
}

// The header with which a client logs in.
func ExampleMeshAuth() {
	header, err := controlproto.MeshAuth{User: "admin", Password: controlproto.NewSecret("pw")}.Header()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(header, header.Reveal())
	got, err := controlproto.ParseMeshAuth("YWRtaW4=,cHc=,MTIzNDU2")
	fmt.Printf("%+v %v\n", got, err)
	// Output:
	// [redacted] YWRtaW4=,cHc=
	// {User:admin Password:[redacted] Token:[redacted] Inside:false} <nil>
}
