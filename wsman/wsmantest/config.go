package wsmantest

import (
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/meshcentral-go/sdk/internal/secret"
	"github.com/meshcentral-go/sdk/wsman/redir"
)

// Secret is text that no log shows. See [NewSecret].
type Secret = secret.Text

// NewSecret wraps a password.
func NewSecret(text string) Secret { return secret.New(text) }

// Config says what device to simulate. The zero value is an AMT 16.1 in admin control mode without TLS, with user
// "admin" and password [DefaultPassword].
type Config struct {
	// Version is that of the firmware: a whole one ("16.1.25.1917") or the beginning of one ("11", "16.1"), which is
	// completed. It decides on ports, TLS, digest, classes; see [Device.Ports]. Default "16.1".
	Version string
	// User and Password are the administrator's. Default "admin" and DefaultPassword.
	User     string
	Password Secret
	// UUID is the platform's, in text order. Default: random.
	UUID [16]byte
	// Mode is the control mode. Default ModeAdmin. With ModeNone nobody but the local user of
	// [Device.LocalCredentials] can log in.
	Mode ControlMode
	// HostName and Domain are the names in AMT_GeneralSettings. Default "amt-" and eight digits of the UUID; no domain.
	HostName, Domain string
	// Power is the state to begin with. Default PowerOn.
	Power PowerState
	// TLS switches TLS on with a self-made certificate, as CommitChanges does with one that a console has installed.
	// Firmware from 19 on has it on in any case.
	TLS bool
	// MinTLS and MaxTLS replace the version's bounds, values of crypto/tls. They are for tests of clients.
	MinTLS, MaxTLS uint16

	// TrustedRoots are the certificates whose hashes the device accepts for activation in admin mode. The root of
	// a chain given to IPS_HostBasedSetupService must be one of them.
	TrustedRoots []*x509.Certificate
	// TrustedSuffix is the DNS suffix that the leaf certificate of an activation must fit. Empty means any.
	TrustedSuffix string

	// NoWiFi, NoKVM, NoRedirection, No8021x leave out what not every model has: their classes answer
	// DestinationUnreachable.
	NoWiFi, NoKVM, NoRedirection, No8021x bool
	// Absent names further classes that this device lacks.
	Absent []string
	// Server replaces the Server header, for firmware that does not say "Intel(R) Active Management Technology".
	Server string

	// Quirks are oddities of real firmware, and of what lies between; all off by default.
	Quirks Quirks

	// SOL, IDER and KVM serve redirection sessions. By default SOL echoes what is typed, IDER reads the media once and notes
	// their hashes (see [Device.Media]), and KVM shows a small picture.
	SOL  func(ctx context.Context, port *redir.Serial) error
	IDER func(ctx context.Context, host *redir.IDERHost) error
	KVM  func(ctx context.Context, rfb net.Conn) error

	// Now is the clock, time.Now by default. It is used for enumerations, locks, logs and the device's own clock; not
	// for deadlines nor for nonces.
	Now func() time.Time
	// Rand is where keys, nonces and codes come from, crypto/rand by default.
	Rand io.Reader
	// IdleTime is how long a connection may be silent. Default 60 s.
	IdleTime time.Duration
	// OnEvent is called for every change of state and every login refused, one at a time, in order. It may use the
	// Device, but not close it, and must not wait for requests.
	OnEvent func(Event)
	// Notify connects to the listeners of subscriptions, which get alerts then: the DialContext of a net.Dialer, or what opens a
	// channel of a CIRA connection (apf.Conn.Dial). A listener with TLS must have a certificate of one of the trusted roots that
	// were installed. Nil sends none.
	Notify func(ctx context.Context, network, addr string) (net.Conn, error)
	// Logger is told of every request. Nil discards.
	Logger *slog.Logger
}

// DefaultPassword is the administrator's password if none is given. It fulfils the firmware's rules: eight characters
// with lower case, upper case, digit and symbol.
const DefaultPassword = "P@ssw0rd"

// ControlMode is what AMT permits its manager.
type ControlMode uint8

// Control modes. Their numbers are not those of CurrentControlMode, so that the zero value is the usual device.
const (
	ModeAdmin  ControlMode = iota // ACM, activated with a certificate or by hand
	ModeClient                    // CCM, activated from the operating system; the user's consent is always needed
	ModeNone                      // not activated
)

// String returns "admin", "client" or "none".
func (m ControlMode) String() string { return name([]string{"admin", "client", "none"}, int(m)) }

// wire is CurrentControlMode.
func (m ControlMode) wire() int { return int([]uint8{2, 1, 0}[m%3]) }

func name(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}

// Quirks are oddities that clients meet. Each is off in the zero value.
type Quirks struct {
	// ContentLength sends bodies with Content-Length instead of chunked.
	ContentLength bool
	// CloseAlways ends the connection after every answer, and says so with "Connection: close".
	CloseAlways bool
	// ChunkSize is the most that one chunk holds. Default 4096.
	ChunkSize int
	// RefuseChunked answers 400 to a request without Content-Length.
	RefuseChunked bool

	// AuthOnly offers qop "auth" alone where the version would offer "auth-int, auth"; AuthInt the other way round.
	AuthOnly, AuthInt bool
	// NonceUses is how many requests a nonce is good for. 0 means no limit.
	NonceUses int
	// NonceTime is how long a nonce is good for. Default 10 minutes.
	NonceTime time.Duration
	// StaleTrue says stale=true when a nonce that was given is not good any more; real firmware always says "false".
	StaleTrue bool
	// PaddedNonce writes nonces in base64 with '=', which MeshCentral's reader cuts off.
	PaddedNonce bool
	// Unquoted writes stale without quotes in the challenge, which some readers take amiss.
	Unquoted bool
	// RealmMismatch lets AMT_GeneralSettings.DigestRealm differ from the realm of the challenge.
	RealmMismatch bool
	// LockAfter refuses a user for LockTime (default 20 s) after so many wrong passwords in a row.
	LockAfter int
	LockTime  time.Duration

	// PullItems is the most items of one PullResponse; 1 makes every list come one by one. Default 100.
	PullItems int
	// EndFirst writes EndOfSequence before Items.
	EndFirst bool
	// SameContext keeps the enumeration context over all Pulls, instead of a new one in each answer.
	SameContext bool
	// NoResourceURI leaves the ResourceURI header out, which makes MeshCentral pull a class "undefined".
	NoResourceURI bool
	// BareAction leaves "Response" out of the Action of answers.
	BareAction bool

	// ShortTags writes <x/> for empty elements. Pretty breaks lines between elements. Comments writes comments and CDATA
	// sections. LocalNamespaces declares the namespaces of the body on its elements.
	ShortTags, Pretty, Comments, LocalNamespaces bool

	// OneSelector answers AddMpServer with a reference of a single selector, on which MeshCentral's chain stops.
	OneSelector bool
	// KeyBusy is how many times GenerateKeyPair answers PKI_GENERATING_KEYS before it makes a key.
	KeyBusy int
	// SubjectPublicKeyInfo gives DERKey in that form on every version; PKCS1Keys in the old one. By default it is PKCS #1
	// before version 16.
	SubjectPublicKeyInfo, PKCS1Keys bool
	// SilentSetup closes the connection instead of answering Setup, AdminSetup, UpgradeClientToAdmin and Unprovision,
	// although they are done.
	SilentSetup bool
	// KVMBlocksPowerOff makes soft power-off do nothing while a KVM session is open.
	KVMBlocksPowerOff bool
	// StrictBoot refuses a Put of AMT_BootSettingData that holds any of its read-only properties; otherwise only one that
	// changes them is refused.
	StrictBoot bool
	// StrictPut refuses a Put with properties that the instance does not have.
	StrictPut bool
	// FlashWrites is how many changes the flash takes before they answer FLASH_WRITE_LIMIT_EXCEEDED. 0 means no limit.
	FlashWrites int
	// NoLocalService is a computer whose operating system has no LMS: graceful power actions are not possible.
	NoLocalService bool
}
