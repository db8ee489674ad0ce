package controlproto

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// EmbedView is a page of the web application ("viewmode"). Confirmed in default.handlebars, function go.
type EmbedView int

// The pages.
const (
	ViewDefault       EmbedView = 0 // the devices, or what the account saw last
	ViewDevices       EmbedView = 1
	ViewAccount       EmbedView = 2
	ViewAccountEvents EmbedView = 3
	ViewUsers         EmbedView = 4 // [ViewRecordings] for accounts that may not manage users
	ViewFiles         EmbedView = 5 // the server's, not a device's
	ViewServer        EmbedView = 6
	ViewDevice        EmbedView = 10
	ViewDesktop       EmbedView = 11
	ViewTerminal      EmbedView = 12
	ViewDeviceFiles   EmbedView = 13
	ViewAMT           EmbedView = 14
	ViewDeviceConsole EmbedView = 15
	ViewDeviceEvents  EmbedView = 16
	ViewDeviceDetails EmbedView = 17
	ViewDevicePlugins EmbedView = 19
	ViewGroup         EmbedView = 20
	ViewGroupSummary  EmbedView = 21
	ViewUser          EmbedView = 30
	ViewUserEvents    EmbedView = 31
	ViewServerStats   EmbedView = 40
	ViewServerTrace   EmbedView = 41
	ViewServerPlugins EmbedView = 42
	ViewServerPlugin  EmbedView = 43
	ViewUserGroups    EmbedView = 50
	ViewUserGroup     EmbedView = 51
	ViewRecordings    EmbedView = 52
	ViewReports       EmbedView = 60
	ViewServerConsole EmbedView = 115
)

var embedViewNames = map[EmbedView]string{
	ViewDefault: "default", ViewDevices: "devices", ViewAccount: "account", ViewAccountEvents: "account-events",
	ViewUsers: "users", ViewFiles: "files", ViewServer: "server", ViewDevice: "device", ViewDesktop: "desktop",
	ViewTerminal: "terminal", ViewDeviceFiles: "device-files", ViewAMT: "amt", ViewDeviceConsole: "device-console",
	ViewDeviceEvents: "device-events", ViewDeviceDetails: "device-details", ViewDevicePlugins: "device-plugins",
	ViewGroup: "group", ViewGroupSummary: "group-summary", ViewUser: "user", ViewUserEvents: "user-events",
	ViewServerStats: "server-stats", ViewServerTrace: "server-trace", ViewServerPlugins: "server-plugins",
	ViewServerPlugin: "server-plugin", ViewUserGroups: "user-groups", ViewUserGroup: "user-group",
	ViewRecordings: "recordings", ViewReports: "reports", ViewServerConsole: "server-console",
}

// String returns a name for the page, such as "desktop" or "server-trace".
func (v EmbedView) String() string {
	if name, ok := embedViewNames[v]; ok {
		return name
	}
	return fmt.Sprintf("view-%d", int(v))
}

// ParseEmbedView reads a name as String returns it, or the number of a page.
func ParseEmbedView(text string) (EmbedView, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if _, ok := embedViewNames[EmbedView(n)]; ok {
			return EmbedView(n), nil
		}
	}
	for v, name := range embedViewNames {
		if name == text {
			return v, nil
		}
	}
	return 0, fmt.Errorf("controlproto: there is no page %.64q", text)
}

// ofDevice tells whether the page shows one device.
func (v EmbedView) ofDevice() bool { return v >= ViewDevice && v < ViewGroup }

// EmbedHide is what the web application leaves out ("hide"). What the domain's setting of the same name hides stays
// hidden. Confirmed in default.handlebars.
type EmbedHide uint8

// Bits of [EmbedHide].
const (
	HideHeader      EmbedHide = 1 << 0
	HideTabs        EmbedHide = 1 << 1
	HideFooter      EmbedHide = 1 << 2
	HideTitle       EmbedHide = 1 << 3
	HideToolbar     EmbedHide = 1 << 4 // at the left
	HideBackButtons EmbedHide = 1 << 5

	HideAll EmbedHide = 1<<6 - 1
)

var embedHideNames = []string{"header", "tabs", "footer", "title", "toolbar", "back buttons"}

// String names the bits.
func (h EmbedHide) String() string {
	var names []string
	for i, name := range embedHideNames {
		if h&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if rest := h &^ HideAll; rest != 0 {
		names = append(names, fmt.Sprintf("%#x", uint8(rest)))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Embed describes an address of the web application, for a link or a frame in another page:
//
//	https://HOST/[DOMAIN/]?login=COOKIE&node=ID&viewmode=11&hide=63
//
// Frames need the server's setting allowFraming, and in pages of other sites sessionSameSite "none" too. The session that
// begins outlives the cookie. Confirmed in webserver.js, handleRootRequestEx, and default.handlebars.
type Embed struct {
	// Login is a cookie of [LoginTokenCookie], which logs in who opens the address. Without one the login page comes
	// first, unless there is a session. Pages do not check the address in a cookie.
	Login Secret
	// Key is the server's URL key (setting loginKey), if it has one ("key").
	Key Secret
	// View is the page.
	View EmbedView
	// Hide is what to leave out.
	Hide EmbedHide

	// At most one of the following is set. Node shows one device, without the way back to the others ("node"); GotoNode
	// goes to it in the whole application.
	Node     ID
	GotoNode ID
	// GotoDeviceName, GotoHostName and GotoAddress go to the device with this name, name of its own, or address
	// ("gotodevicename", "gotodevicername", "gotodeviceip").
	GotoDeviceName string
	GotoHostName   string
	GotoAddress    netip.Addr
	// GotoGroup, GotoUser and GotoUserGroup go to a device group, an account, a user group ("gotomesh", "gotouser",
	// "gotougrp").
	GotoGroup     ID
	GotoUser      ID
	GotoUserGroup ID

	// Locale is the language, such as "de" ("locale"); SiteStyle the look, 1 to 3 ("sitestyle"); Filter the text in the
	// search field of the devices ("filter").
	Locale    string
	SiteStyle int
	Filter    string
}

// URL puts the address together. Base is the address of the domain's front page, `https://HOST/` or `https://HOST/DOMAIN/`.
// The result lets whoever has it in, so it is hidden when printed.
//
// The web application reads its arguments unescaped, and drops those with certain characters, '%' and with it the blank
// among them. A name that cannot be told it is an error.
func (e *Embed) URL(base string) (SecretURL, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.ForceQuery || u.Fragment != "" {
		// A parse error would quote all of it, which may hold a password.
		return SecretURL{}, fmt.Errorf("controlproto: embedding: base is not of the form https://HOST/ or https://HOST/DOMAIN/")
	}
	if !strings.HasSuffix(u.Path, "/") {
		u = u.JoinPath("/")
	}
	q := embedQuery{}
	q.add("login", e.Login.Reveal(), isCookieText)
	q.add("key", e.Key.Reveal(), nil)
	if _, ok := embedViewNames[e.View]; !ok {
		q.fail(fmt.Sprintf("there is no page %d", int(e.View)))
	}
	q.number("viewmode", int(e.View), int(ViewServerConsole))
	q.target("node", bareID(e.Node), isBareID)
	q.target("gotonode", bareID(e.GotoNode), isBareID)
	q.target("gotodevicename", e.GotoDeviceName, isPageSafe)
	q.target("gotodevicername", e.GotoHostName, isPageSafe)
	if e.GotoAddress.IsValid() {
		q.target("gotodeviceip", e.GotoAddress.Unmap().String(), isPageSafe)
	}
	q.target("gotomesh", bareID(e.GotoGroup), isBareID)
	q.target("gotouser", string(e.GotoUser), isPageSafe)
	q.target("gotougrp", string(e.GotoUserGroup), isPageSafe)
	q.number("hide", int(e.Hide), int(HideAll))
	q.add("locale", e.Locale, isPageSafe)
	q.number("sitestyle", e.SiteStyle, 3)
	q.add("filter", e.Filter, isPageSafe)
	if q.targets > 1 {
		q.fail("more than one place to go to")
	}
	if e.View.ofDevice() && q.targets == 0 {
		q.fail(fmt.Sprintf("page %v without a device", e.View))
	}
	if q.err != nil {
		return SecretURL{}, q.err
	}
	address := u.String()
	if len(q.text) > 0 {
		address += "?" + string(q.text)
	}
	return NewSecretURL(address), nil
}

// embedQuery collects arguments and keeps the first error.
type embedQuery struct {
	text    []byte
	targets int
	err     error
}

func (q *embedQuery) fail(why string) {
	if q.err == nil {
		q.err = fmt.Errorf("controlproto: embedding: %s", why)
	}
}

// add adds an argument that is not empty; one that is checked goes as it is, another is escaped.
func (q *embedQuery) add(name, value string, check func(string) bool) {
	if value == "" {
		return
	}
	if check == nil {
		value = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
	} else if !check(value) {
		q.fail(fmt.Sprintf("the value of %q cannot be told the pages", name)) // it may be a secret
		return
	}
	if len(q.text) > 0 {
		q.text = append(q.text, '&')
	}
	q.text = append(append(append(q.text, name...), '='), value...)
}

func (q *embedQuery) target(name, value string, check func(string) bool) {
	if value != "" {
		q.targets++
		q.add(name, value, check)
	}
}

func (q *embedQuery) number(name string, value, most int) {
	switch {
	case value < 0 || value > most:
		q.fail(fmt.Sprintf("%s %d, at most %d", name, value, most))
	case value != 0:
		q.add(name, strconv.Itoa(value), isPageSafe)
	}
}

// bareID is the last part of an id. The pages complete it with the domain of their address.
func bareID(id ID) string {
	if _, rest, ok := strings.Cut(string(id), "/"); ok {
		_, name, _ := strings.Cut(rest, "/")
		if name == "" {
			return string(id) // which isBareID refuses
		}
		return name
	}
	return string(id)
}

// isBareID takes base64 of MeshCentral and hexadecimal digits.
func isBareID(s string) bool { return len(s) <= 128 && consistsOf(s, "@$") }

// isCookieText takes the same with padding.
func isCookieText(s string) bool { return len(s) <= MaxCookieText && consistsOf(s, "@$=") }

// isPageSafe takes what neither a browser escapes in a query nor the pages drop (common.js, isSafeString2), and what does
// not end an argument.
func isPageSafe(s string) bool { return len(s) <= 1024 && consistsOf(s, "-._~!*,;:@$/=") }

// consistsOf tells whether a text has letters and digits of ASCII and the other characters only.
func consistsOf(s, others string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
