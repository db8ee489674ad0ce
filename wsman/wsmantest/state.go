package wsmantest

import (
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/redir"
)

// state is what the classes do not hold themselves.
type state struct {
	nonceUses     map[string]int
	power         powerState
	boot          bootState
	accounts      accounts
	keys          keyStore
	tls           tlsState
	setup         setupState
	consent       consentState
	clock         clockState
	events        eventLog
	cira          map[*object]Secret // by AMT_MPSUsernamePassword
	scheme        *object            // AMT_SystemPowerScheme
	kerberosCache bool
	subscriptions map[*object]Subscription // by CIM_FilterCollectionSubscription
	subscribers   int                      // so many there have been
	rfb           Secret                   // of port 5900
	wifi          map[*object]Secret       // by CIM_WiFiEndpointSettings
	audit         auditLog
	ports         *redir.Device
	media         []Medium
	keyBusy       int // GenerateKeyPair answers so many times that it is busy
}

// build fills a new device.
func (d *Device) build() error {
	d.realm = d.newRealm()
	d.classes = map[string]*class{}
	d.state = state{cira: map[*object]Secret{}}
	d.forgetNonces()
	d.buildGeneral()
	d.buildClock()
	d.buildLogs()
	d.buildAccounts()
	d.buildPower()
	d.buildBoot()
	d.buildKeys()
	if err := d.buildTLS(); err != nil {
		return err
	}
	d.buildSetup()
	d.buildCIRA()
	d.buildNetwork()
	d.buildWiFi()
	d.buildAlarms()
	d.buildRedirection()
	d.buildConsent()
	d.buildPorts()
	d.buildEventing()
	d.buildHardware()
	d.buildRest()
	return nil
}

const (
	amtSystem = "Intel(r) AMT"
	computer  = "CIM_ComputerSystem"
	managed   = "ManagedSystem"
)

// service makes the instance of a service class, with the keys that all of them have.
func service(class, title string, pairs ...any) *object {
	o := newObject(class, append(pairs, "CreationClassName", class, "ElementName", title, "Name", title,
		"SystemCreationClassName", computer, "SystemName", amtSystem)...)
	slices.SortStableFunc(o.props, func(a, b wsman.Element) int { return strings.Compare(a.Name, b.Name) })
	return o
}

// serviceKeys are the keys of services.
var serviceKeys = []string{"CreationClassName", "Name", "SystemCreationClassName", "SystemName"}

// Return values of CIM methods, and of AMT ones (PT_STATUS).
const (
	ok = 0

	cimNotSupported      = 1
	cimFailed            = 4
	cimInvalidParameter  = 5
	cimInvalidTransition = 4097

	statusInternal         = 1
	statusNotReady         = 2
	statusInvalidMode      = 3
	statusInvalidName      = 12
	statusNotPermitted     = 16
	statusMaxLimit         = 23
	statusInvalidParameter = 36
	statusFlashLimit       = 38
	statusInvalidHandle    = 0x805
	statusInvalidPassword  = 0x806
	statusInvalidRealm     = 0x807
	statusDataMissing      = 0x809
	statusDuplicate        = 0x80A
	statusMissingKeys      = 0x80C
	statusGeneratingKeys   = 0x80D
	statusInvalidKey       = 0x80E
	statusInvalidCert      = 0x80F
	statusKeyNotMatch      = 0x810
	statusAuditFail        = 0x81B
	statusConsentRequired  = 0x821
)

// requestStateChange makes the method of that name for a class whose EnabledState may be one of some values.
func (d *Device) requestStateChange(kind EventKind, states ...int) method {
	return func(c *call) (int, *fault) {
		n, ok := c.num("RequestedState")
		if !ok || c.object == nil {
			return cimInvalidParameter, nil
		}
		for _, s := range states {
			if n == s {
				if c.object.num("EnabledState") != n {
					if !d.flashWrite() {
						return cimFailed, nil
					}
					c.object.set("EnabledState", n)
					d.emit(kind, "%s is in state %d", c.object.class, n)
				}
				if c.object.has("RequestedState") {
					c.object.set("RequestedState", n)
				}
				return 0, nil
			}
		}
		return cimInvalidParameter, nil
	}
}
